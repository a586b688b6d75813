"""The files of an encoder: where they are, how they come here, and how weights are read safely."""
