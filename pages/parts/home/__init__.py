"""What only Home draws."""
