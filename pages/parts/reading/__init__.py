"""What a reader sees of a study: one case after the other, and nothing that would give an answer away."""
