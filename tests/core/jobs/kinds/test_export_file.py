"""Exports as jobs: the file is whole or not there, and what a killed one left is removed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.export import export_manifest
from radcbir_core.errors import CollectionError, CollectionNotFoundError
from radcbir_core.jobs import list_jobs, start
from radcbir_core.jobs.kinds.export_file import ExportFile, exports_folder
from tests import quick_jobs
from tests.quick_jobs import Controls, ended


@pytest.fixture(autouse=True)
def controls(tmp_path, small_data, monkeypatch) -> Controls:
    """What holds jobs up; the collection ``small`` is there."""
    shutil.copytree(small_data, tmp_path / "data")
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    yield quick_jobs.prepare(monkeypatch, tmp_path, builds=False)
    quick_jobs.end()


@pytest.mark.parametrize(
    "request_",
    [
        ExportFile("small", "manifest", ".csv"),
        ExportFile("small", "embeddings", ".parquet", encoder_id="pixels"),
        ExportFile("small", "archive", ".zip", with_images=True),
    ],
    ids=lambda one: one.file,
)
def test_the_file_that_is_written_is_the_one_that_the_core_writes(request_, tmp_path):
    job = ended(start(request_, runner="thread"))  # where it runs decides nothing of what is written
    assert (job.status().state, job.status().error) == ("done", "")
    assert (job.kind, job.place) == ("export", f"export/{request_.file}")
    assert [path.name for path in exports_folder().iterdir()] == [request_.file]
    assert exports_folder() == tmp_path / "data" / "exports"
    request_.write(tmp_path / request_.file)
    if request_.form != "archive":  # which says when it was made
        assert (exports_folder() / request_.file).read_bytes() == (tmp_path / request_.file).read_bytes()


def test_stopped_it_leaves_nothing_and_gone_on_with_it_is_whole(controls, tmp_path):
    controls.rest_at("export")
    job = start(ExportFile("small", "manifest", ".csv"))
    quick_jobs.wait_for(lambda: job.status().stage == "export")
    other = start(ExportFile("small", "archive", ".zip"))
    assert ended(other).status().state == "done", "another file is another place"
    job.stop()
    assert ended(job).status().state == "stopped"
    assert [path.name for path in exports_folder().iterdir()] == ["small.zip"]
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done"
    export_manifest(open_collection("small"), tmp_path / "m.csv")
    assert (exports_folder() / "small-manifest.csv").read_bytes() == (tmp_path / "m.csv").read_bytes()


def test_killed_it_leaves_half_a_file_which_the_next_one_removes(controls):
    controls.rest_at("export")
    job = start(ExportFile("small", "manifest", ".csv"))
    quick_jobs.wait_for(lambda: job.status().stage == "export")
    half: Path = exports_folder() / ".partial-1-small-manifest.csv"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"half")
    others = half.with_name(".partial-1-other-manifest.csv")
    others.write_bytes(b"somebody else's")
    job.end()
    quick_jobs.wait_for(lambda: not job.is_alive())
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done"
    assert sorted(path.name for path in exports_folder().iterdir()) == [others.name, "small-manifest.csv"]


def test_what_is_not_there_is_refused_before_anything_begins():
    with pytest.raises(CollectionNotFoundError):
        start(ExportFile("gone", "manifest", ".csv"))
    with pytest.raises(CollectionError, match="gone"):
        start(ExportFile("small", "embeddings", ".npy", encoder_id="gone"))
    assert list_jobs() == []
    with pytest.raises(CollectionError, match="a form among manifest, embeddings, archive"):
        ExportFile.from_json({"name": "small", "form": "poem", "suffix": ".txt"})
