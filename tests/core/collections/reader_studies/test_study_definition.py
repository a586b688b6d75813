"""A study on disk: it comes back as it was written, is never overwritten, and damage is said."""

from __future__ import annotations

import json
from dataclasses import replace

import filelock
import pytest
from PIL import Image

from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.changes import rename_collection
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.reader_studies import study_definition
from radcbir_core.collections.reader_studies.reading_log import add_readings, log_path, new_reading
from radcbir_core.collections.reader_studies.study_definition import (
    check_study_name,
    list_studies,
    read_study,
    remove_study,
    study_json,
    study_path,
    write_study,
)
from radcbir_core.errors import CollectionError, StudyError
from tests.core.reader_study.made_studies import made, made_case

ANSWER = {"step": "1", "image_id": "a", "condition": "with", "period": "1", "answer": "mass", "confidence": "3"}


def answered(name: str = "one") -> None:
    entry = new_reading("answer", reader="R1", seconds="1.0", **ANSWER)
    add_readings("small", name, lambda _: [entry])


def test_it_comes_back_as_it_was_written(copied) -> None:
    assert list_studies(copied.folder) == []
    study = made(title="<b>Title</b> ☃", washout_hours=1.5)
    write_study("small", study)
    assert read_study(copied.folder, "one") == study
    assert read_study(copied.folder, "one").digest == study.digest
    assert study_json(study) == study_path(copied.folder, "one").read_bytes()
    assert list_studies(copied.folder) == ["one"]
    assert replace(study, seed=8).digest != study.digest


def test_it_is_never_overwritten(copied) -> None:
    write_study("small", made())
    before = study_path(copied.folder, "one").read_bytes()
    with pytest.raises(StudyError, match="name = 'one' exists already"):
        write_study("small", made(seed=1))
    assert study_path(copied.folder, "one").read_bytes() == before
    study_path(copied.folder, "one").unlink()
    answered()  # answers whose study was lost are not taken for those of another one
    with pytest.raises(StudyError, match="exists already"):
        write_study("small", made(seed=1))


def test_what_is_left_of_a_removal_that_was_killed_is_no_study(copied) -> None:
    write_study("small", made())
    add_readings("small", "one", lambda _: [new_reading("joined", reader="R1", number="0", study="d")])
    study_path(copied.folder, "one").unlink()
    assert list_studies(copied.folder) == []
    write_study("small", made(seed=9))
    assert read_study(copied.folder, "one").seed == 9
    assert not log_path(copied.folder, "one").exists()


def test_one_with_answers_is_not_removed(copied) -> None:
    write_study("small", made())
    add_readings("small", "one", lambda _: [new_reading("joined", reader="R1", number="0")])
    remove_study("small", "one")
    assert list(copied.layout.reader_studies.iterdir()) == []
    write_study("small", made())
    answered()
    with pytest.raises(StudyError, match="readers have answered in one"):
        remove_study("small", "one")
    assert list_studies(copied.folder) == ["one"]
    with pytest.raises(StudyError, match=r"name = 'two'. There is one\."):
        remove_study("small", "two")


def test_a_log_that_cannot_be_read_counts_as_answers(copied) -> None:
    write_study("small", made())
    log_path(copied.folder, "one").write_bytes(b'{"id": "cut o')
    with pytest.raises(StudyError, match="readers have answered"):
        remove_study("small", "one")


