"""The map: a place in the plane, or in space, for every image, from the neighbor graph alone."""
