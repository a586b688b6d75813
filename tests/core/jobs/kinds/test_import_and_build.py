"""Imports and builds as jobs: they outlive whoever began them, can be stopped and killed, and go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.artifacts import ARTIFACT_NAMES, EMBEDDINGS, NEIGHBORS
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, CollectionExistsError, CollectionNotFoundError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.jobs import Job, at_work_on, list_jobs, start
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from radcbir_core.jobs.liveness import number_of
from radcbir_core.pipeline import build_collection
from tests import quick_jobs
from tests.quick_jobs import Controls, ended, wait_for
from tests.small_images import draw, write_small_images
from tests.stand_ins import use_quick_map

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.fixture(autouse=True)
def controls(tmp_path, monkeypatch) -> Controls:
    """What holds jobs up."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield quick_jobs.prepare(monkeypatch, tmp_path)
    quick_jobs.end()


@pytest.fixture
def here(monkeypatch) -> dict[str, str]:
    """How a job is begun in this process, where it does not matter in which; it starts none, and imports nothing."""
    use_quick_map(monkeypatch)
    return {"runner": "thread"}


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    write_small_images(folder)
    return folder


def wanted(source: Path, name: str = "mine", **options) -> ImportAndBuild:
    imports = ImportRequest([source], name, title="My images")
    return ImportAndBuild(name, **{"imports": imports, "encoders": ("pixels",), **options})


def at_rest(job: Job) -> bool:
    status = job.status()
    return status.stage == "embeddings" and status.finished == ("import",)


def test_an_import_and_a_build_from_start_to_end(source):
    job = start(wanted(source))
    assert job.is_alive(), "from the first moment on"
    assert at_work_on("mine").id == job.id
    status = ended(job).status()
    assert (status.state, status.counts, status.error) == ("done", {"images": 61, "problems": 2}, "")
    assert status.finished == ("import", "pixels")
    collection = open_collection("mine")
    assert collection.title == "My images"
    assert set(collection.store("pixels").states().values()) == {"current"}
    assert at_work_on("mine") is None
    assert [found.id for found in list_jobs()] == [job.id]
    job.dismiss()
    assert list_jobs() == []
    assert list_collections() == ["mine"]


def test_it_outlives_the_process_that_began_it(source, controls, tmp_path):
    controls.deaf.touch()
    program = (
        "from pathlib import Path\nfrom radcbir_core.jobs import start\n"
        "from radcbir_core.importers import ImportRequest\n"
        "from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild\n"
        f"start(ImportAndBuild('mine', ImportRequest([Path({str(source)!r})], 'mine'), encoders=('pixels',)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    (job,) = list_jobs()
    wait_for(lambda: at_rest(job))
    controls.go_on()
    assert ended(job).status().state == "done"


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_bytes(
    source, controls, monkeypatch, tmp_path, one_thread
):
    controls.deaf.touch()
    job = start(wanted(source))
    wait_for(lambda: at_rest(job))
    os.kill(number_of(job.folder), signal.SIGKILL)
    wait_for(lambda: not job.is_alive())
    status = job.status()
    assert (status.state, status.can_resume, status.counts["images"]) == ("interrupted", True, 61)
    created = open_collection("mine").record["created"]
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done"
    collection = open_collection("mine")
    assert collection.record["created"] == created, "what was imported is not imported again"

    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "other"))
    other = import_as(ImportRequest([source], "mine")).collection
    with pytest.MonkeyPatch.context() as patch:
        from tests.stand_ins import project_quickly

        patch.setattr("radcbir_core.pipeline.project_store", project_quickly)
        build_collection(other, load_encoder("pixels"))
    for artifact in (EMBEDDINGS, NEIGHBORS):
        one, two = (opened.store("pixels").layout.files(artifact)[0].read_bytes() for opened in (collection, other))
        assert one == two, artifact.name
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


