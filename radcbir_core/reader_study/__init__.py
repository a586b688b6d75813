"""Reader studies: which cases, in which order, what readers have answered, and the table of it."""
