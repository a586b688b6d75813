"""The pass that embeds regions of images: what it writes, how it resumes, what fails, what makes it stale."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from radcbir_core import tiling
from radcbir_core.cli import main
from radcbir_core.collections.archive import open_archive, write_archive
from radcbir_core.collections.artifacts import TILES
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, QueryError, StaleError
from radcbir_core.images import DECODING
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection, build_tiles
from radcbir_core.search.queries.composed import ComposedQuery, Part
from radcbir_core.search.queries.query import RowQuery, VectorQuery
from radcbir_core.search.queries.region import region_query
from radcbir_core.search.queries.tile_grid import TILES as BOXES
from radcbir_core.search.retriever import Retriever
from radcbir_core.tiling import bytes_of, check_tiles, delete_tiles, make_tiles


class Killed(BaseException):
    """Stands for a signal: nothing in the code may catch it."""


@pytest.fixture
def collection(tmp_path, small_data, monkeypatch):
    """A copy of the collection ``small`` with its images that a test may change, in small shards."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    record = tmp_path / "data" / "collections" / "small" / "collection.json"
    said = json.loads(record.read_text())
    shutil.copytree(said["image_root"], tmp_path / "images")
    record.write_text(json.dumps(said | {"image_root": str(tmp_path / "images")}))
    monkeypatch.setattr(tiling, "SHARD_IMAGES", 16)
    return open_collection("small")


@pytest.fixture(scope="module")
def pixels():
    return load_encoder("pixels")


def kept(store) -> np.ndarray:
    """``(N, T, D)`` as they lie on disk."""
    array = np.load(store.layout.files(TILES)[0])
    return array.reshape(len(array), len(BOXES), -1)


def test_they_are_what_the_encoder_makes_of_each_part_in_the_order_of_the_manifest(collection, pixels) -> None:
    told: list[tuple[str, int, int]] = []
    report = build_tiles(collection, pixels, progress=lambda *now: told.append(now))
    assert set(report.seconds) == {"tiles"}
    store = collection.store("pixels")
    assert store.states()["tiles"] == "current"
    assert store.facts(TILES) == {
        "boxes": [box.word for box in BOXES],
        "failed": 0,
        "batch_size": pixels.batch_size,
        "decoding": DECODING,
    }
    vectors = kept(store)
    assert vectors.dtype == np.float16
    for row in (0, 17, 60):
        image = collection.read_image(row).pixels
        expected = pixels.encode_images([box.cut(image) for box in BOXES])
        np.testing.assert_allclose(vectors[row], expected, atol=2e-3)
    assert told[0] == ("tiles", 0, 61)
    assert told[-1] == ("tiles", 61, 61)
    assert not store.layout.unfinished(TILES).exists()
    assert build_tiles(collection, pixels).seconds == {}


@pytest.mark.parametrize("stop_at", [1, 17, 40, 61])
def test_stopped_and_started_again_it_ends_with_the_same_bytes(collection, pixels, stop_at, monkeypatch) -> None:
    monkeypatch.setattr(pixels, "batch_size", 7)
    build_tiles(collection, pixels)
    path = collection.store("pixels").layout.files(TILES)[0]
    whole = path.read_bytes()
    assert delete_tiles(collection, "pixels")

    def stop(step: str, done: int, total: int) -> None:
        if done >= stop_at:
            raise Killed

    with pytest.raises(Killed):
        build_tiles(collection, pixels, progress=stop)
    assert "tiles" not in collection.store("pixels").states()
    told: list[int] = []
    build_tiles(open_collection("small"), pixels, progress=lambda step, done, total: told.append(done))
    assert told[0] == (stop_at - 1) // 16 * 16
    assert path.read_bytes() == whole


def test_parts_of_another_encoder_version_are_not_gone_on_with(collection, pixels) -> None:
    def stop(step: str, done: int, total: int) -> None:
        if done > 20:
            raise Killed

    with pytest.raises(Killed):
        build_tiles(collection, pixels, progress=stop)
    note = collection.store("pixels").layout.unfinished(TILES) / "made_of.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | {"fingerprint": "another"}))
    told: list[int] = []
    build_tiles(collection, pixels, progress=lambda step, done, total: told.append(done))
    assert told[0] == 0


def test_an_image_that_cannot_be_read_is_zeros_and_listed_and_never_found(collection, pixels) -> None:
    row = 5
    collection.image_path(row).write_bytes(b"not an image any more")
    build_tiles(collection, pixels)
    store = collection.store("pixels")
    assert store.facts(TILES)["failed"] == 1
    vectors = kept(store)
    assert not vectors[row].any()
    assert vectors[row + 1].any()
    problems = collection.problems()
    listed = problems[problems["source"] == "regions pixels"]
    assert listed["image_id"].tolist() == [collection.manifest.image_id(row)]
    found = Retriever(collection, "pixels").search(0, k=61, regions=True)
    assert row not in found.rows().tolist()
    assert len(found) == 59


