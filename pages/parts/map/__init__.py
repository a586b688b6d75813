"""The Map page: points, colors, and what a selection shows."""
