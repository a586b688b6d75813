"""The map: graphs, starts, moves, places."""
