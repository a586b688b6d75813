"""The table of images: its columns, what identifies it, and counts in it."""
