"""Vectors that somebody already made: their files, what they are of, and which row each belongs to."""
