"""The page Presentation: a story in six slides."""
