"""Evaluations of a collection: one module a question."""
