"""Vectors of known rows into embeddings.npy: what is usable, what is scaled, what stays as it was."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.collections.writing import revised_collection
from radcbir_core.errors import CollectionError, ManifestError
from radcbir_core.importers import import_collection
from radcbir_core.importers.vectors import storing
from radcbir_core.importers.vectors.matching import Matched
from radcbir_core.importers.vectors.storing import write_encoder
from radcbir_core.progress import silent


class Vectors:
    """Vectors in memory; ``bad`` places have a reason."""

    def __init__(self, rows, *, dtype=np.float32, bad: dict[int, str] | None = None) -> None:
        self.array = np.array(rows, dtype=dtype)
        self.path, self.keys, self.bad = Path("v.npy"), None, bad or {}
        self.dimension, self.dtype = self.array.shape[1], self.array.dtype
        self.asked: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.array)

    def read(self, places):
        self.asked.append(places.tolist())
        return self.array[places], {n: self.bad[p] for n, p in enumerate(places.tolist()) if p in self.bad}


@pytest.fixture
def collection(tmp_path, picture) -> Collection:
    """Four images."""
    for seed in range(4):
        picture(tmp_path / "source" / f"{seed}.png", seed=seed)
    return import_collection([tmp_path / "source"], name="c").collection


def stored(collection: Collection, *vectors: Vectors, files=None, places=None, again=False) -> Counter:
    count = len(collection)
    matched = Matched(
        collection.manifest.table,
        np.zeros(count, np.int64) if files is None else np.array(files),
        np.arange(count) if places is None else np.array(places),
        pd.DataFrame(columns=PROBLEM_COLUMNS),
    )
    changes: Counter = Counter()
    told = {"changes": changes, "progress": silent}
    if again:
        with revised_collection("c", digest=open_collection("c").digest) as folder:
            write_encoder(Collection(folder), "e", vectors, matched, old=open_collection("c"), **told)
    else:
        write_encoder(collection, "e", vectors, matched, old=None, **told)
    return changes


def embeddings(collection: Collection) -> np.ndarray:
    return np.load(collection.encoder_folder("e") / "embeddings.npy")


def reasons(collection: Collection) -> list[tuple[str, str]]:
    return [tuple(row) for row in open_collection("c").problems()[["path", "reason"]].values.tolist()]


def test_vectors_of_other_lengths_are_scaled_and_counted(collection) -> None:
    changes = stored(collection, Vectors([[3, 4], [0, 1], [0, 1.000001], [0, 1.1]]))
    np.testing.assert_allclose(embeddings(collection), [[0.6, 0.8], [0, 1], [0, 1.000001], [0, 1]], rtol=1e-7)
    assert changes == Counter({("embeddings", "length other than 1", "length 1"): 2})
    record = open_collection("c").store("e").record
    assert (record["dimension"], record["dtype"], record["failed_rows"]) == (2, "float32", [])


@pytest.mark.parametrize(("dtype", "scaled"), [(np.float16, 0), (np.float32, 4), (np.float64, 4)])
def test_how_far_from_1_is_1_depends_on_the_type(collection, dtype, scaled) -> None:
    changes = stored(collection, Vectors([[0, 1.0009]] * 4, dtype=dtype))
    assert sum(changes.values()) == scaled
    assert embeddings(collection).dtype == dtype


def test_what_cannot_be_used_is_zeros_with_its_reason(collection) -> None:
    vectors = Vectors([[1, 0], [np.nan, 0], [0, 0], [5, 5]], bad={3: "Damaged."})
    assert not stored(collection, vectors)
    assert embeddings(collection).tolist() == [[1, 0], [0, 0], [0, 0], [0, 0]]
    assert reasons(collection) == [
        ("1.png", "Expected finite numbers, but the vector has NaN or infinity in it."),
        ("2.png", "Expected a vector of non-zero length, but all its numbers are 0."),
        ("3.png", "Damaged."),
    ]
    assert open_collection("c").store("e").record["failed_rows"] == [1, 2, 3]


def test_a_length_beyond_the_type_is_no_infinity(collection) -> None:
    stored(collection, Vectors([[60000, 60000]] * 4, dtype=np.float16))
    np.testing.assert_allclose(embeddings(collection), np.sqrt(0.5), atol=1e-3)


def test_a_row_that_no_file_has(collection) -> None:
    stored(collection, Vectors([[1, 0]] * 4), files=[0, -1, 0, 0], places=[0, -1, 2, 3])
    assert reasons(collection) == [
        ("1.png", "Expected a vector of this encoder, but none of the files has one of this name.")
    ]


def test_each_file_is_read_in_its_own_order_and_rows_keep_theirs(collection, monkeypatch) -> None:
    first, second = Vectors([[1, 0], [0, 1]]), Vectors([[-1, 0], [0, -1]])
    stored(collection, first, second, files=[1, 0, 1, 0], places=[1, 1, 0, 0])
    assert embeddings(collection).tolist() == [[0, -1], [0, 1], [-1, 0], [1, 0]]
    assert (first.asked, second.asked) == ([[0, 1]], [[0, 1]])
    monkeypatch.setattr(storing, "_CHUNK", 3)
    whole = embeddings(collection)
    stored(collection, first, second, files=[1, 0, 1, 0], places=[1, 1, 0, 0])
    np.testing.assert_array_equal(embeddings(collection), whole)


def test_not_one_usable_vector(collection) -> None:
    with pytest.raises(ManifestError, match="all 4 have problems; the first: Expected a vector of non-zero length"):
        stored(collection, Vectors([[0, 0]] * 4))


def test_what_is_there_stays_where_the_files_say_nothing(collection) -> None:
    stored(collection, Vectors(np.eye(4)))
    stored(collection, Vectors(np.eye(4)), files=[0, -1, -1, 0], places=[0, -1, -1, 3], again=True)
    np.testing.assert_array_equal(embeddings(collection), np.eye(4))
    assert reasons(collection) == []


def test_a_row_that_failed_may_be_given_its_vector_later(collection) -> None:
    stored(collection, Vectors([[1, 0], [0, 0], [0, 1], [0, 1]]))
    stored(collection, Vectors([[1, 0], [0, -1], [0, 1], [0, 1]]), again=True)
    assert embeddings(collection)[1].tolist() == [0, -1]
    assert open_collection("c").store("e").record["failed_rows"] == []


def test_what_contradicts_what_is_there(collection) -> None:
    stored(collection, Vectors(np.eye(4)))
    before = embeddings(collection)
    with pytest.raises(CollectionError, match=r"the same, but that of source/1\.png is another"):
        stored(collection, Vectors(np.eye(4)[[0, 2, 1, 3]]), again=True)
    with pytest.raises(
        CollectionError, match=r"that c has of e \(float32, dimension 4\), but they are float64, dimension 4"
    ):
        stored(collection, Vectors(np.eye(4), dtype=np.float64), again=True)
    np.testing.assert_array_equal(embeddings(collection), before)
    (collection.encoder_folder("e") / "embeddings.npy").write_bytes(b"")
    with pytest.raises(CollectionError, match=r"embeddings\.npy is not that: it is missing or damaged\. Remove"):
        stored(collection, Vectors(np.eye(4)), again=True)


def test_the_same_again_leaves_the_record_alone(collection) -> None:
    stored(collection, Vectors(np.eye(4)))
    record = collection.encoder_folder("e") / "encoder.json"
    record.write_text(record.read_text() + " ")
    stored(collection, Vectors(np.eye(4)), again=True)
    assert record.read_text().endswith(" ")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_lengths_are_those_of_double_precision(collection, dtype) -> None:
    """However they are measured: what is scaled, and to which numbers, does not hang on it."""
    rows = np.random.default_rng(0).normal(size=(4, 300))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows *= np.array([[1.0], [1.0004], [1.0011], [60000.0 if dtype is np.float16 else 1e18]])
    given = rows.astype(dtype)
    changes = stored(collection, Vectors(given, dtype=dtype))
    lengths = np.linalg.norm(given.astype(np.float64), axis=1)
    other = np.abs(lengths - 1) > (1e-3 if dtype is np.float16 else 1e-5)
    assert sum(changes.values()) == other.sum()
    expected = np.where(other[:, None], given.astype(np.float64) / lengths[:, None], given).astype(dtype)
    np.testing.assert_allclose(embeddings(collection), expected, rtol=3 * float(np.finfo(dtype).eps), atol=0)
