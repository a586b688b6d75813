"""Neighbors of all images among each other: the neighbor graph and how it is made."""
