"""Many images from outside, each searched with by itself: where they come from, and the table of all their hits."""
