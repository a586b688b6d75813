"""What a person does with volumes and pictures from a scanner: series, chances, text in pixels, and a server."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from radcbir_core.burned_text.text_detector import is_installed
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.evaluation.reports.calibration import Calibration
from radcbir_core.evaluation.similarity_readings import chance_said, read_hits
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.pipeline import build_collection
from radcbir_core.search.narrowing import one_each
from radcbir_core.search.queries.query import RowQuery
from radcbir_core.search.retriever import Retriever
from radcbir_core.search.series.series_search import search_series
from tests import quick_jobs
from tests.browser.conftest import run_server
from tests.browser.test_retrieve import quiet
from tests.core.burned_text.stand_in import written
from tests.core.images.dicom_files import SECRET, dicom_bytes
from tests.dicom_servers import CREDENTIALS, a_few_studies, orthanc, store
from tests.stand_ins import use_quick_map

pytestmark = pytest.mark.browser

PATIENTS = 64
SLICES = 3
TOLD, SEEN = 2, (1, 4)
"""Of the pictures: the one whose header says that it has text, and those that have some."""


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """A data folder: ``scans``, volumes of a series each, enough for chances; ``pictures``, two of which have text."""
    folder = tmp_path_factory.mktemp("scans")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(folder / "data"))
        use_quick_map(patch)
        for write in (_volumes, _pictures):
            source = folder / write.__name__.strip("_")
            source.mkdir()
            write(source)
            name = {"volumes": "scans"}.get(source.name, source.name)
            build_collection(import_as(ImportRequest([source], name)).collection, load_encoder("pixels"))
    return folder


def _volumes(folder: Path) -> None:
    from tests.core.images.nifti_files import nifti_bytes

    random = np.random.default_rng(0)
    looks = random.normal(0, 1, (4, 12, 12, 1))
    rows = [["path", "patient_id", "modality", "anatomy", "pathology"]]
    for patient in range(PATIENTS):
        kind = patient % 4
        # Of some patients it can be seen which of the two they have, of others not.
        values = 100 * (looks[kind] + random.uniform(0, 1) * looks[kind ^ 1] + random.normal(0, 1, (12, 12, SLICES)))
        (folder / f"{patient:02d}.nii").write_bytes(nifti_bytes(values.astype(np.int16)))
        rows.append(
            [f"{patient:02d}.nii", f"p{patient}", "MR", ("knee", "brain")[kind // 2], ("tear", "normal")[kind % 2]]
        )
    _write_table(folder, rows)


def _pictures(folder: Path) -> None:
    rows = [["path", "burned_in_annotation"]]
    for number in range(6):
        written(text=number in SEEN, seed=number).save(folder / f"{number}.png")
        rows.append([f"{number}.png", "YES" if number == TOLD else "not said"])
    _write_table(folder, rows)


def _write_table(folder: Path, rows: list[list[str]]) -> None:
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle).writerows(rows)


@pytest.fixture(scope="module")
def scans_server(chromium, scans):
    """The address of the app on these, in which the stand-in looks for text."""
    with pytest.MonkeyPatch.context() as patch:  # for this server alone, and not for what starts meanwhile
        quick_jobs.prepare(patch, scans / "quick", detector=True, only_pixels=True)
        settings = {"PYTHONPATH": os.environ["PYTHONPATH"], "OMP_NUM_THREADS": "1", **CREDENTIALS}
    with run_server(["-m", "streamlit"], scans / "data", scans / "log.txt", settings=settings) as address:
        yield address
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(scans / "data"))
        quick_jobs.end()
    assert "Traceback" not in (scans / "log.txt").read_text(errors="replace")


@pytest.fixture(autouse=True)
def same_data(scans, monkeypatch):
    """The tests look at what the server looks at."""
    monkeypatch.setenv("RADCBIR_DATA", str(scans / "data"))


def asked(page, name: str) -> list[str]:
    return parse_qs(urlsplit(page.url).query).get(name, [])


def shown(page) -> list[str]:
    """The image_ids of the hits, in their order."""
    quiet(page)
    return page.locator("li.card:has(.rank)").evaluate_all("cards => cards.map(card => card.dataset.imageId)")


def ids_of(collection, rows) -> list[str]:
    return [collection.manifest.image_id(int(row)) for row in rows]


def test_the_slices_of_a_volume_ask_together_and_the_vote_orders_whole_series(scans_server, page):
    collection = open_collection("scans")
    retriever = Retriever(collection, "pixels")
    page.goto(f"{scans_server}/retrieval?collection=scans&image={collection.manifest.image_id(0)}&k=8")
    page.locator("li.card:has(.rank)").nth(7).wait_for()
    quiet(page)
    page.get_by_text("Whole series", exact=True).click()
    page.wait_for_url(lambda url: "series=whole" in url)
    page.get_by_text("3 slices asked, and series are ordered by mean of best matches").wait_for()
    answers = {rule: search_series(retriever, 0, k=8, rule=rule) for rule in ("mean-best", "rrf")}
    assert shown(page) == ids_of(collection, answers["mean-best"].rows())
    first = page.locator("li.card:has(.rank)").first
    assert f"3 images · score {answers['mean-best'].hits[0].score:.3f}" in first.inner_text()

    # By keyboard: another vote.
    page.get_by_role("combobox", name="Votes").focus()
    for key in [*"reciprocal", "Enter"]:
        page.keyboard.press(key)
    page.wait_for_url(lambda url: "votes=rrf" in url)
    page.get_by_text("reciprocal rank fusion").first.wait_for()
    assert ids_of(collection, answers["rrf"].rows()) != ids_of(collection, answers["mean-best"].rows())
    assert shown(page) == ids_of(collection, answers["rrf"].rows())

    # The slices of the best series, one after the other.
    first.get_by_role("button", name="Open large").click()
    dialog = page.get_by_role("dialog")
    place = collection.manifest.row_of(ids_of(collection, answers["rrf"].rows())[0]) % SLICES
    output = dialog.locator(".slices output").last
    output.filter(has_text=f"Frame {place + 1} of {SLICES}").wait_for()
    page.keyboard.press("ArrowDown" if place == 0 else "ArrowUp")
    other = 2 if place == 0 else place
    output.filter(has_text=f"Frame {other} of {SLICES} (searched: {place + 1})").wait_for()
    page.keyboard.press("Escape")
    quiet(page)


def test_one_hit_a_series_and_the_rest_behind_a_switch(scans_server, page):
    collection = open_collection("scans")
    retriever = Retriever(collection, "pixels")
    page.goto(f"{scans_server}/retrieval?collection=scans&image={collection.manifest.image_id(0)}&k=8&exclude=none")
    page.locator("li.card:has(.rank)").nth(7).wait_for()
    quiet(page)
    page.get_by_role("button", name="Fewer").click()
    page.get_by_role("radio", name="series", exact=True).click()
    page.wait_for_url(lambda url: "one=series" in url)
    page.keyboard.press("Escape")
    found = one_each(
        lambda k: retriever.search(RowQuery((0,)), k=k, exclude=()), collection.manifest.groups("series"), k=8
    )
    switch = page.get_by_role("switch", name="Show the rest")
    switch.wait_for()
    assert shown(page) == ids_of(collection, found.answer.rows())
    cards = page.locator("li.card:has(.rank)").all_inner_texts()
    more = [f"and\N{NO-BREAK SPACE}{len(others)}\N{NO-BREAK SPACE}more" for others in found.others]
    assert any(found.others)
    assert [said in card for said, card in zip(more, cards, strict=True)] == [bool(others) for others in found.others]

    # By keyboard: the others of these series.
    switch.focus()
    page.keyboard.press("Space")
    page.wait_for_url(lambda url: "rest=all" in url)
    page.get_by_text("as hit 1").first.wait_for()
    quiet(page)
    rest = page.locator("li.card:not(:has(.rank))", has_text="as hit")
    expected = [row for others in found.others for row in others]
    assert rest.evaluate_all("cards => cards.map(card => card.dataset.imageId)") == ids_of(collection, expected)[:20]


BINS = "() => document.querySelector('.js-plotly-plot')?.calcdata?.[1]?.map((point) => [point.x, point.y])"
"""The points of the reliability diagram, once it is drawn."""


def test_chances_beside_hits_and_whether_they_are_true(scans_server, page):
    collection = open_collection("scans")
    store = collection.store("pixels")
    result = Calibration().suited(store).run(store)
    errors = result.table.set_index("place")["ece"]
    assert sorted(errors.index) == ["", "MR/brain", "MR/knee"]
    assert len({f"{error:.3f}" for error in errors}) == 3

    def drawn(place: str) -> None:
        tile = page.locator(".radcbir-headline > div", has_text="Expected calibration error")
        tile.locator("b", has_text=f"{errors[place]:.3f}").wait_for()
        bins = result.tables["reliability"]
        expected = bins.loc[bins["place"] == place, ["chance", "share"]].to_numpy()
        page.wait_for_function(f"number => ({BINS})()?.length === number", arg=len(expected))
        quiet(page)
        np.testing.assert_allclose(page.evaluate(BINS), expected)

    page.goto(f"{scans_server}/pathology?collection=scans")
    page.get_by_role("radio", name="Chances").click()
    page.wait_for_url(lambda url: "view=calibration" in url)
    drawn("")

    # By keyboard: of the hits of one modality and anatomy.
    page.get_by_role("combobox", name="Hits of").focus()
    page.keyboard.type("MR/brain")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: asked(page, "place") == ["MR/brain"])
    drawn("MR/brain")

    readings = read_hits(Retriever(collection, "pixels"), RowQuery((0,)), k=8)
    said = [chance_said(chance) for chance in readings.chances]
    assert all(said)
    page.goto(f"{scans_server}/retrieval?collection=scans&image={collection.manifest.image_id(0)}&k=8")
    page.locator("li.card:has(.rank)").nth(7).wait_for()
    assert shown(page) == ids_of(collection, readings.answer.rows())
    cards = page.locator("li.card:has(.rank)").all_inner_texts()
    assert all(words in card for words, card in zip(said, cards, strict=True))


LEAST = """(image, box) => {
  const canvas = document.createElement("canvas")
  canvas.width = image.naturalWidth
  canvas.height = image.naturalHeight
  const paper = canvas.getContext("2d")
  paper.drawImage(image, 0, 0)
  const [left, top, right, bottom] = box.map((side, at) => side / 1000 * (at % 2 ? canvas.height : canvas.width))
  const values = paper.getImageData(left + 1, top + 1, right - left - 2, bottom - top - 2).data
  const grays = [...values].filter((_, at) => at % 4 === 0)
  return [Math.min(...grays), Math.max(...grays)]
}"""
"""The darkest and the brightest pixel of an image as it is shown, within a box in thousandths of its sides."""


def test_text_in_pixels_is_looked_for_listed_and_painted_black(scans_server, page):
    def grays(row: int) -> list[int]:
        """Of a picture's thumbnail, where its text is."""
        page.goto(f"{scans_server}/retrieval?collection=pictures&view=browse&of_text_in_pixels=seems%20burned%20in")
        picture = page.locator(f"li.card[data-image-id='{ids[row]}'] img")
        picture.wait_for()
        quiet(page)
        page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=picture.element_handle())
        return picture.evaluate(LEAST, [50, 875, 450, 938])

    ids = ids_of(open_collection("pictures"), range(6))
    page.goto(f"{scans_server}/collections?collection=pictures&show=pictures")
    page.get_by_role("radio", name="Problems").click()
    page.get_by_text("Text seems burned into 1 image; of 1 the header says so. Not looked at: 6 images.").wait_for()
    page.get_by_role("button", name="Look for text in 6 images").click()
    page.get_by_text("Text seems burned into 3 images; of 1 the header says so.").wait_for()
    burned = open_collection("pictures").burned_text()
    assert np.flatnonzero(burned.flagged).tolist() == sorted({TOLD, *SEEN})
    quiet(page)
    search = page.get_by_role("textbox", name="Search", exact=True)
    search.fill("pixels, at 1 place")
    search.press("Enter")
    page.get_by_text("2 rows of 3").wait_for()
    quiet(page)
    assert grays(SEEN[0])[1] > 200
    assert page.locator("li.card").evaluate_all("cards => cards.map(card => card.dataset.imageId)") == [
        ids[row] for row in sorted({TOLD, *SEEN})
    ]
    assert page.get_by_text("▤ text").count() == 3

    # By keyboard: black it out, and show it again.
    for button, other, is_bright in (("Paint it black", "Show it", False), ("Show it", "Paint it black", True)):
        page.goto(f"{scans_server}/collections?collection=pictures&show=pictures&part=problems")
        page.get_by_role("button", name=button).focus()
        page.keyboard.press("Enter")
        page.get_by_role("button", name=button).wait_for(state="detached")
        page.get_by_role("button", name=other).wait_for()
        darkest, brightest = grays(SEEN[0])
        assert brightest > 200 if is_bright else brightest < 60, (darkest, brightest)