def test_where_no_image_can_be_read_nothing_is_made(collection, pixels) -> None:
    for row in range(len(collection)):
        collection.image_path(row).write_bytes(b"")
    with pytest.raises(CollectionError, match="Expected at least one image of which regions can be embedded, but all"):
        build_tiles(collection, pixels)
    assert "tiles" not in collection.store("pixels").states()


def test_a_build_makes_them_only_when_asked_and_then_again_whenever_they_are_not_current(collection, pixels) -> None:
    assert "tiles" not in build_collection(collection, pixels).seconds
    store = collection.store("pixels")
    assert "tiles" not in store.states()
    assert store.is_current(), "what was never asked for is not missed"
    assert not store.is_current(TILES)
    assert "tiles" in build_collection(collection, pixels, tiles=True).seconds
    assert build_collection(collection, pixels).seconds == {}
    path = store.layout.files(TILES)[0]
    whole = path.read_bytes()
    path.unlink()
    assert not collection.store("pixels").is_current()
    assert set(build_collection(collection, pixels).seconds) == {"tiles"}
    path.write_bytes(whole[:-4] + b"\x00\x3c\x00\x3c")
    assert set(build_collection(collection, pixels).seconds) == {"tiles"}
    assert path.read_bytes() == whole
    assert delete_tiles(collection, "pixels")
    assert not delete_tiles(collection, "pixels")
    assert not path.exists()
    assert collection.store("pixels").is_current()
    assert build_collection(collection, pixels).seconds == {}


def test_other_labels_leave_them_and_another_encoder_makes_them_stale(collection, pixels) -> None:
    build_tiles(collection, pixels)
    record = collection.folder / "collection.json"
    said = json.loads(record.read_text())
    relabeled = said | {"digests": {**said["digests"], "labels": dict.fromkeys(said["digests"]["labels"], "0" * 64)}}
    record.write_text(json.dumps(relabeled))
    states = open_collection("small").store("pixels").states()
    assert (states["evaluation"], states["tiles"]) == ("stale", "current")
    record.write_text(json.dumps(said | {"digests": {**said["digests"], "images": "0" * 64}}))
    assert open_collection("small").store("pixels").standings()["tiles"].reason == "the collection has other images now"
    record.write_text(json.dumps(said))
    store = collection.store("pixels")
    store.update(fingerprint="0" * 64)
    assert store.standings()["tiles"].reason == "the encoder is another version now"


def test_after_images_were_added_the_next_build_goes_on_after_those_of_before(
    tmp_path, small_source, pixels, monkeypatch
) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(tiling, "SHARD_IMAGES", 8)
    shutil.copytree(small_source, tmp_path / "source")
    lines = (tmp_path / "source" / "manifest.csv").read_text().splitlines(keepends=True)
    (tmp_path / "source" / "manifest.csv").write_text("".join(lines[:30]))
    first = import_collection([tmp_path / "source"], name="c").collection
    build_collection(first, pixels)
    # One of the first cannot be read for a while: of what is kept it is missing, too.
    gone = first.image_root / first.manifest.record(3)["path"]
    gone.rename(tmp_path / "away")
    assert make_tiles(first.store("pixels"), pixels)["failed"] == 1
    (tmp_path / "away").rename(gone)
    before = len(first)
    (tmp_path / "source" / "manifest.csv").write_text("".join(lines))
    assert main(["import", str(tmp_path / "source"), "--name", "c", "--add"]) == 0
    collection = open_collection("c")
    assert len(collection) > before
    assert collection.store("pixels").standings()["tiles"].reason == "the collection has other images now"
    told: list[int] = []
    build_collection(
        collection, pixels, progress=lambda step, done, total: told.append(done) if step == "tiles" else None
    )
    assert told[0] == before // 8 * 8 > 0
    assert collection.store("pixels").facts(TILES)["failed"] == 1
    path = collection.store("pixels").layout.files(TILES)[0]
    grown = path.read_bytes()
    gone.rename(tmp_path / "away")
    delete_tiles(collection, "pixels")
    build_tiles(collection, pixels)
    assert path.read_bytes() == grown


def test_they_go_into_an_archive_and_come_out_of_it(collection, pixels, tmp_path, monkeypatch) -> None:
    build_tiles(collection, pixels)
    before = Retriever(collection, "pixels").search(3, k=5, regions=True)
    archive = tmp_path / "small.zip"
    write_archive(collection, archive)
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "elsewhere"))
    open_archive(archive, name="small")
    opened = open_collection("small")
    assert opened.store("pixels").states()["tiles"] == "current"
    after = Retriever(opened, "pixels").search(3, k=5, regions=True)
    assert after.table()[["image_id", "region"]].equals(before.table()[["image_id", "region"]])


