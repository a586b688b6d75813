"""Work in processes of its own: it outlives whoever began it, can be stopped and killed, and goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radcbir_core.build import build
from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, CollectionExistsError, CollectionNotFoundError, StorageError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.jobs import Status, Work, WorkRequest, list_work, pieces, running, start, work_on
from tests import quick_work
from tests.quick_work import ended, wait_for
from tests.small_images import draw, write_small_images

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def rest(tmp_path, monkeypatch):
    """The file that makes the encoder rest while it is there."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield quick_work.prepare(monkeypatch, tmp_path)
    quick_work.end()


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    write_small_images(folder)
    return folder


def wanted(source: Path, name: str = "mine", **options) -> WorkRequest:
    imports = ImportRequest([source], name, title="My images")
    return WorkRequest(name, **{"imports": imports, "encoders": ("pixels",), **options})


def at_rest(work: Work) -> bool:
    status = work.status()
    return status.stage == "embeddings" and status.finished == ("import",)


def test_an_import_and_a_build_from_start_to_end(source):
    work = start(wanted(source))
    assert work.is_alive(), "from the first moment on"
    assert work_on("mine").id == work.id
    status = ended(work).status()
    assert (status.state, status.images, status.problems, status.error) == ("done", 61, 2, "")
    assert status.finished == ("import", "pixels")
    collection = open_collection("mine")
    assert collection.title == "My images"
    assert set(collection.store("pixels").states().values()) == {"current"}
    assert work_on("mine") is None
    assert [found.id for found in list_work()] == [work.id]
    work.dismiss()
    assert list_work() == []
    assert list_collections() == ["mine"]


def test_it_outlives_the_process_that_began_it(source, rest, tmp_path):
    rest.touch()
    program = (
        "from pathlib import Path; from radcbir_core.jobs import *; from radcbir_core.importers import ImportRequest\n"
        f"start(WorkRequest('mine', ImportRequest([Path({str(source)!r})], 'mine'), encoders=('pixels',)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    (work,) = list_work()
    wait_for(lambda: at_rest(work))
    number = int(work.lock_path.read_text())
    assert os.getsid(number) == number, "what ends the terminal or the server does not end it"
    rest.unlink()
    assert ended(work).status().state == "done"


def test_killed_in_the_middle_it_goes_on_and_ends_with_the_same_bytes(source, rest, monkeypatch, tmp_path, one_thread):
    rest.touch()
    work = start(wanted(source))
    wait_for(lambda: at_rest(work))
    os.kill(int(work.lock_path.read_text()), signal.SIGKILL)
    wait_for(lambda: not work.is_alive())
    status = work.status()
    assert (status.state, status.can_go_on, status.images) == ("interrupted", True, 61)
    created = open_collection("mine").record["created"]
    rest.unlink()
    work.go_on()
    assert ended(work).status().state == "done"
    collection = open_collection("mine")
    assert collection.record["created"] == created, "what was imported is not imported again"

    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "other"))
    other = import_as(ImportRequest([source], "mine")).collection
    with pytest.MonkeyPatch.context() as patch:
        from tests.stand_ins import project_quickly

        patch.setattr("radcbir_core.build.project_store", project_quickly)
        build(other, load_encoder("pixels"))
    for name in ("embeddings_path", "neighbor_ids_path"):
        one, two = (getattr(opened.store("pixels"), name).read_bytes() for opened in (collection, other))
        assert one == two, name
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


def test_stopped_it_keeps_what_is_finished_and_goes_on(source, rest):
    rest.touch()
    work = start(wanted(source))
    wait_for(lambda: at_rest(work))
    work.stop()
    assert work.status().state == "stopping"
    rest.unlink()
    status = ended(work).status()
    assert (status.state, status.finished) == ("stopped", ("import",))
    assert work_on("mine") is None
    work.go_on()
    assert not work.stop_path.exists()
    assert ended(work).status().finished == ("import", "pixels")


def test_stopped_during_the_import_nothing_stands(source):
    work = start(wanted(source))
    work.stop()
    assert ended(work).status().state == "stopped"
    assert list_collections() == []
    work.go_on()
    assert ended(work).status().state == "done"


def test_what_hears_nothing_can_be_ended_at_once(source, rest):
    rest.touch()
    work = start(wanted(source))
    wait_for(lambda: at_rest(work))
    work.end()
    wait_for(lambda: not work.is_alive())
    assert work.status().state == "stopped"
    rest.unlink()
    work.go_on()
    assert ended(work).status().state == "done"


