"""Looking goes on where it was stopped, forgets nothing when images are added, and lists what it finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from radcbir_core.burned_text import text_finding
from radcbir_core.burned_text.text_finding import find_text
from radcbir_core.collections.changes import remove_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.locks import looking
from radcbir_core.collections.text_boxes import FAILED, NOTHING, TEXT, UNSEEN
from radcbir_core.errors import CollectionError
from radcbir_core.importers import ImportRequest, import_as
from tests.core.burned_text.collections import TEXTS, with_texts
from tests.core.burned_text.stand_in import StandIn, written
from tests.core.images.dicom_files import dicom_bytes


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))


def test_it_says_which_images_and_where(tmp_path) -> None:
    collection = with_texts(tmp_path / "pictures")
    assert collection.burned_text().unseen == 6
    told = []
    report = find_text(collection, StandIn(), progress=lambda *said: told.append(said))
    assert (report.images, report.looked_at, report.text, report.failed, report.told) == (6, 6, 2, 0, 0)
    assert told[0] == ("text-boxes", 0, 6)
    assert told[-1] == ("text-boxes", 6, 6)
    burned = open_collection("c").burned_text()
    assert np.flatnonzero(burned.flagged).tolist() == list(TEXTS)
    # 200 × 160: the line is 10 to 90 and 140 to 150.
    assert burned.hidden(1).tolist() == [[50, 875, 450, 938]]
    assert len(burned.hidden(0)) == 0
    assert burned.said_of(1) == "found at 1 place"
    assert burned.said_of(0) == ""


def test_none_is_left_out_and_each_is_listed_with_its_reason(tmp_path) -> None:
    collection = with_texts(tmp_path / "pictures")
    find_text(collection, StandIn())
    find_text(collection, StandIn(), anew=True)  # which lists none twice
    collection = open_collection("c")
    problems = collection.problems()
    assert problems["path"].tolist() == ["1.png", "4.png"]
    assert problems["source"].unique().tolist() == ["text detector"]
    assert "Text seems to be burned into its pixels, at 1 place. It is in the collection" in problems["reason"][0]
    assert len(collection) == 6
    mask = collection.manifest.mask({"text_in_pixels": ["seems burned in"]})
    assert np.flatnonzero(mask).tolist() == list(TEXTS)
    assert "text_in_pixels" in collection.manifest.filterable()
    assert "text_in_pixels" not in collection.manifest.column_names
    # Where a better detector finds none, none is listed any more.
    find_text(collection, StandIn(symbols=0, name="another"))
    assert not len(open_collection("c").problems())


def test_stopped_it_goes_on_with_what_is_left(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(text_finding, "_PART", 2)
    collection = with_texts(tmp_path / "pictures")

    class StoppedError(Exception):
        pass

    def stop(step, done, total) -> None:
        if done == 5:
            raise StoppedError

    detector = StandIn()
    with pytest.raises(StoppedError):
        find_text(collection, detector, progress=stop)
    assert detector.asked == 5
    assert collection.burned_text().unseen == 6
    (collection.layout.text_boxes_work.folder / "000007.parquet").write_bytes(b"cut off")
    (collection.layout.text_boxes_work.folder / ".partial-1-2-000008.parquet").write_bytes(b"of a killed process")
    detector = StandIn()
    report = find_text(collection, detector)
    assert detector.asked == report.looked_at == 2
    assert report.text == 2
    assert not list(collection.layout.text_boxes_work.folder.glob("*.parquet"))
    detector = StandIn()
    assert find_text(collection, detector).looked_at == detector.asked == 0


def test_added_images_are_not_looked_at_yet_and_the_others_stay(tmp_path) -> None:
    folder = tmp_path / "pictures"
    find_text(with_texts(folder), StandIn())
    for name in ("0a", "9"):  # one before the others, and one behind
        written(seed=ord(name[0])).save(folder / f"{name}.png")
    import_as(ImportRequest([folder], "c", add=True))
    collection = open_collection("c")
    burned = collection.burned_text()
    states = dict(zip(collection.manifest.column("path"), burned.found.states.tolist(), strict=True))
    expected = {f"{row}.png": TEXT if row in TEXTS else NOTHING for row in range(6)}
    assert states == expected | {"0a.png": UNSEEN, "9.png": UNSEEN}
    detector = StandIn()
    assert find_text(collection, detector).text == 4
    assert detector.asked == 2


def test_what_cannot_be_read_is_tried_again(tmp_path) -> None:
    collection = with_texts(tmp_path / "pictures")
    kept = (tmp_path / "pictures" / "1.png").read_bytes()
    (tmp_path / "pictures" / "1.png").unlink()
    report = find_text(collection, StandIn())
    assert (report.failed, report.text) == (1, 1)
    assert collection.burned_text().found.states[1] == FAILED
    (tmp_path / "pictures" / "1.png").write_bytes(kept)
    report = find_text(collection, StandIn())
    assert (report.looked_at, report.failed, report.text) == (1, 0, 2)


def test_a_header_that_says_so_is_listed_at_import_and_stays_listed(tmp_path) -> None:
    (tmp_path / "scans").mkdir()
    for number, said in enumerate(("YES", "NO", None)):
        pixels = np.asarray(written(text=False, seed=number)).astype(np.uint16)
        elements = {} if said is None else {"BurnedInAnnotation": said}
        content = dicom_bytes(pixels, SOPInstanceUID=f"1.2.{number}", **elements)
        (tmp_path / "scans" / f"{number}.dcm").write_bytes(content)
    collection = import_as(ImportRequest([tmp_path / "scans"], "d")).collection
    assert sorted(collection.manifest.column("burned_in_annotation")) == ["NO", "YES", "not said"]
    row = collection.manifest.column("burned_in_annotation").tolist().index("YES")
    burned = collection.burned_text()
    assert np.flatnonzero(burned.flagged).tolist() == [row]
    assert burned.said_of(row) == "its header says so, nobody has looked where"
    assert collection.manifest.counts("text_in_pixels")["seems burned in"] == 1
    for _ in range(2):
        assert collection.problems()["source"].tolist() == ["DICOM header"]
        assert find_text(collection, StandIn()).told == 1
        collection = open_collection("d")
    assert collection.burned_text().said_of(row) == "its header says so, where was not found"


def test_one_looks_at_a_time_and_nobody_removes_the_collection_meanwhile(tmp_path) -> None:
    collection = with_texts(tmp_path / "pictures")
    with looking(collection.folder):
        with pytest.raises(CollectionError, match="Expected nobody else to be looking for text in c"):
            find_text(collection, StandIn())
        with pytest.raises(CollectionError, match="in use: another process is looking for text since"):
            remove_collection("c")
    find_text(collection, StandIn())
    remove_collection("c")


def test_what_a_build_lists_meanwhile_is_not_lost(tmp_path, monkeypatch) -> None:
    collection = with_texts(tmp_path / "pictures")
    made = text_finding.detector_problems
    further = pd.DataFrame([{"source": "build", "line": "", "path": "0.png", "image_id": "0", "reason": "cut off"}])

    def slow(manifest, found):
        open_collection("c").add_problems(further)  # while this one makes its own
        return made(manifest, found)

    monkeypatch.setattr(text_finding, "detector_problems", slow)
    find_text(collection, StandIn())
    assert open_collection("c").problems()["source"].tolist() == ["build", "text detector", "text detector"]


def test_several_at_once_list_all_problems(tmp_path) -> None:
    collection = with_texts(tmp_path / "pictures")

    def listed(number: int) -> None:
        row = {"source": f"build {number}", "line": "", "path": "", "image_id": "", "reason": "cut off"}
        open_collection("c").add_problems(pd.DataFrame([row]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(listed, range(24)))
    assert sorted(collection.problems()["source"]) == sorted(f"build {number}" for number in range(24))
