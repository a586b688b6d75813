"""One module a family of encoders: how its networks are built, its files read, and its images prepared."""
