"""Queries on a small collection: what may be returned, and the table of hits."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, QueryError, StaleError
from radcbir_core.search.retriever import HIT_COLUMNS, Retriever, check_encoder, hits_table
from tests.stale import outdate


@pytest.fixture
def small(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


@pytest.fixture
def copied(small, tmp_path, monkeypatch):
    """A copy that a test may change."""
    shutil.copytree(small.folder, tmp_path / "collections" / "small")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path))
    return open_collection("small")


def test_hits_of_an_image_agree_with_every_pair(small) -> None:
    retriever = Retriever(small, "pixels")
    embeddings = small.store("pixels").embeddings.astype(np.float64)
    for row in (0, 25, 60):
        similarities = embeddings @ embeddings[row] / np.linalg.norm(embeddings[row])
        similarities[row] = -9
        expected = np.sort(similarities)[::-1][:10]
        hits = retriever.search_rows([row], k=10)
        np.testing.assert_allclose(hits.similarities[0], np.clip(expected, -1, 1), atol=1e-5)
        assert hits.method == "exact"


def test_an_uploaded_copy_finds_itself_unless_duplicates_are_excluded(small) -> None:
    retriever = Retriever(small, "pixels")
    encoder = load_encoder("pixels")
    row = 0
    record = small.manifest.record(row)
    embedding = encoder.encode_images([small.read_image(row).pixels])
    group = small.manifest.groups("duplicate")
    copies = set(np.flatnonzero(group == group[row])) if group[row] >= 0 else {row}
    assert len(copies) == 2
    found = retriever.search(embedding, k=5, sha256=record["sha256"])
    assert set(found.rows[0][:2]) == copies
    without = retriever.search(embedding, k=5, exclude=["duplicate"], sha256=record["sha256"])
    assert not copies & set(without.rows[0])
    patient = small.manifest.groups("patient")
    disjoint = retriever.search(embedding, k=60, exclude=["patient"], sha256=record["sha256"])
    assert (patient[disjoint.rows[0][: disjoint.counts[0]]] != patient[row]).all()
    unknown = retriever.search(embedding, k=5, exclude=["duplicate", "patient"], sha256="")
    assert set(unknown.rows[0][:2]) == copies, "a file that is not known has no duplicates"


def test_filters_and_exclusions_hold_together(small) -> None:
    hits = Retriever(small, "pixels").search_rows(
        [0], k=100, where={"modality": ["XR"], "split": ["train"]}, exclude=["patient"]
    )
    table = hits_table(small.manifest, hits)
    assert set(table["modality"]) == {"XR"}
    assert small.manifest.record(0)["patient_id"] not in set(table["patient_id"])
    expected = small.manifest.mask({"modality": ["XR"], "split": ["train"]})
    expected &= small.manifest.groups("patient") != small.manifest.groups("patient")[0]
    assert len(table) == int(expected.sum()) > 0


def test_the_table_of_hits(small) -> None:
    table = hits_table(small.manifest, Retriever(small, "pixels").search_rows([3], k=4))
    assert tuple(table.columns) == HIT_COLUMNS
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["similarity"].is_monotonic_decreasing
    for hit in table.to_dict("records"):
        record = small.manifest.record(small.manifest.row_of(hit["image_id"]))
        assert all(record[name] == hit[name] for name in ("path", "modality", "anatomy", "pathologies", "dataset"))


def test_queries_that_cannot_be(small) -> None:
    retriever = Retriever(small, "pixels")
    with pytest.raises(QueryError, match="Expected exclusions of duplicate, series, study, patient, but exclude = 'x'"):
        retriever.search_rows([0], k=3, exclude=["x"])
    with pytest.raises(QueryError, match="Expected query vectors of dimension 1024"):
        retriever.search(np.ones(8), k=3)
    with pytest.raises(CollectionError, match="Expected an encoder that small was built with, but encoder = 'clip'"):
        Retriever(small, "clip")


def test_an_image_without_an_embedding_cannot_be_a_query_or_a_hit(copied) -> None:
    copied.store("pixels").update(failed_rows=[4])
    retriever = Retriever(copied, "pixels")
    with pytest.raises(QueryError, match=r"could not be embedded. See problems\.csv"):
        retriever.search_rows([4], k=3)
    assert 4 not in retriever.search_rows([5], k=61).rows


def test_embeddings_of_another_manifest_or_encoder_are_refused(copied) -> None:
    encoder = load_encoder("pixels")
    check_encoder(copied.store("pixels"), encoder)
    copied.store("pixels").update(fingerprint="0" * 64)
    with pytest.raises(StaleError, match=r"another version, other weights or other preprocessing\. Build small"):
        check_encoder(copied.store("pixels"), encoder)
    outdate(copied.store("pixels"))
    with pytest.raises(StaleError, match="Expected embeddings of the images that small has now"):
        Retriever(copied, "pixels")


def test_damaged_embeddings_are_named(copied) -> None:
    path = copied.store("pixels").embeddings_path
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CollectionError, match=r"embeddings\.npy is missing or damaged. Build small with pixels again"):
        Retriever(copied, "pixels")
