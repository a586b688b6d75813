"""Search: all reading of embeddings. Exact and approximate engines, the neighbor graph, and queries on top."""