def test_an_upload_with_text_is_said_to_have_it(scans_server, page):
    page.goto(f"{scans_server}/retrieval?collection=pictures&source=upload")
    for text in (True, False):
        buffer = io.BytesIO()
        written(text=text, seed=9).save(buffer, format="PNG")
        file = {"name": f"{text}.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
        page.locator("input[type=file]").set_input_files(file)
        page.locator(".radcbir-facts td", has_text="found at 1 place" if text else "none found").wait_for()
        quiet(page)
        assert page.get_by_text("it is painted black in a report").count() == int(text)


def test_what_headers_say_of_text_is_said_without_anything_installed(server, page):
    page.goto(f"{server}/retrieval?encoder=pixels&source=upload")
    pixels = np.asarray(written(text=False)).astype(np.uint16)
    data = dicom_bytes(pixels, BurnedInAnnotation="YES")
    page.locator("input[type=file]").set_input_files({"name": "a.dcm", "mimeType": "application/dicom", "buffer": data})
    page.get_by_text("Text seems to be burned into this image. It may name somebody").wait_for()
    page.locator(".radcbir-facts td", has_text="its header says so").wait_for()
    quiet(page)

    # By keyboard: to the problems of the collection, which say what nobody has looked at.
    page.goto(f"{server}/collections?collection=small&show=small")
    part = page.get_by_role("radio", name="Encoders")
    part.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "part=problems" in url)
    page.get_by_text("Not looked at: 61 images.").wait_for()
    quiet(page)
    assert page.get_by_role("button", name="Look for text in 61 images").count() == int(is_installed())
    assert page.get_by_text("requirements-ocr.txt").count() == int(not is_installed())


