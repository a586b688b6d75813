"""What one encoder has made of one collection, and how its files are opened and trusted."""
