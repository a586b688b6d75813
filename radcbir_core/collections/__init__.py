"""Collections on disk: the manifest, where everything lies, what has been built, and what can be done to them."""
