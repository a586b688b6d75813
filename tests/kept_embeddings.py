"""The array of embeddings as it lies on disk: what tests compare with, past everything that reads it in the core."""

from __future__ import annotations

from typing import Any

import numpy as np


def kept_embeddings(store: Any) -> np.ndarray:
    """``(N, D)`` of what an encoder made of a collection."""
    return np.load(store.embeddings_path)


def directions(store: Any) -> np.ndarray:
    """``(N, D)`` float64: the same, each row of length 1; products are cosines. A row of zeros stays so."""
    vectors = kept_embeddings(store).astype(np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
