"""An image that is named again is the same image: by its id, or else by its file, wherever the table lies."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.corrections import read_corrections
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.adding import NOTHING_NEW
from radcbir_core.pipeline import build_collection
from tests.core.importers.datasets.test_dicom_tree import instance

PLAIN = ["path", "modality", "anatomy", "pathologies", "patient_id"]


@pytest.fixture
def write(tmp_path, picture, table):
    """Writes images and a table beside them, or only the table somewhere else."""

    def write(folder: str, paths, *, images: bool = True, header=PLAIN, first: int = 0, **other: str) -> Path:
        lines = []
        for number, path in enumerate(paths, first):
            if images:
                picture(tmp_path / folder / path, seed=number)
            cells = {
                "path": path,
                "modality": "CT",
                "anatomy": "chest",
                "pathologies": other.get(Path(path).stem, "nodule"),
                "patient_id": f"p{number}",
                "image_id": f"id{number}",
                "dataset": "named",
            }
            lines.append([cells[name] for name in header])
        table(tmp_path / folder / "manifest.csv", header, lines)
        return tmp_path / folder

    return write


def add(*paths: Path, **options):
    return import_as(ImportRequest(list(paths), "c", add=True, **options))


def labels(report, column) -> list[tuple[str, str, list[str]]]:
    collection = open_collection("c")
    return list(zip(*(column(collection, name) for name in ("image_id", "dataset", "pathologies")), strict=True))


@pytest.mark.parametrize("header", [PLAIN, ["image_id", *PLAIN], ["dataset", *PLAIN]])
def test_an_edited_copy_in_another_folder_changes_labels_and_doubles_nothing(write, column, tmp_path, header) -> None:
    source = write("set", ["a.png", "b.png"], header=header)
    collection = import_as(ImportRequest([source], "c")).collection
    build_collection(collection, load_encoder("pixels"))
    before = labels(None, column)
    write("edits", ["a.png", "b.png"], images=False, header=header, b="mass")
    told = add(tmp_path / "edits", image_root=source)
    assert told.images == 2
    assert any(note.startswith("Otherwise in the source, and kept") for note in told.notes)
    assert labels(told, column) == before
    taken = add(tmp_path / "edits", image_root=source, take_changes=True)
    assert (taken.images, taken.problems) == (2, 0)
    assert labels(taken, column) == [before[0], (*before[1][:2], ["mass"])]
    assert column(open_collection("c"), "path") == ["a.png", "b.png"]
    states = open_collection("c").store("pixels").states()
    assert {name for name, state in states.items() if state != "current"} == {"evaluation"}
    assert set(build_collection(open_collection("c"), load_encoder("pixels")).seconds) == {"evaluation"}
    history = read_corrections(open_collection("c"))
    assert history[["column", "from", "to", "source"]].values.tolist() == [
        ["pathologies", "nodule", "mass", "manifest.csv"]
    ]
    assert add(tmp_path / "edits", image_root=source, take_changes=True).notes[-1] == NOTHING_NEW


def test_absolute_paths_and_a_root_above_name_the_same_files(write, column, tmp_path) -> None:
    source = write("data/set", ["a.png", "b.png"])
    import_as(ImportRequest([source], "c"))
    before = labels(None, column)
    write("edits", [str(source / "a.png"), str(source / "b.png")], images=False, a="mass")
    report = add(tmp_path / "edits", image_root=tmp_path, take_changes=True)
    assert labels(report, column) == [(*before[0][:2], ["mass"]), before[1]]
    write("more", ["set/a.png", "set/b.png"], images=False, b="cyst")
    report = add(tmp_path / "more", image_root=tmp_path / "data", take_changes=True)
    assert labels(report, column) == [(*before[0][:2], ["nodule"]), (*before[1][:2], ["cyst"])]
    collection = open_collection("c")
    assert (collection.image_root, column(collection, "path")) == (source, ["a.png", "b.png"])


def test_what_an_edited_copy_has_besides_belongs_to_the_same_data_set(write, column, tmp_path) -> None:
    source = write("set", ["a.png", "b.png"])
    import_as(ImportRequest([source], "c"))
    write("set", ["new.png"], first=9)
    write("edits", ["b.png", "a.png", "new.png"], images=False)
    report = add(tmp_path / "edits", image_root=source)
    assert [row[:2] for row in labels(report, column)] == [
        ("set/a.png", "set"),
        ("set/b.png", "set"),
        ("set/new.png", "set"),
    ]
    assert report.problems == 0, "nothing of the data set is gone because an edited copy lacks it"


def test_a_part_of_what_was_imported_is_no_new_data_set(write, column, tmp_path) -> None:
    """Folders of one name are told apart by their parents where they are imported together, and alone they are not."""
    for place, first in (("x", 0), ("y", 5)):
        write(f"{place}/scans", ["a.png", "b.png"], first=first)
    import_as(ImportRequest([tmp_path / "x/scans", tmp_path / "y/scans"], "c"))
    before = labels(None, column)
    assert [row[1] for row in before] == ["x/scans", "x/scans", "y/scans", "y/scans"]
    assert add(tmp_path / "y/scans").notes[-1] == NOTHING_NEW
    write("y/scans", ["c.png"], first=8)
    write("y/scans", ["a.png", "b.png", "c.png"], first=5, images=False)
    report = add(tmp_path / "y/scans")
    assert labels(report, column)[:4] == before
    assert labels(report, column)[4][:2] == ("y/scans/c.png", "y/scans")


def test_ids_that_two_sources_shared_are_known_again(write, column, tmp_path) -> None:
    header = ["image_id", *PLAIN]
    write("one", ["a.png", "b.png"], header=header)
    write("two", ["c.png", "d.png"], header=header)
    for number, name in enumerate(["c.png", "d.png"]):
        write("two", [name], first=20 + number)
    write("two", ["c.png", "d.png"], header=header, images=False)
    import_as(ImportRequest([tmp_path / "one", tmp_path / "two"], "c"))
    assert column(open_collection("c"), "image_id") == ["one/id0", "one/id1", "two/id0", "two/id1"]
    assert add(tmp_path / "one").notes[-1] == NOTHING_NEW
    assert add(tmp_path / "two").notes[-1] == NOTHING_NEW


def test_a_folder_of_dicom_files_below_is_a_part_of_it(tmp_path, column) -> None:
    for number in range(3):
        instance(tmp_path / "scans" / "ct" / f"{number}.dcm", number)
    import_as(ImportRequest([tmp_path / "scans"], "c"))
    assert add(tmp_path / "scans" / "ct").notes[-1] == NOTHING_NEW
    assert len(open_collection("c")) == 3


def test_a_data_set_that_was_moved_is_known_by_its_ids(write, column, tmp_path) -> None:
    header = ["image_id", *PLAIN]
    source = write("set", ["a.png", "b.png"], header=header)
    import_as(ImportRequest([source], "c"))
    shutil.copytree(source, tmp_path / "moved")
    report = add(tmp_path / "moved")
    assert report.images == 2
    assert "path of 2" in next(note for note in report.notes if note.startswith("Otherwise"))
    assert column(open_collection("c"), "path") == ["a.png", "b.png"]


def test_other_images_of_the_same_ids_are_refused(write, tmp_path) -> None:
    """Two data sets may number their images alike: what only shares a number is another image."""
    header = ["image_id", *PLAIN]
    import_as(ImportRequest([write("set", ["a.png"], header=header)], "c", check="exists"))
    other = write("third", ["z.png"], header=header)
    with pytest.raises(CollectionError, match="but id0 is an image of 'set' there and of 'third' here"):
        add(other, check="exists")


def test_a_file_that_is_several_images_is_known_by_ids_only(write, column, tmp_path, table) -> None:
    source = write("set", ["a.png"])
    rows = [["a.png", "one", "CT"], ["a.png", "two", "CT"]]
    table(source / "manifest.csv", ["path", "image_id", "modality"], rows)
    import_as(ImportRequest([source], "c"))
    table(source / "manifest.csv", ["path", "image_id", "modality"], [*rows, ["a.png", "three", "MR"]])
    assert add(source).images == 3
    assert column(open_collection("c"), "image_id") == ["one", "two", "three"]
