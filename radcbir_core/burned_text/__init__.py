"""Text that is burned into the pixels of images: found, and painted black in thumbnails. What it says is never kept."""
