"""From stored values to what a screen shows: grayscale pipeline, square pixels. Start at ``showing.display_image``."""