@pytest.mark.parametrize("name", ["", "A", "a b", "../a", "a" * 41, "-a"])
def test_what_is_no_name(name) -> None:
    with pytest.raises(StudyError, match="Expected the name of a reader study"):
        check_study_name(name)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"title": ""}, "Expected a title of 1"),
        ({"question": "a\nb"}, "Expected a question of 1"),
        ({"answers": ("mass", "x" * 401)}, "Expected an answer of 1"),
        ({"answers": ("mass",)}, "2 to 40 answers"),
        ({"answers": ("mass", "mass")}, "answers that differ"),
        ({"cases": (made_case(1, "mass"),)}, "2 to 1,000 cases"),
        ({"cases": (made_case(1, "mass"), made_case(1, "mass"))}, "cases that differ"),
        ({"cases": (made_case(1, "mass"), made_case(2, "edema"))}, "one of the answers as truth"),
        ({"cases": (made_case(1, "mass"), made_case(2, "mass", half=2))}, "in a half of 0 or 1"),
        ({"k": 0}, "1 to 50 hits a case"),
        ({"washout_hours": -1.0}, "hours between both readings"),
        ({"design": "parallel"}, "Expected a design of crossover, split"),
        ({"reveal": "soon"}, "Expected a time to reveal of never, end, each"),
        ({"reveal": "each"}, "before a case is read the second time"),
        ({"column": "caption"}, "Expected a column of pathologies"),
        ({"most_confidence": 7}, "Expected a confidence of 5, 100"),
    ],
)
def test_what_cannot_be_a_study_is_not_written(copied, changed, expected) -> None:
    with pytest.raises(StudyError, match=expected):
        write_study("small", made(**changed))
    assert not copied.layout.reader_studies.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda told: told | {"form": 2},
        lambda told: told | {"name": "two"},
        lambda told: told | {"title": 3},
        lambda told: told | {"k": "2"},
        lambda told: told | {"seed": True},
        lambda told: told | {"answers": "mass"},
        lambda told: told | {"cases": [{}]},
        lambda told: told | {"where": [1]},
        lambda told: {name: value for name, value in told.items() if name != "digest" and name != "exclude"},
    ],
)
def test_one_that_is_damaged_is_said(copied, damage) -> None:
    write_study("small", made())
    path = study_path(copied.folder, "one")
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(StudyError, match=r"one\.json is damaged, or of a newer version"):
        read_study(copied.folder, "one")


def test_one_that_is_not_there_says_which_are(copied) -> None:
    with pytest.raises(StudyError, match="There is none yet"):
        read_study(copied.folder, "one")
    write_study("small", made())
    with pytest.raises(StudyError, match=r"name = 'two'. There is one\."):
        read_study(copied.folder, "two")


def test_nothing_is_written_while_the_collection_is_being_changed(copied, monkeypatch) -> None:
    monkeypatch.setattr(study_definition, "_PATIENCE", 0.0)
    with filelock.FileLock(copied.layout.gate), pytest.raises(CollectionError, match="nobody else to be changing"):
        write_study("small", made())


def test_it_stays_when_images_are_added_and_labels_corrected(copied, tmp_path) -> None:
    from radcbir_core.importers import ImportRequest, import_as
    from radcbir_core.importers.relabeling import correct_labels

    write_study("small", made())
    answered()
    before = study_path(copied.folder, "one").read_bytes(), log_path(copied.folder, "one").read_bytes()
    (tmp_path / "further").mkdir()
    Image.new("L", (9, 9), 7).save(tmp_path / "further" / "x.png")
    import_as(ImportRequest([tmp_path / "further"], "small", add=True))
    table = tmp_path / "corrections.csv"
    table.write_text("image_id,anatomy\nsmall-data-source/chest_00.png,elbow\n")
    correct_labels("small", table, by="me")
    assert len(open_collection("small")) == len(copied) + 1
    assert (study_path(copied.folder, "one").read_bytes(), log_path(copied.folder, "one").read_bytes()) == before


def test_it_goes_along_when_renamed_and_not_into_an_archive(copied, tmp_path) -> None:
    write_study("small", made())
    answered()
    renamed = rename_collection("small", "other")
    assert read_study(renamed.folder, "one") == made()
    assert log_path(renamed.folder, "one").is_file()
    exported = write_archive(renamed, tmp_path / "other.zip")
    assert b"reader-studies" not in (tmp_path / "other.zip").read_bytes()
    assert any(note.startswith("Reader studies are not in the archive") for note in exported.notes)
