"""A phantom collection: the same files whoever draws them, and nothing drawn twice after a stop."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.errors import CollectionError, CollectionExistsError, CollectionNotFoundError, StorageError
from radcbir_core.synthetic import phantom_collection
from radcbir_core.synthetic.phantom_collection import (
    TRUTH_COLUMNS,
    complete_phantoms,
    images_planned,
    make_phantoms,
)
from radcbir_core.synthetic.phantoms.patients import all_labels
from radcbir_core.vocabulary import NORMAL

IMAGES = 50


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def files(collection) -> dict[str, str]:
    root = collection.image_root
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(root.rglob("*.png"))}


class Stopped(Exception):
    """What a test stops the work with."""


def test_stopped_and_moved_and_made_by_other_numbers_of_processes(data, tmp_path) -> None:
    told: list[tuple[str, int, int]] = []
    whole = make_phantoms(images=IMAGES, workers=1, progress=lambda *now: told.append(now))
    assert told[0] == ("draw", 0, IMAGES)
    assert told[-1] == ("draw", IMAGES, IMAGES)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert len(whole) == IMAGES == len(files(whole))
    assert not (whole.folder / phantom_collection.PARTS).exists()

    with pytest.raises(CollectionExistsError):
        make_phantoms(images=IMAGES)

    drawn = 0

    def stop(step: str, done: int, total: int) -> None:
        nonlocal drawn
        drawn = done
        if done >= 20:
            raise Stopped

    with pytest.raises(Stopped):
        make_phantoms(name="again", images=IMAGES, progress=stop)
    assert "again" not in list_collections()
    parts = sorted(collections_folder().glob(f"*again*/{phantom_collection.PARTS}/*.json"))
    assert parts
    before = {part: part.stat().st_mtime_ns for part in parts}
    again = make_phantoms(name="again", images=IMAGES, workers=2)
    assert drawn < IMAGES
    assert before
    assert files(again) == files(whole)
    frame, other = whole.manifest.frame, again.manifest.frame
    assert frame.equals(other)

    # The images lie in the collection's folder, and move with it.
    moved = tmp_path / "elsewhere"
    shutil.move(data, moved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(moved))
        pixels = open_collection("again").read_image(0).pixels
    assert pixels.shape == (224, 224)


def test_the_manifest_holds_the_truth() -> None:
    collection = make_phantoms(images=90, seed=5, labels=11)
    frame = collection.manifest.frame
    assert [column for column in TRUTH_COLUMNS if column in frame] == list(TRUTH_COLUMNS)
    normal = frame["pathologies"].map(lambda names: names == [NORMAL])
    assert frame.loc[normal, "lesion_size_mm"].isna().all()
    assert (frame.loc[~normal, "lesion_size_mm"] > 0).all()
    assert frame.loc[~normal, ["lesion_x", "lesion_y"]].stack().between(0, 1).all()
    assert (frame["caption"].str.len() > 10).all()
    assert frame.groupby("patient_id")["split"].nunique().max() == 1
    sizes = frame.groupby("patient_id").size()
    assert sizes.iloc[:-1].between(2, 5).all()
    labels = collection.manifest.labels("label")
    assert set(labels.values) < set(all_labels())
    assert len(labels.values) == 11
    assert {"train", "test"} <= set(frame["split"])
    recorded = [collection.read_image(row).pixels for row in (0, 1)]
    assert not np.array_equal(*recorded)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(CollectionError, match="at least 1 image and a seed of at least 0, but images = 0, seed = 1"):
        make_phantoms(images=0, seed=1)
    with pytest.raises(CollectionError, match="seed = -1"):
        make_phantoms(images=1, seed=-1)
    assert list_collections() == []


def test_what_the_disk_has_no_room_for_is_refused_before_anything_is_drawn(data, monkeypatch) -> None:
    half_made = data / "collections" / ".unfinished-phantoms+phantoms-1-2400-20"
    half_made.mkdir(parents=True)
    (half_made / "image.png").write_bytes(bytes(5_000))
    with pytest.raises(StorageError, match=r"Expected 3,200,000,000\.0 GB of free space to draw and build 100,000,000"):
        make_phantoms(images=10**14)
    assert list(half_made.iterdir()) == [half_made / "image.png"]
    # What is half-made is room for what is made in its place.
    monkeypatch.setattr("radcbir_core.storage.shutil.disk_usage", lambda _: SimpleNamespace(free=27_000))
    with pytest.raises(StorageError, match="to draw and build 1 phantoms"):
        make_phantoms(name="others", images=1)
    assert len(make_phantoms(images=1)) == 1


def test_a_full_disk_keeps_what_is_finished(monkeypatch) -> None:
    real, written = phantom_collection.atomic_bytes, []

    def full(path: Path, content: bytes, **options: bool) -> None:
        if len(written) >= 45:
            raise StorageError("Expected space left on the disk, but there is none. Free some space.")
        written.append(path)
        real(path, content, **options)

    monkeypatch.setattr(phantom_collection, "atomic_bytes", full)
    with pytest.raises(StorageError, match="space left"):
        make_phantoms(images=IMAGES, workers=1)
    monkeypatch.setattr(phantom_collection, "atomic_bytes", real)
    requests: list[int] = []
    draw = phantom_collection._Helpers.draw
    monkeypatch.setattr(
        phantom_collection._Helpers,
        "draw",
        lambda self, request: (requests.append(request["number"]), draw(self, request))[1],
    )
    assert len(make_phantoms(images=IMAGES, workers=1)) == IMAGES
    assert 0 not in requests


def test_a_drawing_process_that_dies_is_an_error_with_advice(monkeypatch) -> None:
    monkeypatch.setattr(phantom_collection.sys, "executable", "/bin/false")
    with pytest.raises(CollectionError, match="the process that draws them ended with exit code 1"):
        make_phantoms(images=4)


def test_begun_with_a_few_and_completed_it_is_as_if_drawn_at_once(monkeypatch) -> None:
    whole = make_phantoms(name="whole", images=IMAGES, workers=1)
    begun = make_phantoms(name="begun", images=IMAGES, begin_with=8, workers=1)
    assert 16 <= len(begun) <= 40
    assert (images_planned(begun), images_planned(whole)) == (IMAGES, IMAGES)

    told: list[int] = []

    def stop(step: str, done: int, total: int) -> None:
        told.append(done)
        if done > len(begun) + 8:
            raise Stopped

    with pytest.raises(Stopped):
        complete_phantoms("begun", fill=pytest.fail, workers=1, progress=stop)
    assert told[0] == len(begun)
    assert len(open_collection("begun")) == len(begun), "it stays as it was"
    assert open_collection("begun").read_image(0).pixels.shape == (224, 224)

    def fail(_: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        complete_phantoms("begun", fill=fail, workers=1)
    assert images_planned(open_collection("begun")) == IMAGES
    requests: list[int] = []
    draw = phantom_collection._Helpers.draw
    monkeypatch.setattr(
        phantom_collection._Helpers, "draw", lambda self, request: (requests.append(1), draw(self, request))[1]
    )
    filled: list[int] = []
    completed = complete_phantoms("begun", fill=lambda complete: filled.append(len(complete)), workers=1)
    assert not requests, "all were drawn before"
    assert filled == [IMAGES]
    assert files(completed) == files(whole)
    assert completed.manifest.frame.assign(dataset="").equals(whole.manifest.frame.assign(dataset=""))
    assert completed.digests == whole.digests
    differing = {"name", "created", "manifest_digest"}
    left, right = ({k: v for k, v in one.record.items() if k not in differing} for one in (completed, whole))
    left["sources"], right["sources"] = (
        [{**source, "dataset": ""} for source in one] for one in (left["sources"], right["sources"])
    )
    assert left == right
    assert sorted(path.name for path in collections_folder().iterdir() if path.is_dir()) == ["begun", "whole"]
    assert complete_phantoms("begun", fill=pytest.fail).digest == completed.digest


def test_removed_meanwhile_nothing_of_it_is_left() -> None:
    make_phantoms(name="begun", images=IMAGES, begin_with=4, workers=1)
    with pytest.raises(CollectionNotFoundError):
        complete_phantoms("other", fill=pytest.fail)

    def remove(step: str, done: int, total: int) -> None:
        with pytest.raises(CollectionError, match="Expected nobody else to be changing begun"):
            remove_collection("begun")

    complete_phantoms("begun", fill=lambda complete: None, workers=1, progress=remove)
    assert len(open_collection("begun")) == IMAGES
    remove_collection("begun")
    assert not [path for path in collections_folder().iterdir() if path.is_dir()]