def test_stopped_it_keeps_what_is_finished_and_goes_on(source, controls):
    controls.deaf.touch()
    job = start(wanted(source))
    wait_for(lambda: at_rest(job))
    job.stop()
    assert job.status().state == "stopping"
    controls.go_on()
    status = ended(job).status()
    assert (status.state, status.finished) == ("stopped", ("import",))
    assert at_work_on("mine") is None
    job.resume()
    assert not job.stop_path.exists()
    assert ended(job).status().finished == ("import", "pixels")


def test_stopped_during_the_import_nothing_stands(source):
    job = start(wanted(source))
    job.stop()
    assert ended(job).status().state == "stopped"
    assert list_collections() == []
    job.resume()
    assert ended(job).status().state == "done"


def test_what_hears_nothing_can_be_ended_at_once(source, controls):
    controls.deaf.touch()
    job = start(wanted(source))
    wait_for(lambda: at_rest(job))
    job.end()
    wait_for(lambda: not job.is_alive())
    assert job.status().state == "stopped"
    controls.go_on()
    job.resume()
    assert ended(job).status().state == "done"


def test_another_job_on_the_same_collection_is_refused_and_the_same_is_the_same(source, controls):
    controls.deaf.touch()
    job = start(wanted(source))
    assert start(wanted(source)).id == job.id
    for other in (
        wanted(source, encoders=()),
        ImportAndBuild("mine", encoders=("pixels",)),
        MakeDemonstration("mine"),
    ):
        with pytest.raises(CollectionError, match="Expected one job at a time on mine, but another is at it"):
            start(other)
    controls.go_on()
    assert ended(job).status().state == "done"


def test_different_collections_may_be_made_at_once(source, controls):
    controls.deaf.touch()
    jobs = [start(wanted(source, name)) for name in ("one", "two")]
    wait_for(lambda: all(at_rest(job) for job in jobs))
    controls.go_on()
    assert [ended(job).status().state for job in jobs] == ["done", "done"]


def test_a_name_that_is_taken_is_refused_before_anything_begins(source):
    import_as(ImportRequest([source], "mine"))
    with pytest.raises(CollectionExistsError, match="'mine' exists already"):
        start(wanted(source))
    with pytest.raises(CollectionError, match="letters, digits"):
        start(wanted(source, "../mine"))
    with pytest.raises(CollectionNotFoundError, match="'other'"):
        start(ImportAndBuild("other", encoders=("pixels",)))
    assert list_jobs() == []


def test_a_further_encoder_for_a_collection_that_stands(source, here):
    import_as(ImportRequest([source], "mine"))
    status = ended(start(ImportAndBuild("mine", encoders=("pixels",)), **here)).status()
    assert (status.state, status.finished, status.counts["images"]) == ("done", ("pixels",), 61)
    assert set(open_collection("mine").store("pixels").states()) == set(ARTIFACT_NAMES)


def test_what_goes_wrong_is_told_and_what_is_finished_stays(source, here, tmp_path):
    job = ended(start(wanted(tmp_path / "none"), **here))
    assert job.status().state == "failed"
    assert "none does not exist. Check the path." in job.status().error
    job = ended(start(wanted(source, encoders=("local-dir:/nowhere", "pixels")), **here))
    status = job.status()
    assert (status.state, status.finished) == ("failed", ("import", "pixels")), "the other encoder is built"
    assert "/nowhere" in status.error
    assert status.can_resume
    assert len(list_jobs()) == 1, "the second took the place of the first"


def test_what_nobody_thought_of_is_in_the_log(source, controls):
    controls.fail_at("import", "7")
    job = ended(start(wanted(source)))
    assert job.status().error == f"ZeroDivisionError: 7 (more in {job.log_path})"
    wait_for(lambda: "Traceback" in job.log_path.read_text())  # the process writes it as it ends, after its state