def test_studies_of_a_dicom_server_become_a_collection(scans_server, page, tmp_path, scans):
    with orthanc(tmp_path) as address:
        store(address, a_few_studies())
        page.goto(f"{scans_server}/collections")
        page.get_by_role("button", name="Import a collection").click()
        page.get_by_role("radio", name="A DICOM server").click()
        server = page.get_by_role("textbox", name="Address of the server")
        server.fill("http://127.0.0.1:1/dicom-web")
        page.get_by_role("textbox", name="Studies, by their UIDs").fill("1.2.9")
        page.get_by_role("button", name="Next").click()
        page.get_by_test_id("stAlert").filter(has_text="127.0.0.1:1").wait_for()
        quiet(page)

        # By keyboard: the right address, and only one modality.
        server.fill(address)
        page.get_by_role("combobox", name="Modalities").focus()
        page.keyboard.type("CT")
        for key in ("Enter", "Escape"):  # and the list that hides the rest is closed
            page.keyboard.press(key)
        page.get_by_role("button", name="Next").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Recognized as Studies of a DICOM server").wait_for()
        quiet(page)
        page.get_by_role("button", name="Look at it").click()
        page.get_by_text("3 images there").wait_for()
        quiet(page)
        page.get_by_role("button", name="Next").click()
        name = page.get_by_role("textbox", name="Name")
        name.fill("from-pacs")
        name.press("Enter")
        encoders = page.get_by_role("combobox", name="Encoders to build")
        encoders.click()
        encoders.press("Backspace")
        page.get_by_text("Without an encoder, the collection is imported only").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Start").click()
        page.get_by_text("from-pacs is ready: 3 images").wait_for()
        quiet(page)
    assert list(open_collection("from-pacs").manifest.column("dicom_modality")) == ["CT"] * 3
    assert SECRET not in page.content()
    written_there = b"".join(path.read_bytes() for path in (scans / "data").rglob("*") if path.is_file())
    assert SECRET.encode() not in written_there
    assert b"1.2.9" not in written_there
