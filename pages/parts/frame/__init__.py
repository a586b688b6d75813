"""The frame around every page: shell, state, cached loading, text, palette."""