def test_embeddings_are_built_with_the_name_they_were_imported_under(here, tmp_path):
    import h5py
    import numpy as np

    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "ds.h5", "w") as file:
        for number in range(30):
            file[f"{number}.png"] = rng.normal(size=8).astype(np.float32)
    lines = [f"{number}.png,CT,chest,{'mass' if number % 2 else 'normal'}" for number in range(30)]
    (tmp_path / "ds.csv").write_text("\n".join(["path,modality,anatomy,pathology", *lines]))
    imports = ImportRequest([tmp_path / "ds.h5", tmp_path / "ds.csv"], "vectors", encoder_id="theirs")
    request = ImportAndBuild("vectors", imports, format_name="embeddings")
    assert ended(start(request, **here)).status().finished == ("import", "theirs")
    assert set(open_collection("vectors").store("theirs").states().values()) == {"current"}
    again = ended(start(request, **here)).status()
    assert (again.state, again.counts["images"]) == ("done", 30), "embeddings may be added to what is there"


def test_an_archive_is_opened_once_and_built_further(source, controls, tmp_path):
    collection = import_as(ImportRequest([source], "first")).collection
    write_archive(collection, tmp_path / "first.zip", images=True)
    controls.deaf.touch()
    job = start(ImportAndBuild("second", encoders=("pixels",), archive=tmp_path / "first.zip"))
    wait_for(lambda: at_rest(job))
    job.end()
    wait_for(lambda: not job.is_alive())
    opened = open_collection("second").record["archive"]
    controls.go_on()
    job.resume()
    status = ended(job).status()
    assert (status.state, status.finished, status.counts["images"]) == ("done", ("import", "pixels"), 61)
    assert open_collection("second").record["archive"] == opened
    with pytest.raises(CollectionExistsError):
        start(ImportAndBuild("second", archive=tmp_path / "first.zip"))


def test_what_is_new_is_added_to_what_is_there(source, here):
    with pytest.raises(CollectionNotFoundError):
        start(wanted(source, imports=ImportRequest([source], "mine", add=True)))
    import_as(ImportRequest([source], "mine"))
    draw(0, 99).save(source / "new.png")
    with (source / "manifest.csv").open("a") as table:
        table.write("new.png,CT,chest,normal,p,train,\n")
    request = wanted(source, imports=ImportRequest([source], "mine", add=True), encoders=())
    status = ended(start(request, **here)).status()
    assert (status.state, status.counts["images"]) == ("done", 62)


def test_going_on_does_not_take_somebody_elses_collection_for_its_own(source, controls):
    controls.deaf.touch()
    job = start(wanted(source))
    wait_for(lambda: at_rest(job))
    job.end()
    wait_for(lambda: not job.is_alive())
    remove_collection("mine")
    import_as(ImportRequest([source], "mine", title="Another"))
    controls.go_on()
    job.resume()
    status = ended(job).status()
    assert (status.state, open_collection("mine").encoder_ids()) == ("failed", [])
    assert "'mine' exists already" in status.error


def test_damaged_records_are_said_and_can_be_dismissed(source, here):
    job = ended(start(wanted(source, encoders=()), **here))
    wait_for(lambda: not job.is_alive())
    for content in ("{", "[]", "{}", '{"state": "dancing"}'):
        job.status_path.write_text(content)
        status = Job(job.folder).status()
        assert status.state == "failed", content
        assert status.error
    (job.folder / "request.json").write_text('{"name": "mine"}')
    (damaged,) = list_jobs()
    assert damaged.name == ""
    assert "Expected a complete record of a job" in damaged.status().error
    damaged.dismiss()
    assert list_jobs() == []


def test_requests_keep_all_they_say(tmp_path):
    imports = ImportRequest(
        [tmp_path / "a"],
        "mine",
        "Title",
        image_root=tmp_path,
        check="bytes",
        modality="CT",
        anatomy="chest",
        mapping={"path": "File"},
        every=3,
        uncertain="positive",
        masks=True,
        leave_out=("*_old.png",),
        suffix=".png",
        encoder_id="theirs",
        add=True,
    )
    request = ImportAndBuild("mine", imports, "csv", ("pixels", "radcbir-mini"), tmp_path / "a.zip")
    record = json.loads(json.dumps(request.to_json()))
    again = ImportAndBuild.from_json(record)
    assert again.to_json() == request.to_json()
    assert imports.salt.hex() not in json.dumps(record)
    assert ImportAndBuild.from_json(ImportAndBuild("mine").to_json()) == ImportAndBuild("mine")
