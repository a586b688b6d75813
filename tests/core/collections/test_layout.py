"""Where everything lies."""

from __future__ import annotations

import pytest

from radcbir_core.collections.artifacts import ARTIFACTS
from radcbir_core.collections.layout import Layout, check_name, data_folder, list_collections
from radcbir_core.errors import CollectionError


def test_the_data_folder_can_be_moved(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "elsewhere"))
    assert data_folder() == tmp_path / "elsewhere"
    assert list_collections() == []
    monkeypatch.delenv("RADCBIR_DATA")
    assert data_folder().name == "data"


def test_every_file_has_its_place(tmp_path) -> None:
    layout = Layout(tmp_path / "c")
    for path in (layout.record, layout.manifest, layout.problems, layout.corrections, layout.thumbnails, layout.images):
        assert path.parent == layout.folder
    assert layout.gate.parent == layout.folder.parent, "it stays where the folder is replaced"
    encoder = layout.encoder("e")
    assert encoder.folder == layout.encoders / "e"
    places = [path for artifact in ARTIFACTS for path in encoder.files(artifact)]
    assert len({*places, encoder.record, encoder.lock}) == len(places) + 2
    assert layout.encoder_ids() == []
    for name in ("b", "a", "begun"):
        layout.encoder(name).folder.mkdir(parents=True)
        layout.encoder(name).lock.touch()
    for name in ("b", "a"):
        layout.encoder(name).record.touch()
    assert layout.encoder_ids() == ["a", "b"]
    assert [lock.parent.name for lock in layout.build_locks()] == ["a", "b", "begun"]


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "../up", "a" * 65, "é", "-x"])
def test_names_that_cannot_be_folders_are_refused(name) -> None:
    with pytest.raises(CollectionError, match="Expected a collection name of 1 to 64"):
        check_name(name)
    assert check_name("A-1_b.c") == "A-1_b.c"
