"""The Failures page: one module a view, and the parts that they share."""
