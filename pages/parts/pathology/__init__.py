"""The Pathology page: one module a view."""
