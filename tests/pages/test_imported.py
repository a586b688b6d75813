"""A collection of imported embeddings: its pages work, with placeholders until its images are found."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from PIL import Image

from radcbir_core.collections.collection import open_collection
from radcbir_core.importers.vectors.embeddings import import_embeddings
from radcbir_core.pipeline import build_imported
from tests.pages.conftest import run_page
from tests.pages.reading import cards, complaints, pictures
from tests.stand_ins import project_quickly
from tests.unified_files import write_unified


@pytest.fixture
def imported(tmp_path, monkeypatch) -> Path:
    """The folder of the source files of the collection ``u``, which is built."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("radcbir_core.pipeline.project_store", project_quickly)
    write_unified(tmp_path, rows=60, dimension=16, seed=0)
    import_embeddings([tmp_path / "u.h5", tmp_path / "u.csv"], name="u", encoder_id="e")
    build_imported(open_collection("u"), "e")
    return tmp_path


def drawn(source: str) -> str:
    kind, _, data = source.partition(";base64,")
    assert kind == "data:image/svg+xml"
    return base64.b64decode(data).decode()


@pytest.mark.parametrize("page", ["", "retrieval", "pathology", "map"])
def test_pages_work_without_images(imported, page) -> None:
    assert not complaints(run_page(page))


def test_placeholders_say_what_the_images_are(imported) -> None:
    at = run_page("retrieval", image="u/p0/0002.png")
    assert not complaints(at)
    record = open_collection("u").manifest.record(2)
    assert record["anatomy"] in drawn(pictures(at)[0]["source"])
    for card in cards(at):
        row = open_collection("u").manifest.record(card["row"])
        for word in (row["modality"], row["anatomy"], *row["pathologies"]):
            assert word.split()[0] in drawn(card["source"])


def test_images_are_found_later(imported) -> None:
    root = imported / "images"
    for path in open_collection("u").manifest.column("path")[:30]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (40, 30), 128).save(root / path)
    before = open_collection("u").store("e").states()
    assert set(before.values()) == {"current"}
    assert not complaints(run_page("retrieval", image="u/p0/0002.png"))
    import_embeddings([imported / "u.h5", imported / "u.csv"], name="u", encoder_id="e", image_root=root)
    assert open_collection("u").store("e").states() == before
    at = run_page("retrieval", image="u/p0/0002.png")
    assert not complaints(at)
    assert pictures(at)[0]["source"].startswith("data:image/png")
    kinds = {(card["row"] < 30, card["source"].partition(";")[0]) for card in cards(at)}
    assert kinds == {(True, "data:image/jpeg"), (False, "data:image/svg+xml")}


def test_an_upload_is_refused_with_the_reason(imported) -> None:
    at = run_page("retrieval")
    at.segmented_control[0].set_value("upload").run()
    Image.new("L", (40, 30), 128).save(imported / "a.png")
    at.file_uploader[0].set_value(("a.png", (imported / "a.png").read_bytes(), "image/png"))
    at.run()
    assert "imported" in " ".join(error.value for error in at.error)
