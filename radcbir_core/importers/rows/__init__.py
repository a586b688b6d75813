"""From a row of a source to a row of the manifest: columns, words, files checked, and what is refused."""
