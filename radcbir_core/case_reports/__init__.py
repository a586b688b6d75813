"""Case reports: a query with its hits and how they were found, as one file to keep, to send and to print."""
