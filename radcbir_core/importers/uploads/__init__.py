"""Files that come through a browser, kept for as long as they are used."""
