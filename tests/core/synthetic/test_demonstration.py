"""The demonstration: made once whoever asks, finished after any end, and quiet where it is not wanted."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.artifacts import BY_NAME, EMBEDDINGS
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.errors import CollectionExistsError, EncoderError, StorageError
from radcbir_core.jobs import run_here
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from radcbir_core.search.retriever import Retriever
from radcbir_core.storage import atomic_path
from radcbir_core.synthetic import demonstration, phantom_collection
from radcbir_core.synthetic.demonstration import ENCODER, STAGES, is_wanted, make_demo
from radcbir_core.synthetic.phantom_collection import TITLE
from radcbir_core.synthetic.phantoms.patients import labels_for
from tests.kept_embeddings import kept_embeddings
from tests.stand_ins import make_small_phantoms, use_stand_ins

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def data(tmp_path, tiny_root, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    use_stand_ins(monkeypatch, tiny_root)
    return tmp_path / "data"


def drawn(data: Path) -> list[str]:
    path = data / "drawn.txt"
    return path.read_text().splitlines() if path.exists() else []


def left_behind(data: Path) -> list[str]:
    names = [path.name for path in (data / "collections").rglob("*")]
    return [name for name in names if ".partial" in name or name == "shards" or name.endswith("phantoms.json")]


def stages_of(seen: list[str]) -> list[str]:
    """The stages among what was told, in their order; evaluations say themselves what they are at, and nobody else."""
    stages = [step for step in seen if step in STAGES]
    assert {*seen} - {*stages} <= {*seen[seen.index("evaluation") : seen.index("projection")]}
    return stages


def test_it_is_made_in_order_and_then_left_as_it_is(data) -> None:
    seen: list[str] = []

    def progress(step: str, done: int, total: int) -> None:
        assert 0 <= done <= total
        if step not in seen:
            seen.append(step)

    report = make_demo(progress=progress)
    assert (report.name, report.images) == ("phantoms", 60)
    assert stages_of(seen) == [stage for stage in STAGES if stage != "first"], "few images are drawn at once"
    assert set(report.seconds) == {"draw", *BY_NAME}
    assert open_collection("phantoms").store(ENCODER).states() == dict.fromkeys(BY_NAME, "current")
    assert open_collection("phantoms").store(ENCODER).spec == "radcbir-mini"
    again = make_demo()
    assert (again.images, again.seconds) == (60, {})
    assert make_demo(images=60).seconds == {}
    assert drawn(data) == ["phantoms 60"]
    assert left_behind(data) == []


def test_the_map_is_made_last_but_for_regions() -> None:
    assert STAGES[:5] == ("load", "first", "draw", "embeddings", "index")
    assert STAGES[-2:] == ("projection", "tiles")


@pytest.fixture
def growing(data, tiny_root, monkeypatch) -> Path:
    """Real phantoms, of which a part is drawn first."""
    monkeypatch.setattr(demonstration, "make_phantoms", phantom_collection.make_phantoms)
    for name, value in (("DEFAULT_IMAGES", 24), ("FEWEST_TO_BEGIN_WITH", 20), ("FIRST_PATIENTS", 4)):
        monkeypatch.setattr(demonstration, name, value)
    return data


def test_there_is_something_to_search_while_the_rest_is_drawn(growing) -> None:
    seen: list[str] = []
    first = 0

    def progress(step: str, done: int, total: int) -> None:
        nonlocal first
        assert 0 <= done <= total
        if step == "first":
            first = total
        if step == "draw" and "draw" not in seen:
            collection = open_collection("phantoms")
            assert (len(collection), done, total) == (first, first, 24)
            assert collection.store(ENCODER).is_current(EMBEDDINGS)
            assert len(Retriever(collection, ENCODER).search(0, k=3)) == 3
            assert is_wanted()
        if step not in seen:
            seen.append(step)

    report = make_demo(progress=progress)
    assert stages_of(seen) == list(STAGES)
    assert set(report.seconds) == set(STAGES) - {"load"}
    collection = open_collection("phantoms")
    assert len(collection) == report.images == 24
    assert collection.store(ENCODER).states() == dict.fromkeys(BY_NAME, "current")
    assert not is_wanted()
    at_once = phantom_collection.make_phantoms(name="once", images=24, labels=labels_for(24))
    assert at_once.digests == collection.digests
    make_demo(name="once", images=24)
    both = [kept_embeddings(one.store(ENCODER)) for one in (collection, open_collection("once"))]
    np.testing.assert_array_equal(*both)


@pytest.mark.parametrize(("stage", "call"), [("first", 1), ("first", -1), ("draw", 2), ("embeddings", 1), ("index", 1)])
def test_stopped_anywhere_it_goes_on(growing, stage, call) -> None:
    calls = 0

    def stop(step: str, done: int, total: int) -> None:
        nonlocal calls
        calls += step == stage
        if step == stage and (calls == call or (call < 0 and done == total)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(progress=stop)
    assert is_wanted() or list_collections() == []
    with pytest.raises(
        CollectionExistsError, match="Expected 30 phantoms in phantoms, but it is there already with 24"
    ):
        make_demo(images=30) if list_collections() else make_again(growing)
    assert make_demo().images == 24
    assert left_behind(growing) == []
    folders = sorted(path.name for path in (growing / "collections").iterdir() if path.is_dir())
    assert folders == ["phantoms"]


def make_again(data: Path) -> None:
    """Where it has no name yet, it is another one that is asked for."""
    make_demo(images=24)
    make_demo(images=30)


def test_the_size_and_the_name_can_be_chosen(data) -> None:
    assert make_demo(name="more", images=9).images == 9
    assert list_collections() == ["more"]
    with pytest.raises(CollectionExistsError, match="Expected 12 phantoms in more, but it is there already with 9"):
        make_demo(name="more", images=12)


def test_two_threads_make_it_once_and_the_second_sees_the_progress(data, monkeypatch) -> None:
    drawing, go_on = threading.Event(), threading.Event()

    def wait_half_way(*, progress, **options):
        progress("draw", 0, 60)
        drawing.set()
        assert go_on.wait(30)
        return make_small_phantoms(progress=progress, **options)

    monkeypatch.setattr("radcbir_core.synthetic.demonstration.make_phantoms", wait_half_way)
    reports, seen = {}, []

    def second(step: str, done: int, total: int) -> None:
        seen.append((step, done, total))
        if (step, done) == ("draw", 0):
            go_on.set()

    threads = [threading.Thread(target=lambda: reports.update(first=run_here(MakeDemonstration())))]
    threads[0].start()
    assert drawing.wait(30)
    threads.append(
        threading.Thread(target=lambda: reports.update(second=run_here(MakeDemonstration(), progress=second)))
    )
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert ("draw", 0, 60) in seen
    assert "draw" in reports["first"].seconds
    assert reports["second"].seconds == {}
    assert reports["second"].images == 60
    assert drawn(data) == ["phantoms 60"]


def process(data: Path, tiny_root: Path, *, slow: float = 0.0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stand_ins", str(tiny_root), str(slow)],
        cwd=REPOSITORY,
        env={**os.environ, "RADCBIR_DATA": str(data)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_make_it_once(data, tiny_root) -> None:
    both = [process(data, tiny_root) for _ in range(2)]
    answers = []
    for one in both:
        out, err = one.communicate(timeout=120)
        assert one.returncode == 0, err
        answers.append(json.loads(out))
    assert sorted(len(answer) for answer in answers) == [0, len(BY_NAME) + 1]
    assert drawn(data) == ["phantoms 60"]
    assert left_behind(data) == []


def test_killed_it_goes_on(data, tiny_root) -> None:
    embeddings = data / "collections/phantoms/encoders/radcbir-mini/embeddings.npy"
    killed = process(data, tiny_root, slow=0.05)
    deadline = time.monotonic() + 60
    while not embeddings.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert embeddings.exists()
    embedded = embeddings.with_name("encoder.json").exists()
    assert is_wanted()
    report = make_demo()
    assert report.images == 60
    assert ("embeddings" in report.seconds) == (not embedded)
    assert open_collection("phantoms").store(ENCODER).states() == dict.fromkeys(BY_NAME, "current")
    assert left_behind(data) == []
    assert not is_wanted()


def test_damaged_weights_are_named_before_anything_is_drawn(data, tiny_root, tmp_path, monkeypatch) -> None:
    shutil.copytree(tiny_root, tmp_path / "root")
    monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tmp_path / "root")
    weights = tmp_path / "root/data/encoders/radcbir-mini/open_clip_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    with pytest.raises(EncoderError, match=r"truncated or altered.*git checkout -- data/encoders/radcbir-mini"):
        make_demo()
    assert drawn(data) == []
    weights.write_bytes(whole)
    assert make_demo().images == 60


def test_a_full_disk_is_one_error_and_the_next_time_it_goes_on(data, monkeypatch) -> None:
    import radcbir_core.embed as embedding

    def full(path, *_, **__) -> None:
        with atomic_path(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(embedding, "write_array", full)
        with pytest.raises(StorageError, match="Expected space left on the disk, but there is none"):
            make_demo()
    assert "draw" not in make_demo().seconds
    assert drawn(data) == ["phantoms 60"]


def test_a_read_only_data_folder_is_one_error(data, monkeypatch) -> None:
    def refuse(path: Path, *_, **__) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(StorageError, match=r"it is read-only\. Make it writable, or use another folder"):
        run_here(MakeDemonstration())


def test_progress_can_stop_it_and_it_goes_on(data) -> None:
    def stop(step: str, done: int, total: int) -> None:
        if step == "embeddings":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_demo(progress=stop)
    report = make_demo()
    assert "draw" not in report.seconds
    assert set(report.seconds) == set(BY_NAME)


def test_it_is_wanted_on_an_empty_folder_and_until_it_is_finished(data) -> None:
    assert is_wanted()
    make_small_phantoms(name="phantoms")
    assert is_wanted()
    make_demo()
    assert not is_wanted()
    (collections_folder() / "phantoms/encoders/radcbir-mini/projection.parquet").unlink()
    assert is_wanted()
    remove_collection("phantoms")
    assert is_wanted()


def test_it_is_not_wanted_beside_collections_of_ones_own(data) -> None:
    make_small_phantoms(name="mine")
    assert not is_wanted()
    make_small_phantoms(name="phantoms")
    assert is_wanted(), "begun and unfinished"
    remove_collection("phantoms")
    record = collections_folder() / "mine" / "collection.json"
    record.write_text(record.read_text().replace(TITLE, "My own"))
    (collections_folder() / "mine").rename(collections_folder() / "phantoms")
    assert not is_wanted(), "somebody's own collection that only shares the name"


def test_the_command(data, capsys) -> None:
    assert main(["demo", "--phantoms", "12"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "Made phantoms with radcbir-mini: 12 images."
    assert "streamlit run app.py" in out
    assert main(["demo"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Everything was there already: phantoms with radcbir-mini: 12 images."
    )
    assert main(["query", "phantoms", "--text", "CT of the head with hemorrhage", "-k", "3"]) == 0
    assert "3 hits, exact search." in capsys.readouterr().out
    for arguments, message in (
        (["--phantoms", "13"], "but it is there already with 12"),
        (["--phantoms", "0"], "--phantoms"),
        (["--name", "../x"], "Expected a collection name of 1 to 64 letters"),
    ):
        assert main(["demo", *arguments]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert len(err.strip().splitlines()) == 1


def test_the_default_is_what_the_app_makes() -> None:
    assert (demonstration.NAME, demonstration.ENCODER, demonstration.DEFAULT_IMAGES) == (
        "phantoms",
        "radcbir-mini",
        2400,
    )
