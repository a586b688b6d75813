"""Two readers at once, in real browsers: with keys and by clicks, across a reload, to the table for a model."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from dataclasses import replace

import pytest

from pages.parts.reading.hit_strip import label_of_hit
from radcbir_core.collections.collection import open_collection
from radcbir_core.reader_study.reading_course import read_course
from radcbir_core.reader_study.study_making import StudyRequest, make_study
from radcbir_core.search.retriever import Retriever
from tests.browser.conftest import run_server
from tests.browser.test_contrast import TOO_FAINT
from tests.browser.test_retrieve import quiet

pytestmark = pytest.mark.browser
REQUEST = StudyRequest("chest", ("pneumonia", "normal"), 2, title="Chest", practice=0, k=3, exclude=("patient",))
EVERYTHING = """() => {
  const inside = (root) => [...root.querySelectorAll("*")]
    .map((one) => (one.shadowRoot ? one.shadowRoot.innerHTML + inside(one.shadowRoot) : "")).join("")
  return document.documentElement.outerHTML + inside(document)
}"""
"""The document as it stands, components included."""


@pytest.fixture(scope="module")
def study_server(chromium, small_data, tmp_path_factory):
    """The app on a copy of the data with a reader study; and its collection and study."""
    folder = tmp_path_factory.mktemp("reading")
    shutil.copytree(small_data, folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        collection = open_collection("small")
        study = make_study(Retriever(collection, "pixels"), REQUEST, by="me")
        with run_server(["-m", "streamlit"], folder / "data", folder / "log.txt") as address:
            yield address, collection, study


class Heard:
    """All that the server sends a page: by its WebSocket, and by address."""

    def __init__(self, page) -> None:
        self.frames: list[bytes] = []
        page.on("websocket", lambda socket: socket.on("framereceived", self._hear))
        page.on("request", lambda request: self.frames.append(request.url.encode()))

    def _hear(self, frame) -> None:
        self.frames.append(frame if isinstance(frame, bytes) else frame.encode())

    def take(self) -> bytes:
        heard, self.frames = b"\n".join(self.frames), []
        return heard


def begin(page, address: str, reader: str) -> None:
    page.goto(f"{address}/reading?collection=small&study=chest&reader={reader}")
    page.get_by_role("button", name="Begin").click()


def wait_for_case(page, number: int) -> None:
    page.locator(".radcbir-summary b", has_text=f"Case {number} of 2").wait_for()
    page.locator(".pad[data-state=open][data-clock=runs]").wait_for()
    quiet(page)


def test_two_readers_at_once_one_of_whom_loads_the_page_again(study_server, page, chromium, tmp_path):
    address, collection, study = study_server
    manifest = collection.manifest
    other = chromium.new_page(viewport={"width": 1024, "height": 900})
    other.set_default_timeout(30_000)
    heard = Heard(page)
    begin(page, address, "anna")
    wait_for_case(page, 1)
    begin(other, address, "ben")
    steps = read_course(collection, study, "anna").steps
    secret = [case.image_id.encode() for case in study.cases]
    secret += [str(manifest.record(manifest.row_of(case.image_id))["sha256"]).encode() for case in study.cases]
    secret += [one.rsplit(b"/", 1)[-1] for one in secret[: len(study.cases)]]
    for step in steps:
        number = (step.number - 1) % 2 + 1
        if step.number == 3:  # the second reading begins when it is asked for
            for one in (page, other):
                one.get_by_role("button", name="Go on").click()
        for one in (page, other):
            wait_for_case(one, number)
        if step.number == 2:  # in the middle of a case
            page.reload()
            page.get_by_text("You have read 1 of 4.").wait_for()
            assert not page.locator(".pad").count()
            page.get_by_role("button", name="Go on").click()
            wait_for_case(page, number)
        told = heard.take()
        shown = page.evaluate(EVERYTHING)
        assert not [word for word in secret if word in told or word.decode() in shown]
        if step.condition == "without":
            # The right answer is told as often as the other one: among what can be answered.
            counts = Counter({answer: told.count(f'"{answer}"'.encode()) for answer in study.answers})
            assert len(set(counts.values())) == 1
            assert counts["normal"] >= 1
            assert [shown.count(f">{answer}<") for answer in study.answers] == [1, 1]
            assert not page.locator(".hits").count()
        else:
            assert page.locator(".hits b").all_text_contents() == list(map(label_of_hit, study.cases[step.case].hits))
        if step.period == 1:
            assert page.evaluate(TOO_FAINT)[0] == []
            assert page.locator(".pad .submit").is_disabled()
        page.keyboard.press("2")
        page.keyboard.press("4")
        page.keyboard.press("Enter")
        other.locator(".pad .answer").first.click()
        other.locator(".pad .level").nth(4).click()
        other.locator(".pad .submit").click()
    for one in (page, other):
        one.get_by_text("All is read: 4 readings.").wait_for()
    other.close()

    page.goto(f"{address}/review?collection=small&part=studies")
    page.get_by_text("The CSV is for your model").wait_for()
    quiet(page)
    assert page.evaluate(TOO_FAINT)[0] == []
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV (8)").click()
    download.value.save_as(tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["reader"] for row in rows) == {"anna": 4, "ben": 4}
    mine = [row for row in rows if row["reader"] == "anna"]
    assert {(row["answer"], row["confidence"]) for row in mine} == {("normal", "4")}
    assert {(row["answer"], row["confidence"]) for row in rows if row not in mine} == {("pneumonia", "5")}
    assert [row["visits"] for row in mine] == ["1", "2", "1", "1"]
    for row in rows:
        assert 0 < float(row["seconds_looked"]) <= float(row["seconds"]) <= float(row["seconds_since_first"])
        assert row["correct"] == str(int(row["answer"] == row["truth"]))


def test_two_rows_of_hits_fit_a_low_window(study_server, chromium):
    address, collection, _ = study_server
    make_study(Retriever(collection, "pixels"), replace(REQUEST, name="six", k=6), by="me")
    page = chromium.new_page(viewport={"width": 1280, "height": 720})
    page.set_default_timeout(30_000)
    page.goto(f"{address}/reading?collection=small&study=six&reader=dora")
    page.get_by_role("button", name="Begin").click()
    wait_for_case(page, 1)
    if not page.locator(".hits").count():
        for key in ("1", "1", "Enter"):
            page.keyboard.press(key)
        wait_for_case(page, 2)
    cards = [card.bounding_box() for card in page.locator(".hits li").all()]
    assert len(cards) == 6
    assert len({round(card["y"]) for card in cards}) == 2
    assert max(card["y"] + card["height"] for card in cards) <= 720
    page.close()


def test_a_hit_opens_beside_the_case_and_keys_are_then_the_viewers(study_server, page):
    address, collection, study = study_server
    begin(page, address, "carla")
    wait_for_case(page, 1)
    steps = read_course(collection, study, "carla").steps
    for number in range(1, 3):
        if steps[number - 1].condition == "with":
            break
        page.keyboard.press("1")
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        wait_for_case(page, number + 1)
    hit = study.cases[steps[number - 1].case].hits[1]
    page.locator(".hits button").nth(1).click()
    dialog = page.get_by_role("dialog")
    dialog.locator(".viewer[data-state=ready]").wait_for()
    said = dialog.locator("h4").all_text_contents()
    assert said[0].strip() == "The case"
    assert said[1].startswith(f"Hit 2, similarity {hit.similarity:.3f} {label_of_hit(hit)}")
    page.keyboard.press("2")
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    quiet(page)
    assert page.locator(".pad [aria-checked=true]").count() == 0
    page.locator(".st-key-radcbir-case .stage").click()
    page.keyboard.press("2")  # a window, of which this image has none
    assert page.locator(".pad [aria-checked=true]").count() == 0
    page.keyboard.press("Shift+2")
    page.locator(".pad .answer[aria-checked=true]", has_text="normal").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    page.locator(".pad .level[aria-checked=true]", has_text="3").wait_for()
