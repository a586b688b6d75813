"""The array of embeddings as it lies on disk: what tests compare with, past everything that reads it in the core."""

from __future__ import annotations

from typing import Any

import numpy as np


def kept_embeddings(store: Any) -> np.ndarray:
    """``(N, D)`` of what an encoder made of a collection."""
    return np.load(store.embeddings_path)
