"""The order of a patient's images: by dates, by visits, or none that is made up."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from radcbir_core.collections.patient_course import patient_course, when_column
from radcbir_core.importers import import_collection


def manifest_of(tmp_path, monkeypatch, lines, header="path,modality,anatomy,patient_id,study_id,StudyDate"):
    """The manifest of images with these columns."""
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    source = tmp_path / "source"
    source.mkdir()
    for number, line in enumerate(lines):
        random = np.random.default_rng(number)
        Image.fromarray(random.integers(0, 256, (16, 16), dtype=np.uint8)).save(source / line.split(",")[0])
    (source / "manifest.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return import_collection([source], name="course").collection.manifest


def named(manifest, rows):
    return [manifest.record(row)["path"].split("/")[-1] for row in rows]


def test_by_dates_the_latest_earlier_study_comes_first(tmp_path, monkeypatch) -> None:
    manifest = manifest_of(
        tmp_path,
        monkeypatch,
        [
            "a.png,XR,chest,p1,s1,2019-03-01",
            "b.png,XR,chest,p1,s2,2020-03-01",
            "c.png,XR,chest,p1,s3,2021-03-01",
            "d.png,XR,chest,p1,s3,2021-03-01",
            "e.png,XR,chest,p1,s4,2022-03-01",
            "f.png,XR,chest,p1,s5,",
            "g.png,XR,chest,p2,s6,2010-03-01",
            "h.png,XR,chest,,s7,2010-03-01",
        ],
    )
    rows = {named(manifest, [row])[0]: row for row in range(len(manifest))}
    course = patient_course(manifest, rows["c.png"])
    assert course.column == "studydate"
    assert named(manifest, course.earlier) == ["b.png", "a.png"]
    assert named(manifest, course.later) == ["e.png"], "its own study is left out"
    assert named(manifest, course.unordered) == ["f.png"]
    assert course.when[rows["a.png"]] == "2019-03-01"
    undated = patient_course(manifest, rows["f.png"])
    assert not undated.earlier
    assert len(undated.unordered) == 5
    assert patient_course(manifest, rows["h.png"]) is None, "whose patient is not known"
    assert patient_course(manifest, rows["g.png"]).earlier == ()


def test_visits_are_numbers_and_without_such_a_column_there_is_no_order(tmp_path, monkeypatch) -> None:
    lines = [f"{name}.png,XR,chest,p1,{visit}" for name, visit in (("a", 10), ("b", 9), ("c", 0))]
    manifest = manifest_of(tmp_path, monkeypatch, lines, header="path,modality,anatomy,patient_id,Follow-up #")
    rows = {named(manifest, [row])[0]: row for row in range(len(manifest))}
    assert named(manifest, patient_course(manifest, rows["a.png"]).earlier) == ["b.png", "c.png"]
    monkeypatch.setattr("radcbir_core.collections.patient_course.WHEN", ())
    course = patient_course(manifest, rows["a.png"])
    assert (course.column, course.earlier, course.later, len(course.unordered)) == ("", (), (), 2)


@pytest.mark.parametrize(("names", "found"), [(["Acquisition Date", "visit"], "Acquisition Date"), (["dates"], "")])
def test_names_count_by_their_letters(names, found) -> None:
    assert when_column(names) == found
