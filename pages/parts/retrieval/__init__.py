"""The Retrieval page: what a query is made from."""
