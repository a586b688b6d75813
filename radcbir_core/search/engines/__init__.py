"""Engines: how the nearest of a set of vectors are found, exactly or by an index, and how well."""
