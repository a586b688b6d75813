"""Air-gap kits: all files of an encoder in one folder, listed, checked, and probed."""
