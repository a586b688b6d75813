"""Figures of sentences: kept, forgotten with what they were measured of, and not believed from strangers."""

from __future__ import annotations

import json
import shutil

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.language.kept_figures import FILE, keep_figure, kept_figure


@pytest.fixture
def store(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return open_collection("small").store("pixels")


def test_figures_are_kept_beside_each_other(store) -> None:
    assert kept_figure(store, "one") is None
    keep_figure(store, "one", [0.1, 0.2])
    keep_figure(store, "two", {"a": 1})
    assert kept_figure(store, "one") == [0.1, 0.2]
    assert kept_figure(open_collection("small").store("pixels"), "two") == {"a": 1}


def test_figures_of_other_embeddings_are_none(store) -> None:
    keep_figure(store, "one", 1)
    store.update(fingerprint="another")
    assert kept_figure(store, "one") is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"form": 1}', '{"form": 1, "of": 3, "figures": [], "seal": null}'])
def test_damage_is_as_if_there_were_none(store, damage) -> None:
    (store.folder / FILE).write_text(damage)
    assert kept_figure(store, "one") is None
    keep_figure(store, "one", 1)
    assert kept_figure(store, "one") == 1


def test_what_was_written_by_others_is_not_believed(store) -> None:
    keep_figure(store, "one", 1)
    record = json.loads((store.folder / FILE).read_text())
    record["figures"]["one"] = 2
    (store.folder / FILE).write_text(json.dumps(record))
    assert kept_figure(store, "one") is None


def test_a_disk_that_refuses_is_let_be(store, monkeypatch) -> None:
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr("radcbir_core.search.language.kept_figures.write_json", refuse)
    keep_figure(store, "one", 1)
    assert kept_figure(store, "one") is None
