"""The viewer: stored values of images in the browser, shown through a window that moves; what is sent, and how."""
