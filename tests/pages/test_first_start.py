"""The first start: the demonstration is made in the background, and pages open as soon as they can."""

from __future__ import annotations

import errno
import shutil
import threading
import time

import pytest

from pages.parts.jobs import first_start as starting
from pages.parts.jobs import stages
from radcbir_core.collections.artifacts import BY_NAME
from radcbir_core.collections.collection import open_collection
from radcbir_core.jobs import Status, list_jobs
from radcbir_core.jobs.job import jobs_folder
from radcbir_core.jobs.kinds import record_of
from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration
from radcbir_core.storage import disk_errors, write_json
from radcbir_core.synthetic import demonstration
from radcbir_core.synthetic.demonstration import make_demo
from tests.pages.conftest import wait
from tests.pages.reading import cards, complaints, html, words
from tests.quick_jobs import wait_for
from tests.stand_ins import project_quickly, use_stand_ins

SENTENCE = "CT of the head with hemorrhage"


def button(at, label):
    return next(found for found in at.button if found.label == label)


def test_it_shows_how_far_it_is_and_how_to_import_instead(empty_app):
    at = empty_app()
    assert not complaints(at)
    wait_for(lambda: list_jobs()[0].status().stage == "draw")
    at.run()
    assert "The demonstration collection is being made" in words(at)
    bar = at.get("progress")[0].proto
    assert 10 < bar.value < 40, "of the whole"
    text = bar.text.replace("\\", "")
    assert text.startswith("Draw the images · 600 of 2,400 images · about ")
    assert text.endswith(" left in all")
    assert '<li class="done"><b>✓</b> Check and load the encoder' in html(at)
    assert '<li class="now"><b>●</b> Draw the images' in html(at)
    assert '<li class="later"><b>○</b> Lay out the map' in html(at)
    assert "There is no collection yet. Import your own" in words(at)


@pytest.mark.parametrize("page", ["retrieval", "pathology", "map"])
def test_whichever_page_is_opened_first_begins_it(empty_app, page):
    at = empty_app(page)
    assert not complaints(at)
    assert "is being made" in words(at)
    assert [job.kind for job in list_jobs()] == ["demonstration"]


def test_from_an_empty_folder_to_hits_of_a_sentence(first_start):
    at = first_start("retrieval", text=SENTENCE)
    wait()
    at.run()
    assert not complaints(at)
    assert len(cards(at)) == 10
    assert "text_similarity" in cards(at)[0]
    assert starting.wanted_job() is None
    assert not at.get("progress")
    home = first_start()
    assert "Images</span><b>60</b>" in html(home)
    assert html(home).count("✓ current") == len(BY_NAME)


def test_a_link_that_names_the_collection_and_its_encoder_waits_for_them(first_start, monkeypatch):
    embedding, go_on = threading.Event(), threading.Event()
    real = demonstration.build_collection

    def later(*arguments, **options):
        embedding.set()
        go_on.wait(60)
        return real(*arguments, **options)

    monkeypatch.setattr("radcbir_core.synthetic.demonstration.build_collection", later)
    link = {"collection": "phantoms", "encoder": "radcbir-mini", "text": SENTENCE}
    try:
        first_start()
        assert embedding.wait(60)
        at = first_start("retrieval", **link)
        assert not complaints(at)
        assert "is being made" in words(at)
        home = first_start(collection="phantoms", encoder="radcbir-mini")
        assert not complaints(home)
        assert "Images</span><b>60</b>" in html(home)
        assert "The encoder is being built, see above." in words(home)
    finally:
        go_on.set()
    wait()
    at.run()
    assert not complaints(at)
    assert len(cards(at)) == 10
    assert dict(at.query_params) in (link, {name: [value] for name, value in link.items()})


