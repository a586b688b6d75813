"""Why an encoder takes two images for alike: maps over both, each with a check of whether it explains anything."""
