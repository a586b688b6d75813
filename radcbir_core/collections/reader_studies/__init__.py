"""Reader studies on disk: what a study is, and what its readers have answered."""
