"""Queries on a small collection: what may be returned, and the table of hits."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from radcbir_core.batch.batch_search import files_embedded
from radcbir_core.batch.query_files import files_at
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.groups import EXCLUSIONS
from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, QueryError, StaleError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection
from radcbir_core.search.queries.query import ImageQuery, RowQuery, VectorQuery
from radcbir_core.search.retriever import HIT_COLUMNS, Retriever, check_encoder
from tests.core.images.nifti_files import nifti_bytes
from tests.kept_embeddings import directions, kept_embeddings
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
    embeddings = directions(small.store("pixels"))
    for row in (0, 25, 60):
        similarities = embeddings @ embeddings[row]
        similarities[row] = -9
        expected = np.sort(similarities)[::-1][:10]
        answer = retriever.search(row)
        np.testing.assert_allclose(answer.similarities(), np.clip(expected, -1, 1), atol=1e-6)
        assert answer.hits.found_by() == "exact search"
        assert len(answer) == len(answer.rows()) == 10


def test_several_images_are_asked_for_at_once(small) -> None:
    retriever = Retriever(small, "pixels")
    answer = retriever.search(RowQuery((3, 60)), k=4, exclude=["patient"])
    for query, row in enumerate((3, 60)):
        alone = retriever.search(row, k=4, exclude=["patient"])
        assert answer.rows(query).tolist() == alone.rows().tolist()
        np.testing.assert_allclose(answer.similarities(query), alone.similarities(), atol=1e-6)
        assert answer.table(query)["image_id"].tolist() == alone.table()["image_id"].tolist()


@pytest.mark.parametrize("order", ["cosine", "csls"])
def test_more_hits_than_there_are_images_are_all_of_them(small, order) -> None:
    """Nobody makes room for a million of millions of hits of a few images."""
    retriever = Retriever(small, "pixels")
    number = len(small) - 1
    assert len(retriever.search(0, k=number, order=order)) == number
    for k in (len(small), 1000, 10**12):
        answer = retriever.search(0, k=k, order=order)
        assert len(answer) == number
        assert answer.hits.rows.shape[1] <= len(small)
    assert len(retriever.search(0, k=10**12, where={"modality": ["CT"]}, exclude=["patient"])) < number


def test_an_uploaded_copy_finds_itself_unless_duplicates_are_excluded(small) -> None:
    retriever = Retriever(small, "pixels")
    row = 0
    pixels, sha256 = small.read_image(row).pixels, small.manifest.record(row)["sha256"]
    group = small.manifest.groups("duplicate")
    copies = set(np.flatnonzero(group == group[row])) if group[row] >= 0 else {row}
    assert len(copies) == 2
    known = retriever.embed(ImageQuery(pixels, sha256))
    found = retriever.search(known, k=5)
    assert set(found.rows()[:2]) == copies
    without = retriever.search(known, k=5, exclude=["duplicate"])
    assert not copies & set(without.rows())
    patient = small.manifest.groups("patient")
    disjoint = retriever.search(known, k=60, exclude=["patient"])
    assert (patient[disjoint.rows()] != patient[row]).all()
    unknown = retriever.search(ImageQuery(pixels), k=5, exclude=["duplicate", "patient"])
    assert set(unknown.rows()[:2]) == copies, "a file that is not known has no duplicates"


@pytest.mark.parametrize("every", [1, 2])
def test_a_volume_of_the_collection_is_known_by_any_of_its_slices(tmp_path, monkeypatch, every) -> None:
    """Each slice has a digest of its own. Of every other slice the one that asks may not be in the collection."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    random = np.random.default_rng(0)
    for number in range(3):
        path = tmp_path / "in" / f"sub-{number}_T1w.nii"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(nifti_bytes(random.normal(500, 80, (9, 8, 4)).astype(np.float32)))
    request = ImportRequest([path.parent], "volumes", modality="MR", anatomy="brain", every=every)
    collection = import_as(request).collection
    build_collection(collection, load_encoder("pixels"))
    retriever, series = Retriever(collection, "pixels"), collection.manifest.groups("series")
    there = {int(frame) for frame in collection.manifest.column(FRAME_COLUMN)}
    frame = min(set(range(4)) - there, default=1)
    query = ImageQuery.of_file(path, frame=frame)
    (one,) = files_embedded(files_at([path]).files, retriever, frame=frame)
    for asked in (query, one.query):
        rows = retriever.search(asked, k=20, exclude=["series"]).rows()
        assert len(set(series[rows])) == 2
        first = retriever.search(asked, k=1).rows()[0]
        again = retriever.search(asked, k=1, exclude=["duplicate"]).rows()[0]
        assert (first != again) == (every == 1), "the very slice is there, and left out alone"
    assert len(query.file.images(collection)) == (every == 1)
    assert len(query.file.all_images(collection)) == 4 // every