def test_retrieval_opens_while_the_map_is_being_made_and_the_map_opens_by_itself(first_start, monkeypatch):
    laying_out, go_on = threading.Event(), threading.Event()

    def slowly(store, **options):
        laying_out.set()
        go_on.wait(60)
        return project_quickly(store, **options)

    monkeypatch.setattr("radcbir_core.pipeline.project_store", slowly)
    try:
        first_start()
        assert laying_out.wait(60)
        at = first_start("retrieval", text=SENTENCE)
        assert not complaints(at)
        assert len(cards(at)) == 10
        assert len(at.sidebar.get("progress")) == 1
        assert not complaints(first_start("pathology"))
        at = first_start("map")
        assert not complaints(at)
        assert "This page opens by itself as soon as one step of the build is done: **lay out the map**" in words(at)
        home = first_start()
        assert "○ missing" in html(home)
        assert "is being made" in words(home)
        assert "python -m radcbir_core build" not in words(home)
    finally:
        go_on.set()
    wait()
    at.run()
    assert not complaints(at)
    assert "opens by itself" not in words(at)


def test_what_goes_wrong_is_one_message_with_a_button_and_then_it_goes_on(first_start, monkeypatch, tmp_path):
    def full(**_):
        with disk_errors(tmp_path / "x.npy"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.jobs.kinds.make_demonstration.make_demo", full)
        at = first_start("retrieval")
        wait()
        at.run()
        assert "The demonstration collection could not be made. Expected space left on the disk" in complaints(at)
        assert len(at.error) == 1
        at.run()
        assert len(at.error) == 1, "it is not begun again by itself"
    button(at, "Try again").click()
    at.run()
    wait()
    at.run()
    assert not complaints(at)
    assert len(cards(at)) == 40


@pytest.mark.parametrize(
    ("step", "page"), [("radcbir_core.pipeline.embed", "retrieval"), ("radcbir_core.pipeline.project_store", "map")]
)
def test_what_goes_wrong_half_way_is_said_where_it_is_missed(first_start, monkeypatch, tmp_path, step, page):
    def full(*_, **__):
        with disk_errors(tmp_path / "x.npy"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(step, full)
        first_start()
        wait()
        at = first_start(page)
        assert complaints(at).count("Expected space left on the disk") == 1
        other = first_start("pathology" if page == "map" else "")
        assert complaints(other).count("Expected space left on the disk") == 1
    button(at, "Try again").click()
    at.run()
    wait()
    at.run()
    assert not complaints(at)
    assert not at.get("progress")


def test_damaged_weights_are_named_with_the_way_to_restore_them(first_start, tiny_root, tmp_path, monkeypatch):
    shutil.copytree(tiny_root, tmp_path / "root")
    monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tmp_path / "root")
    (tmp_path / "root/data/encoders/radcbir-mini/open_clip_model.safetensors").unlink()
    at = first_start()
    wait()
    at.run()
    assert "open_clip_model.safetensors is missing" in complaints(at)
    assert "git checkout -- data/encoders/radcbir-mini" in complaints(at)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_nobody_thought_of_is_told_too(first_start, monkeypatch):
    def broken(**_):
        raise ZeroDivisionError("<b>oh</b>")

    monkeypatch.setattr("radcbir_core.jobs.kinds.make_demonstration.make_demo", broken)
    at = first_start()
    wait()
    at.run()
    assert "ZeroDivisionError: <b>oh</b> (more in the server's log)" in complaints(at)


def test_it_can_be_stopped_and_goes_on(first_start, monkeypatch):
    stopping = threading.Event()

    def stopped(*, progress, **_):
        progress("draw", 1, 60)
        stopping.wait(60)
        time.sleep(0.3)  # it looks four times a second
        progress("draw", 2, 60)
        raise AssertionError("it should have been stopped")

    with monkeypatch.context() as patch:
        patch.setattr("radcbir_core.jobs.kinds.make_demonstration.make_demo", stopped)
        at = first_start()
        wait_for(lambda: list_jobs()[0].status().stage == "draw")
        button(at, "Stop").click()
        at.run()
        assert button(at, "Stopping…").disabled
        stopping.set()
        wait()
        at.run()
        assert "was stopped. What is finished stays." in words(at)
    button(at, "Go on").click()
    at.run()
    wait()
    at.run()
    assert "Images</span><b>60</b>" in html(at)


def test_a_second_start_begins_nothing_and_an_unfinished_one_goes_on(first_start):
    make_demo()
    at = first_start("retrieval")
    assert not list_jobs()
    assert len(cards(at)) == 40
    open_collection("phantoms").store("radcbir-mini").projection_path.unlink()
    at = first_start("map")
    wait()
    at.run()
    assert not complaints(at)
    assert open_collection("phantoms").store("radcbir-mini").states()["projection"] == "current"


def test_many_who_open_at_once_share_one_job(first_start):
    found = []
    threads = [threading.Thread(target=lambda: found.append(starting.wanted_job())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait()
    assert len({job.id for job in found if job is not None}) == 1


def test_beside_a_collection_of_ones_own_nothing_is_made_but_the_command_is_offered(app):
    at = app()
    assert starting.wanted_job() is None
    assert "`python -m radcbir_core demo`" in words(at)
    assert not at.get("progress")


def test_beside_a_collection_of_ones_own_one_that_was_begun_is_seen_and_goes_on(
    copied_data, app, tiny_root, monkeypatch
):
    use_stand_ins(monkeypatch, tiny_root)
    monkeypatch.setattr(MakeDemonstration, "runner", "thread")
    record = Status("interrupted", "draw", done=20, total=60, updated=time.time() - 1e6)
    job = jobs_folder() / "20260101-000000-phantoms-abcdef"
    job.mkdir(parents=True)
    write_json(job / "request.json", record_of(MakeDemonstration(images=60)))
    write_json(job / "status.json", record.to_json())
    at = app("retrieval")
    assert not complaints(at)
    assert [job.kind for job in list_jobs()] == ["demonstration"]
    wait()
    assert open_collection("phantoms").store("radcbir-mini").is_current()
    assert starting.wanted_job() is None
    assert not complaints(app())


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_beside_a_collection_of_ones_own_one_that_has_ended_is_left_to_the_list_of_jobs(copied_data, app, state):
    job = jobs_folder() / "20260101-000000-phantoms-abcdef"
    job.mkdir(parents=True)
    write_json(job / "request.json", record_of(MakeDemonstration()))
    write_json(job / "status.json", Status(state, "draw", error="Expected more. Mend it.").to_json())
    assert starting.wanted_job() is None
    at = app("collections")
    said = {"stopped": "Make the demonstration collection] was stopped.", "failed": "Expected more. Mend it."}[state]
    assert said in words(at)
    button(at, "Dismiss").click().run()
    assert not list_jobs()


def test_the_time_of_the_whole_demonstration_falls_and_follows_the_pace():
    told = [
        stages.whole_demonstration(Status(stage=stage, done=done, total=10))
        for stage in demonstration.STAGES
        for done in (0, 5, 10)
    ]
    shares, seconds = zip(*told, strict=True)
    assert list(shares) == sorted(shares)
    assert list(seconds) == sorted(seconds, reverse=True)
    assert (shares[0], shares[-1], seconds[-1]) == (0, 1, 0)
    usual = stages.whole_demonstration(Status(stage="draw", done=600, total=2400))[1]
    slow = stages.whole_demonstration(Status(stage="draw", done=600, total=2400, rate=2400 / 25 / 3))[1]
    assert slow == pytest.approx(3 * usual)
    stuck = stages.whole_demonstration(Status(stage="draw", done=1, total=2400, rate=1e-9))[1]
    assert stuck < 20 * seconds[0]
    assert stages.whole_demonstration(Status())[0] == 0


def test_rates_and_times_left_are_said_in_words():
    line = stages.line(Status(stage="embeddings", done=600, total=2400, rate=50.0))
    assert line == "Compute embeddings and thumbnails · 600 of 2,400 images · 50 images/s · 36 seconds left"
    line = stages.line(Status(stage="projection", done=1, total=2, rate=1.0))
    assert line == "Lay out the map · 1 of 2 epochs · 1 second left"
    assert stages.line(Status(stage="load", done=0, total=1)) == "Check and load the encoder"
    assert stages.line(Status()) == "Begin"
    line = stages.line(Status(stage="embeddings", part="pixels", done=1, total=2, rate=0.5))
    assert line == "pixels: compute embeddings and thumbnails · 1 of 2 images · 0.5 images/s · 2 seconds left"
