"""A build: every artifact has its maker, and those that are current are left as they are."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

from radcbir_core.collections.artifacts import ARTIFACT_NAMES, ARTIFACTS, EMBEDDINGS, EVALUATION
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.pipeline import MAKERS, build_collection
from radcbir_core.projection.map_making import laying_out


def test_each_artifact_has_a_maker() -> None:
    assert {EMBEDDINGS.name, *MAKERS} == set(ARTIFACT_NAMES), "embeddings need an encoder, or were imported"


def test_the_evaluation_of_a_build_is_stale_when_its_numbers_change() -> None:
    assert EVALUATION.recipe == Precision.recipe, "raise both: what was made before is shown as stale then"


def test_a_build_waits_for_a_map_that_somebody_lays_out(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    collection, told = open_collection("small"), []
    with ExitStack() as somebody:
        somebody.enter_context(collection.building("pixels", doing=laying_out("wide")))

        def wait(*now) -> None:
            told.append(now)
            somebody.close()

        assert build_collection(collection, load_encoder("pixels"), progress=wait).images == 61
    assert told == [("wait", 0, 1), ("wait", 1, 1)], "all else was current"


def test_parts_that_a_killed_build_left_beside_what_it_had_recorded_go(small_data, tmp_path, monkeypatch) -> None:
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    collection = open_collection("small")
    layout = collection.store("pixels").layout
    folders = [layout.unfinished(artifact) for artifact in ARTIFACTS if artifact.unfinished and not artifact.on_request]
    assert len(folders) >= 2
    for folder in folders:
        folder.mkdir()
        (folder / "000000.npy").write_bytes(b"left behind")
    report = build_collection(collection, load_encoder("pixels"))
    assert report.seconds == {}, "everything is current"
    assert not any(folder.exists() for folder in folders)
