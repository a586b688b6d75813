"""Metrics on plain arrays, one a file: nothing here knows of collections or encoders."""