def test_a_search_among_regions_finds_a_part_where_it_is(collection, pixels) -> None:
    retriever = Retriever(collection, "pixels")
    with pytest.raises(StaleError, match=r"Expected the embedded regions .* were never made"):
        retriever.search(0, regions=True)
    build_tiles(collection, pixels)
    retriever = Retriever(open_collection("small"), "pixels")
    row, tile = 7, 5
    part = BOXES[tile].cut(collection.read_image(row).pixels)
    answer = retriever.search(VectorQuery(pixels.encode_images([part])), k=3, regions=True)
    assert answer.rows()[0] == row
    assert answer.found_boxes()[0] == BOXES[tile]
    assert answer.similarities()[0] > 0.999
    table = answer.table()
    assert table["region"][0] == BOXES[tile].word
    assert "found here: middle" in answer._repr_html_()
    assert retriever.search(0, k=3).regions is None
    assert "region" not in retriever.search(0, k=3).table()


def test_a_region_is_compared_with_regions_and_the_whole_with_whole_images(collection, pixels) -> None:
    build_tiles(collection, pixels)
    retriever = Retriever(open_collection("small"), "pixels", encoder=lambda: pixels)
    image = collection.read_image(0).pixels
    box = BOXES[3]
    weighed = region_query(box, image, RowQuery((0,)), whole=0.5)
    query = ComposedQuery((Part(weighed), Part(RowQuery((4,)), -0.25)))
    embedded = retriever.embed(query)
    answer = retriever.search(embedded, k=61, regions=True)
    tiles = kept(retriever.store).astype(np.float64)
    lengths = np.linalg.norm(tiles, axis=2, keepdims=True)
    tiles /= np.where(lengths > 0, lengths, 1)
    region = pixels.encode_images([box.cut(image)])[0].astype(np.float64)
    part = embedded.of_region[0].astype(np.float64)
    np.testing.assert_allclose(part / np.linalg.norm(part), region / np.linalg.norm(region), atol=1e-5)
    rest = embedded.vectors[0] - part
    scores = (tiles @ part).max(axis=1) + tiles[:, 0] @ rest
    order = [row for row in np.argsort(-scores, kind="stable").tolist() if row not in (0, 4) and tiles[row].any()]
    assert answer.rows().tolist() == order
    np.testing.assert_allclose(answer.similarities(), np.clip(scores[order], -1, 1), atol=1e-5)
    alone = retriever.search(region_query(box, image, RowQuery((0,))), k=61, regions=True)
    by_best = np.argsort(-(tiles @ region).max(axis=1), kind="stable")
    assert alone.rows()[:5].tolist() == [row for row in by_best.tolist() if row != 0][:5]


def test_filters_and_exclusions_hold_for_regions_as_for_images(collection, pixels) -> None:
    build_tiles(collection, pixels)
    retriever = Retriever(open_collection("small"), "pixels")
    manifest = collection.manifest
    where = {"modality": ["CT"]}
    answer = retriever.search(0, k=61, where=where, exclude=["patient"], regions=True)
    everyone = retriever.search(0, k=61, where=where, exclude=["patient"])
    assert set(answer.rows().tolist()) == set(everyone.rows().tolist())
    assert 0 not in answer.rows()
    patients = manifest.groups("patient")
    assert patients[0] not in patients[answer.rows()]
    among = np.zeros(61, dtype=bool)
    among[[3, 4, 50]] = True
    assert set(retriever.search(0, among=among, regions=True).rows().tolist()) == {3, 4, 50}


def test_what_cannot_be_is_refused(collection, pixels, monkeypatch) -> None:
    store = collection.store("pixels")
    monkeypatch.setattr(tiling, "MOST_TILE_BYTES", bytes_of(60, pixels.dimension))
    with pytest.raises(CollectionError, match=r"Expected at most .* GB of regions, .* but those of the 61 images"):
        check_tiles(store)
    with pytest.raises(CollectionError, match="Expected at most"):
        build_collection(collection, pixels, tiles=True)
    monkeypatch.setattr(tiling, "MOST_TILE_BYTES", 8e9)
    store.update(spec="imported:pixels")
    with pytest.raises(CollectionError, match="Expected an encoder that can be given parts of images"):
        check_tiles(store)


def test_another_version_of_the_encoder_makes_none(collection, pixels, monkeypatch) -> None:
    monkeypatch.setattr(pixels, "fingerprint", "0" * 64)
    with pytest.raises(StaleError, match="Expected embeddings made by this version of pixels"):
        make_tiles(collection.store("pixels"), pixels)


def test_a_damaged_record_of_boxes_is_said(collection, pixels) -> None:
    build_tiles(collection, pixels)
    store = collection.store("pixels")
    store.update(tiles={"boxes": ["0,0,1000,1000"], "failed": 0})
    with pytest.raises(CollectionError, match="Expected the boxes of"):
        Retriever(open_collection("small"), "pixels").search(0, regions=True)


def test_other_orders_than_cosine_are_not_for_regions(collection, pixels) -> None:
    build_tiles(collection, pixels)
    with pytest.raises(QueryError, match="Expected regions in the order of cosine, but order = 'csls'"):
        Retriever(open_collection("small"), "pixels").search(0, order="csls", regions=True)