def test_a_polite_signal_stops_it_too(source, rest):
    rest.touch()
    work = start(wanted(source))
    wait_for(lambda: at_rest(work))
    os.kill(int(work.lock_path.read_text()), signal.SIGTERM)
    rest.unlink()
    assert ended(work).status().state == "stopped"


def test_of_two_that_start_at_once_one_begins(source, rest):
    rest.touch()

    def attempt(_):
        try:
            return start(wanted(source))
        except CollectionError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(attempt, range(4)))
    begun = [result for result in results if isinstance(result, Work)]
    refused = [result for result in results if isinstance(result, str)]
    assert (len(begun), len(refused)) == (1, 3)
    for message in refused:
        assert message.startswith("Expected one piece of work at a time on mine, but another is at it.")
    with pytest.raises(CollectionError, match="one piece of work at a time on mine"):
        begun[0].go_on()
    with pytest.raises(CollectionError, match=r"but mine is at work\. Stop it first\."):
        begun[0].dismiss()
    rest.unlink()
    assert ended(begun[0]).status().state == "done"


def test_different_collections_may_be_made_at_once(source, rest):
    rest.touch()
    works = [start(wanted(source, name)) for name in ("one", "two")]
    wait_for(lambda: all(at_rest(work) for work in works))
    rest.unlink()
    assert [ended(work).status().state for work in works] == ["done", "done"]


def test_a_name_that_is_taken_is_refused_before_anything_begins(source):
    import_as(ImportRequest([source], "mine"))
    with pytest.raises(CollectionExistsError, match="'mine' exists already"):
        start(wanted(source))
    with pytest.raises(CollectionError, match="letters, digits"):
        start(wanted(source, "../mine"))
    with pytest.raises(CollectionNotFoundError, match="'other'"):
        start(WorkRequest("other", encoders=("pixels",)))
    assert list_work() == []


def test_a_further_encoder_for_a_collection_that_stands(source):
    import_as(ImportRequest([source], "mine"))
    status = ended(start(WorkRequest("mine", encoders=("pixels",)))).status()
    assert (status.state, status.finished, status.images) == ("done", ("pixels",), 61)
    assert set(open_collection("mine").store("pixels").states()) == set(ARTIFACT_NAMES)


def test_what_goes_wrong_is_told_and_what_is_finished_stays(source, tmp_path):
    work = ended(start(wanted(tmp_path / "none")))
    assert work.status().state == "failed"
    assert "none does not exist. Check the path." in work.status().error
    work = ended(start(wanted(source, encoders=("local-dir:/nowhere", "pixels"))))
    status = work.status()
    assert (status.state, status.finished) == ("failed", ("import", "pixels")), "the other encoder is built"
    assert "/nowhere" in status.error
    assert status.can_go_on
    assert len(list_work()) == 1, "the second took the place of the first"


def test_what_nobody_thought_of_is_in_the_log(source):
    work = start(wanted(source))
    work.end()
    wait_for(lambda: not work.is_alive())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "import_as", lambda *_, **__: 1 / 0)
        patch.setattr(running.signal, "signal", lambda *_: None)
        patch.setattr(running.os, "nice", lambda _: None)
        status = running.run(work)
    assert status.error == f"ZeroDivisionError: division by zero (more in {work.log_path})"
    assert work.status() == status


def test_embeddings_are_built_with_the_name_they_were_imported_under(tmp_path):
    import h5py
    import numpy as np

    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "ds.h5", "w") as file:
        for number in range(30):
            file[f"{number}.png"] = rng.normal(size=8).astype(np.float32)
    lines = [f"{number}.png,CT,chest,{'mass' if number % 2 else 'normal'}" for number in range(30)]
    (tmp_path / "ds.csv").write_text("\n".join(["path,modality,anatomy,pathology", *lines]))
    imports = ImportRequest([tmp_path / "ds.h5", tmp_path / "ds.csv"], "vectors", encoder_id="theirs")
    request = WorkRequest("vectors", imports, format_name="embeddings")
    assert ended(start(request)).status().finished == ("import", "theirs")
    assert set(open_collection("vectors").store("theirs").states().values()) == {"current"}
    again = ended(start(request)).status()
    assert (again.state, again.images) == ("done", 30), "embeddings may be added to what is there"


def test_an_archive_is_opened_once_and_built_further(source, rest, tmp_path):
    collection = import_as(ImportRequest([source], "first")).collection
    write_archive(collection, tmp_path / "first.zip", images=True)
    rest.touch()
    work = start(WorkRequest("second", encoders=("pixels",), archive=tmp_path / "first.zip"))
    wait_for(lambda: at_rest(work))
    work.end()
    wait_for(lambda: not work.is_alive())
    opened = open_collection("second").record["archive"]
    rest.unlink()
    work.go_on()
    status = ended(work).status()
    assert (status.state, status.finished, status.images) == ("done", ("import", "pixels"), 61)
    assert open_collection("second").record["archive"] == opened
    with pytest.raises(CollectionExistsError):
        start(WorkRequest("second", archive=tmp_path / "first.zip"))


