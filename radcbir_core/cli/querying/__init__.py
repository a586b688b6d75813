"""Commands that ask a collection: one query, many, a whole series, and why two images are alike."""
