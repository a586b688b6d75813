"""What a collection says of itself on disk, by which rules, and what earlier versions wrote."""
