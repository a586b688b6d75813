"""What can be done to an image before it is searched with: flips, turns, crops, other shades, noise, burned-in text."""
