"""Whole series as queries and as hits: the slices of one ask, and their votes put series into an order."""
