"""Sentences as they are meant: abbreviations, lay and German words, misspellings, denials; and what nonsense is."""
