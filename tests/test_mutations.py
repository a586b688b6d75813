"""Some mutations of the files of a collection, in this process; see benchmarks/mutations.py for all of them."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.mutations import exercise, mutated
from radcbir_core.errors import RadcbirError

FILES = (
    "collection.json",
    "manifest.parquet",
    "problems.csv",
    "thumbnails/000000.npy",
    "thumbnails/000000.bin",
    "encoders/pixels/encoder.json",
    "encoders/pixels/embeddings.npy",
    "encoders/pixels/index.usearch",
    "encoders/pixels/neighbor_ids.npy",
    "encoders/pixels/neighbor_similarities.npy",
    "encoders/pixels/projection.parquet",
)
EACH = 4


@pytest.fixture
def folder(small_data, tmp_path, monkeypatch) -> Path:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "collections" / "small"


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_one_line_or_makes_no_difference(folder, name) -> None:
    whole = (folder / name).read_bytes()
    others = [(folder / other).read_bytes() for other in FILES]
    refusals: list[str] = []
    for seed in range(EACH):
        (folder / name).write_bytes(mutated(name, whole, others, seed=seed)[1])
        with contextlib.suppress(RadcbirError):
            exercise("small", evaluations=False)
            continue
        refusals.append(name)
    # Bytes of pictures have no digest, a title may be any words, and what an index cannot say is compared exactly.
    if name.endswith((".npy", ".parquet")):
        assert len(refusals) == EACH


def test_the_same_seed_is_the_same_mutation() -> None:
    content = np.random.default_rng(0).bytes(100)
    for seed in range(20):
        assert mutated("a.bin", content, [b"x"], seed=seed) == mutated("a.bin", content, [b"x"], seed=seed)
