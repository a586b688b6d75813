"""A second encoder for the collection ``small``: what pixels made of it, disturbed, as if another had made it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence

import numpy as np

from radcbir_core.collections.artifacts import INDEX, NEIGHBORS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.pipeline import MAKERS
from radcbir_core.storage import digest_file, digest_of

SECOND = "second"


def add_encoder(
    collection: Collection, encoder_id: str = SECOND, *, noise: float = 1.0, failed: Sequence[int] = ()
) -> EncoderStore:
    """Give the collection a further encoder, with index and neighbor graph, and no evaluation yet.

    Args:
        collection: One that was built with pixels, and that the caller may change.
        encoder_id: Of the new encoder.
        noise: How much of each embedding is noise.
        failed: Rows that it could not embed.
    """
    source, folder = (collection.encoder_folder(name) for name in ("pixels", encoder_id))
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("evaluation", "projection*", "neighbor*", "index*"))
    embeddings = np.load(source / "embeddings.npy").astype(np.float64)
    random = np.random.default_rng(len(encoder_id))
    embeddings += noise * random.normal(size=embeddings.shape) / np.sqrt(embeddings.shape[1])
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    embeddings[list(failed)] = 0
    np.save(folder / "embeddings.npy", embeddings.astype(np.float16))
    record = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
    made = record["artifacts"]["embeddings"] | {"digest": digest_of(digest_file(folder / "embeddings.npy"))}
    record |= {
        "spec": encoder_id,
        "title": f"The {encoder_id} encoder",
        "failed_rows": list(failed),
        "artifacts": {"embeddings": made},
    }
    (folder / "encoder.json").write_text(json.dumps(record), encoding="utf-8")
    store = open_collection(collection.name).store(encoder_id)
    for artifact in (INDEX, NEIGHBORS):
        MAKERS[artifact.name](store, lambda *_: None)
    return store
