"""PNG, JPEG, TIFF, WebP and BMP: from such a file to stored values. Start at ``raster_reading.read_raster``."""
