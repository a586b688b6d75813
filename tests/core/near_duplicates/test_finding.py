"""Groups of a whole collection: planted copies, what is kept, stopping, and collections without pictures."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import radcbir_core.near_duplicates.finding as module
from radcbir_core.collections.artifacts import NEAR_DUPLICATES, NEIGHBORS
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.groups import default_exclusions, groups_of
from radcbir_core.embed import embed
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import StaleError
from radcbir_core.evaluation import evaluation_on
from radcbir_core.importers import import_collection
from radcbir_core.near_duplicates.finding import find_near_duplicates
from radcbir_core.search.neighbors.graph import build_neighbors
from radcbir_core.search.opening import build_index
from tests.core.near_duplicates.copies import COPIES, blobs

ORIGINALS = 5


@pytest.fixture(scope="module")
def planted_data(tmp_path_factory):
    """Five pictures, two copies of each of other kinds; an exact copy of the first; an empty picture. Read-only."""
    folder = tmp_path_factory.mktemp("planted")
    source, kinds = folder / "source", iter(COPIES.items())
    source.mkdir()
    rows = []
    for number in range(ORIGINALS):
        for name, make in [("original", lambda pixels: pixels), next(kinds), next(kinds)]:
            path = source / f"{number}-{name.replace(' ', '-').replace('%', '')}.png"
            Image.fromarray(np.ascontiguousarray(make(blobs(number)))).save(path)
            rows.append({"path": path.name, "modality": "CT", "anatomy": "chest", "pathology": "normal"})
    shutil.copy(source / "0-original.png", source / "exact.png")
    Image.new("L", (90, 90), 70).save(source / "flat.png")
    rows += [
        {"path": name, "modality": "CT", "anatomy": "chest", "pathology": "normal"}
        for name in ("exact.png", "flat.png")
    ]
    pd.DataFrame(rows).to_csv(source / "manifest.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        collection = import_collection([source], name="planted").collection
        embed(collection, load_encoder("pixels"))
        store = collection.store("pixels")
        build_index(store)
        store.mark(NEIGHBORS, **build_neighbors(store))
        store.mark(NEAR_DUPLICATES, **find_near_duplicates(store))
    return folder / "data"


@pytest.fixture
def planted(planted_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(planted_data))
    return open_collection("planted").store("pixels")


@pytest.fixture
def own(planted_data, tmp_path, monkeypatch):
    """As ``planted``, to be changed."""
    shutil.copytree(planted_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("planted").store("pixels")


def names_by_group(store) -> set[frozenset[str]]:
    groups = np.asarray(store.near_duplicate_groups)
    paths = store.collection.manifest.column("path")
    return {frozenset(paths[groups == code]) for code in range(groups.max() + 1)}


def test_the_groups_are_those_that_were_planted(planted) -> None:
    paths = [str(path) for path in planted.collection.manifest.column("path")]
    expected = {frozenset(path for path in paths if path.startswith(f"{number}-")) for number in range(1, ORIGINALS)}
    first = frozenset({"exact.png", *(path for path in paths if path.startswith("0-"))})
    assert names_by_group(planted) == {*expected, first}
    facts = planted.facts(NEAR_DUPLICATES)
    assert (facts["confirmed_on"], facts["groups"], facts["images"]) == ("pixels", 5, 16)
    assert facts["compared"] == len(paths) - 1  # of the two files with the same bytes one is looked at
    assert facts["agreeing_across"] == 0


def test_the_same_bytes_are_written_again_and_nothing_else_stays(own) -> None:
    path = own.layout.files(NEAR_DUPLICATES)[0]
    before = path.read_bytes()
    told = []
    find_near_duplicates(own, progress=lambda *step: told.append(step))
    assert path.read_bytes() == before
    assert not own.layout.unfinished(NEAR_DUPLICATES).exists()
    number = len(own.collection)
    assert (told[0], told[-1]) == (("near-duplicates", 0, number), ("near-duplicates", number, number))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_who_stops_it_goes_on_with_the_patches_that_were_made(own, monkeypatch) -> None:
    monkeypatch.setattr(module, "_SHARD", 4)
    before = own.layout.files(NEAR_DUPLICATES)[0].read_bytes()

    def stop(step: str, done: int, total: int) -> None:
        if done > total // 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_near_duplicates(own, progress=stop)
    made = sorted(own.layout.unfinished(NEAR_DUPLICATES).rglob("*.npy"))
    assert 0 < len(made) < 5
    made[0].write_bytes(b"cut short")
    asked: list[int] = []
    read = Collection.thumbnail
    monkeypatch.setattr(Collection, "thumbnail", lambda self, row: asked.append(row) or read(self, row))
    find_near_duplicates(own)
    assert sorted(asked) == [*range(4), *range(4 * len(made), len(own.collection))]
    assert own.layout.files(NEAR_DUPLICATES)[0].read_bytes() == before


def test_without_thumbnails_exact_copies_are_all_that_is_known(own) -> None:
    shutil.rmtree(own.collection.layout.thumbnails)
    store = open_collection("planted").store("pixels")
    facts = find_near_duplicates(store)
    assert (facts["confirmed_on"], facts["compared"], facts["groups"], facts["images"]) == ("files", 0, 1, 2)
    store.mark(NEAR_DUPLICATES, **facts)
    assert names_by_group(open_collection("planted").store("pixels")) == {frozenset({"exact.png", "0-original.png"})}


def test_a_damaged_thumbnail_is_compared_by_its_file_alone(own) -> None:
    shard = next(own.collection.layout.thumbnails.glob("*.bin"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 255
    shard.write_bytes(content)
    facts = find_near_duplicates(open_collection("planted").store("pixels"))
    assert facts["compared"] == len(own.collection) - 2
    assert facts["groups"] == ORIGINALS


def test_they_are_an_exclusion_and_the_default_where_no_patient_is_known(planted) -> None:
    assert default_exclusions(planted) == ("near-duplicate",)
    np.testing.assert_array_equal(groups_of(planted, ["near-duplicate"])[0], planted.near_duplicate_groups)
    evaluation = evaluation_on(planted, "precision")
    assert evaluation.protocol.describe().startswith("leave-one-out, near-duplicate excluded")
    assert evaluation_on(planted, "precision", exclude=["patient"]).protocol.exclude == ("patient",)
    assert evaluation_on(planted, "precision", protocol="split").protocol.exclude == ()
    assert evaluation_on(planted, "space").exclude == "near-duplicate"


def test_where_they_were_not_looked_for_it_is_the_patient_and_asking_says_what_to_do(own) -> None:
    made = {name: record for name, record in own.record["artifacts"].items() if name != NEAR_DUPLICATES.name}
    own.update(artifacts=made)
    store = open_collection("planted").store("pixels")
    assert default_exclusions(store) == ("patient",)
    expected = "near-duplicates of the images that planted has now, but those by pixels are missing: not made yet"
    for ask in (lambda: groups_of(store, ["near-duplicate"]),
                lambda: evaluation_on(store, "precision", exclude=["near-duplicate"]).check(store)):  # fmt: skip
        with pytest.raises(StaleError, match=expected) as error:
            ask()
        assert error.value.remedy == store.rebuild


def test_results_are_kept_by_the_groups_that_they_were_made_with(own) -> None:
    evaluation = evaluation_on(own, "precision")
    before = evaluation.folder(own)
    other = evaluation_on(own, "precision", exclude=["patient"])
    patient = other.folder(own)
    path = own.layout.files(NEAR_DUPLICATES)[0]
    groups = np.load(path)
    groups[groups == 4] = -1
    np.save(path, groups)
    own.mark(NEAR_DUPLICATES)
    assert evaluation.folder(own) != before
    assert other.folder(own) == patient