def test_what_is_new_is_added_to_what_is_there(source):
    with pytest.raises(CollectionNotFoundError):
        start(wanted(source, imports=ImportRequest([source], "mine", add=True)))
    import_as(ImportRequest([source], "mine"))
    draw(0, 99).save(source / "new.png")
    with (source / "manifest.csv").open("a") as table:
        table.write("new.png,CT,chest,normal,p,train,\n")
    status = ended(start(wanted(source, imports=ImportRequest([source], "mine", add=True), encoders=()))).status()
    assert (status.state, status.images) == ("done", 62)


def test_going_on_does_not_take_somebody_elses_collection_for_its_own(source, rest):
    rest.touch()
    work = start(wanted(source))
    wait_for(lambda: at_rest(work))
    work.end()
    wait_for(lambda: not work.is_alive())
    remove_collection("mine")
    import_as(ImportRequest([source], "mine", title="Another"))
    rest.unlink()
    work.go_on()
    status = ended(work).status()
    assert (status.state, open_collection("mine").encoder_ids()) == ("failed", [])
    assert "'mine' exists already" in status.error


def test_damaged_records_are_said_and_can_be_dismissed(source):
    work = ended(start(wanted(source)))
    for content in ("{", "[]", "{}", '{"state": "dancing"}'):
        work.status_path.write_text(content)
        status = Work(work.folder).status()
        assert status.state == "failed", content
        assert status.error
    (work.folder / "request.json").write_text('{"name": "mine"}')
    (found,) = list_work()
    assert found.name == ""
    assert "Expected a complete record of a piece of work" in found.status().error
    found.dismiss()
    assert list_work() == []


def test_a_folder_that_cannot_be_written_is_said(source, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "file" / "data"))
    with pytest.raises(StorageError, match="Set RADCBIR_DATA to a folder"):
        start(wanted(source))
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


def test_a_start_that_fails_leaves_nothing(source, monkeypatch):
    def broken(*_, **__):
        raise OSError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr(pieces.subprocess, "Popen", broken)
        with pytest.raises(OSError, match="no more processes"):
            start(wanted(source))
    assert list_work() == []


def test_the_status_is_written_seldom_and_the_rate_is_of_this_run(source, monkeypatch):
    work = start(wanted(source))
    work.end()
    wait_for(lambda: not work.is_alive())
    clock = [100.0]
    monkeypatch.setattr(running.time, "monotonic", lambda: clock[0])
    written = []
    monkeypatch.setattr(running, "write_json", lambda path, record: written.append(record))
    work.stop_path.unlink()
    teller = running.Teller(work, Status())
    for step in range(101):
        clock[0] += 0.02
        teller("embeddings", 1000 + step, 2000)
    assert 4 <= len(written) <= 6
    assert teller.status.rate == pytest.approx(50)
    assert teller.status.seconds_left == pytest.approx((2000 - 1100) / 50)
    teller("index", 0, 2000)
    assert written[-1]["stage"] == "index"
    assert teller.status.rate == 0
    work.stop()
    clock[0] += 1
    with pytest.raises(running.Stopped):
        teller("index", 1, 2000)


def test_the_command_refuses_what_is_no_work_or_at_work(source, rest):
    def command(*words):
        return subprocess.run(
            [sys.executable, "-m", "radcbir_core.jobs", *words],
            capture_output=True,
            text=True,
            cwd=REPOSITORY,
            check=False,
        )

    for words in ((), ("../../etc",), ("none",)):
        done = command(*words)
        assert done.returncode == 2
        assert "Error: Expected the id of a piece of work" in done.stderr
    rest.touch()
    work = start(wanted(source))
    done = command(work.id)
    assert done.returncode == 2
    assert "Expected nobody at work on mine, but a process is." in done.stderr


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
        encoder_id="theirs",
        add=True,
    )
    request = WorkRequest("mine", imports, "csv", ("pixels", "radcbir-mini"), tmp_path / "a.zip")
    record = json.loads(json.dumps(request.to_json()))
    again = WorkRequest.from_json(record)
    assert again.to_json() == request.to_json()
    assert imports.salt.hex() not in json.dumps(record)
    assert WorkRequest.from_json(WorkRequest("mine").to_json()) == WorkRequest("mine")