def test_filters_and_exclusions_hold_together(small) -> None:
    where = {"modality": ["XR"], "split": ["train"]}
    table = Retriever(small, "pixels").search(0, k=100, where=where, exclude=["patient"]).table()
    assert set(table["modality"]) == {"XR"}
    assert small.manifest.record(0)["patient_id"] not in set(table["patient_id"])
    expected = small.manifest.mask(where)
    expected &= small.manifest.groups("patient") != small.manifest.groups("patient")[0]
    assert len(table) == int(expected.sum()) > 0


def test_the_table_of_hits(small) -> None:
    table = Retriever(small, "pixels").search(3, k=4).table()
    assert tuple(table.columns) == HIT_COLUMNS
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert table["similarity"].is_monotonic_decreasing
    for hit in table.to_dict("records"):
        record = small.manifest.record(small.manifest.row_of(hit["image_id"]))
        assert all(record[name] == hit[name] for name in ("path", "modality", "anatomy", "pathologies", "dataset"))


def test_queries_that_cannot_be(small) -> None:
    retriever = Retriever(small, "pixels")
    named = ", ".join(EXCLUSIONS)
    with pytest.raises(QueryError, match=f"Expected exclusions of {named}, but exclude = 'x'"):
        retriever.search(0, k=3, exclude=["x"])
    with pytest.raises(QueryError, match="Expected query vectors of dimension 1024"):
        retriever.search(VectorQuery(np.ones(8)), k=3)
    with pytest.raises(QueryError, match="Expected at least one hit, but k = 0"):
        retriever.search(0, k=0)
    with pytest.raises(CollectionError, match="Expected an encoder that small was built with, but encoder = 'clip'"):
        Retriever(small, "clip")


def test_the_encoder_is_loaded_once_and_only_for_what_needs_it(small) -> None:
    loaded = []

    def load():
        loaded.append(load_encoder("pixels"))
        return loaded[-1]

    retriever = Retriever(small, "pixels", encoder=load)
    retriever.search(0)
    retriever.search(VectorQuery(kept_embeddings(small.store("pixels"))[3]))
    assert not loaded
    image = retriever.embed(ImageQuery(small.read_image(5).pixels))
    for _ in range(2):
        assert retriever.search(image).rows()[0] == 5
    assert len(loaded) == 1


def test_an_image_without_an_embedding_cannot_be_a_query_or_a_hit(copied) -> None:
    copied.store("pixels").update(failed_rows=[4])
    retriever = Retriever(copied, "pixels")
    with pytest.raises(QueryError, match=r"could not be embedded. See problems\.csv"):
        retriever.search(4, k=3)
    assert 4 not in retriever.search(5, k=61).rows()


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
    with pytest.raises(CollectionError, match=r"embeddings\.npy is not that: it is missing or damaged\. Build small"):
        Retriever(copied, "pixels")


@pytest.mark.parametrize("where", [None, {"modality": ["XR"]}])
@pytest.mark.parametrize("order", ["cosine", "csls"])
def test_hits_among_some_images_are_those_of_a_collection_that_has_no_others(small, where, order) -> None:
    retriever = Retriever(small, "pixels")
    among = np.random.default_rng(0).random(len(small)) < 0.5
    allowed = among & (small.manifest.mask(where) if where else True)
    allowed[7] = False  # the query
    answer = retriever.search(7, k=len(small), where=where, among=among, order=order)
    assert set(answer.rows().tolist()) == set(np.flatnonzero(allowed).tolist())
    if order == "cosine":
        embeddings = directions(small.store("pixels"))
        expected = np.sort(embeddings[allowed] @ embeddings[7])[::-1]
        np.testing.assert_allclose(answer.similarities(), np.clip(expected, -1, 1), atol=1e-6)
    assert not len(retriever.search(7, among=np.zeros(len(small), dtype=bool)))
