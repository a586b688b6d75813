"""One module a format: how a data set lays out its files and says what they show."""
