"""The import of a collection, step by step."""
