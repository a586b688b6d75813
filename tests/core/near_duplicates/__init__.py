"""Near-duplicates: pictures, copies, pairs and groups."""
