"""A dry run says what the import then does, looks at few files, and writes nothing."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from radcbir_core.errors import FOLDER, ManifestError, Remedy
from radcbir_core.images.display.square_pixels import RESAMPLED
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers import preview as module
from radcbir_core.importers.preview import SHOWN, preview
from tests.core.images.dicom_files import SECRET, dicom_bytes
from tests.small_images import write_small_images

NOT_THERE = "Expected an image file, but there is none at this path."


def many(folder: Path, table, picture, *, rows: int) -> Path:
    """A table of many rows that all name one picture."""
    picture(folder / "1.png")
    return table(folder / "manifest.csv", ["image_id", "path", "modality"], [[n, "1.png", "CT"] for n in range(rows)])


def test_it_says_what_the_import_then_does(tmp_path, data):
    source = tmp_path / "source"
    source.mkdir()
    write_small_images(source)
    dry_run = preview(ImportRequest([source], "any"))
    assert not data.exists(), "a dry run writes nothing"
    report = import_as(ImportRequest([source], "real"))
    manifest = report.collection.manifest
    assert (dry_run.formats[0].name, dry_run.complete, dry_run.refusal) == ("manifest", True, None)
    assert (dry_run.looked_at, dry_run.read, dry_run.about) == (63, 63, 63)
    assert dry_run.usable == report.images == 61
    assert dry_run.problem_count == dry_run.files_refused == report.problems == 2
    for column in ("dataset", "split", "modality", "anatomy"):
        assert dry_run.counts[column] == manifest.codes(column).counts(), column
    assert dry_run.counts["pathology"] == manifest.pathology_counts
    assert dry_run.unlabeled == sum(not labels for labels in manifest.frame["pathologies"])
    assert dry_run.patients == len(manifest.codes("patient_id").values)
    assert dry_run.with_patient == int((manifest.codes("patient_id").codes >= 0).sum())
    assert sorted(map(str, dry_run.changes)) == sorted(map(str, report.changes))
    assert dry_run.problems["reason"].tolist() == report.collection.problems()["reason"].tolist()
    assert dry_run.problems["line"].astype(str).tolist() == report.collection.problems()["line"].tolist()
    assert [source.dataset for source in dry_run.sources] == ["source"]


def test_the_first_rows_are_shown_with_their_pictures(tmp_path):
    write_small_images(tmp_path)
    (tmp_path / "chest_01.png").unlink()
    dry_run = preview(ImportRequest([tmp_path], "any"))
    assert len(dry_run.table) == len(dry_run.thumbnails) == SHOWN
    assert dry_run.table["path"].tolist() == [f"chest_{n:02d}.png" for n in range(SHOWN)]
    assert dry_run.table["problem"].tolist() == ["", NOT_THERE, *[""] * (SHOWN - 2)]
    assert dry_run.table["modality"].tolist()[:2] == ["XR", "XR"]
    assert dry_run.table["pathologies"].tolist()[:3] == [["pneumonia"], ["normal"], ["pneumonia", "effusion"]]
    assert "patient_id" not in dry_run.table
    assert dry_run.thumbnails[1] is None
    assert Image.open(io.BytesIO(dry_run.thumbnails[0])).size == (48, 48)


def test_several_sources_are_all_shown(tmp_path, table, picture):
    for name in "abc":
        many(tmp_path / name, table, picture, rows=40)
    dry_run = preview(ImportRequest([tmp_path], "any"), rows=30)
    assert [source.dataset for source in dry_run.sources] == ["a", "b", "c"]
    assert (dry_run.looked_at, dry_run.read) == (30, 120)
    assert dry_run.counts["dataset"] == {"a": 40, "b": 40, "c": 40}
    assert dry_run.table["dataset"].tolist() == ["a"] * 6 + ["b"] * 6 + ["c"] * 6


def test_of_many_rows_few_files_are_looked_at(tmp_path, table, picture, monkeypatch):
    path = many(tmp_path, table, picture, rows=5000)
    looked = []
    real = module.Checker._look_at
    monkeypatch.setattr(module.Checker, "_look_at", lambda *wanted: looked.append(wanted) or real(*wanted))
    dry_run = preview(ImportRequest([path], "any"), rows=100)
    assert len(looked) == dry_run.looked_at == 100
    assert (dry_run.read, dry_run.complete) == (5000, True)


def test_without_end_it_stops_by_the_clock_and_says_how_far_it_came(tmp_path, table, picture, monkeypatch):
    path = many(tmp_path, table, picture, rows=10)
    real = module.sources_of

    def endless(*arguments):
        sources = real(*arguments)
        first = list(sources[0].rows)
        sources[0].rows = itertools.chain(
            first, (type(first[0])(n, {**first[0].cells, "image_id": f"x{n}"}) for n in itertools.count())
        )
        sources[0].expected = 10**9
        return sources

    monkeypatch.setattr(module, "sources_of", endless)
    dry_run = preview(ImportRequest([path], "any"), rows=20, seconds=0.3)
    assert dry_run.looked_at <= 20
    assert 10 < dry_run.read < 10**6
    assert (dry_run.complete, dry_run.about) == (False, 10**9)


def test_nothing_usable_is_said_as_what_would_end_the_import(tmp_path, table):
    path = table(tmp_path / "manifest.csv", ["path"], [["none.png"], ["neither.png"]])
    dry_run = preview(ImportRequest([path], "any"))
    assert dry_run.usable == 0
    with pytest.raises(ManifestError) as caught:
        import_as(ImportRequest([path], "real"))
    assert str(dry_run.refusal) == str(caught.value)
    assert NOT_THERE in str(caught.value)
    assert dry_run.refusal.remedy == caught.value.remedy == Remedy("again", options={"image_root": FOLDER})


def test_missing_files_are_the_reason_and_not_the_image_ids_that_they_share(tmp_path, table, picture):
    path = table(tmp_path / "manifest.csv", ["image_id", "path"], [["a", f"{n}.png"] for n in range(5)])
    dry_run = preview(ImportRequest([path], "any"))
    assert dry_run.problems["reason"].tolist() == [NOT_THERE] * 5
    assert f"the most frequent reason (5): {NOT_THERE}" in str(dry_run.refusal)
    picture(tmp_path / "3.png")  # the first of the image that is there stands for it
    dry_run = preview(ImportRequest([path], "any"))
    report = import_as(ImportRequest([path], "real"))
    assert dry_run.usable == report.images == 1
    assert sorted(dry_run.problems["reason"]) == sorted(report.collection.problems()["reason"])
    assert dry_run.main_reason == report.main_reason
    assert report.main_reason.told().startswith(f"the most frequent reason (4): {NOT_THERE} First at ")


def test_a_table_that_breaks_off_is_said_with_what_came_before(tmp_path, table, picture):
    path = many(tmp_path, table, picture, rows=5000)
    with path.open("ab") as handle:
        handle.write(b"\xff\xfe,1.png,CT\n")
    dry_run = preview(ImportRequest([path], "any"))
    assert "Expected text in UTF-8" in str(dry_run.refusal)
    assert dry_run.counts["modality"]["CT"] > 1000
    with pytest.raises(ManifestError, match="Expected text in UTF-8"):
        import_as(ImportRequest([path], "real"))


def test_an_image_id_of_two_files_is_a_problem(tmp_path, table, picture):
    picture(tmp_path / "1.png")
    picture(tmp_path / "2.png")
    path = table(tmp_path / "manifest.csv", ["image_id", "path"], [["a", "1.png"], ["a", "2.png"]])
    dry_run = preview(ImportRequest([path], "any"))
    assert (dry_run.usable, dry_run.problem_count) == (1, 1)
    assert "image_id = 'a' stands on an earlier line too" in dry_run.problems["reason"][0]


def test_options_and_mappings_are_the_imports_own(tmp_path, table, picture):
    picture(tmp_path / "1.png")
    path = table(tmp_path / "t.csv", ["File", "Mass", "Age"], [["1.png", "1", "40"]])
    dry_run = preview(ImportRequest([path], "any", mapping={"path": "File", "pathologies": "Mass,Age"}))
    assert "Expected 0, 1, -1 or nothing in a column of findings" in dry_run.problems["reason"][0]
    dry_run = preview(ImportRequest([path], "any", mapping={"path": "File", "pathologies": "Mass"}, anatomy="Chest"))
    assert (dry_run.formats[0].name, dry_run.counts["anatomy"], dry_run.further) == (
        "csv",
        {"Chest": 1},
        ("file", "mass", "age"),
    )
    with pytest.raises(ManifestError, match="but encoder_id is given"):
        preview(ImportRequest([path], "any", mapping={"path": "File"}, encoder_id="x"))
    with pytest.raises(ManifestError, match="check = 'look'"):
        preview(ImportRequest([path], "any", check="look"))
    with pytest.raises(ManifestError, match="Import without a dry run"):
        preview(ImportRequest([], "any", download="pneumoniamnist"))


def test_no_patient_of_a_dicom_file_is_shown(tmp_path):
    for number in range(3):
        content = dicom_bytes(np.full((8, 8), number, np.uint16), SOPInstanceUID=f"1.2.{number}", PatientID=SECRET)
        (tmp_path / f"{number}.dcm").write_bytes(content)
    dry_run = preview(ImportRequest([tmp_path], "any", every=2))
    assert (dry_run.formats[0].name, dry_run.patients, dry_run.with_patient) == ("dicom", 1, 3)
    assert "path" not in dry_run.table
    assert SECRET not in repr(dry_run) + dry_run.table.to_csv() + dry_run.problems.to_csv()
    assert any("takes one of 2 in each series" in note for note in dry_run.notes)
    assert all(dry_run.thumbnails)


def test_medmnist_is_looked_at_without_being_written(tmp_path, data):
    arrays = {}
    for split, count in (("train", 30), ("val", 4), ("test", 6)):
        arrays[f"{split}_images"] = np.full((count, 28, 28), 9, np.uint8)
        arrays[f"{split}_labels"] = np.zeros((count, 1), np.uint8)
    np.savez_compressed(tmp_path / "pneumoniamnist.npz", **arrays)
    dry_run = preview(ImportRequest([tmp_path / "pneumoniamnist.npz"], "any"))
    assert not data.exists()
    assert (dry_run.formats[0].name, dry_run.read, dry_run.looked_at) == ("medmnist", 40, 0)
    assert dry_run.counts["split"] == {"train": 30, "test": 6, "val": 4}
    assert len(dry_run.thumbnails) == SHOWN
    assert np.asarray(Image.open(io.BytesIO(dry_run.thumbnails[7]))).mean() == pytest.approx(9, abs=1)


def test_embeddings_are_joined_and_not_read(tmp_path, data):
    with h5py.File(tmp_path / "ds.h5", "w") as file:
        for name in ("a.png", "b.png", "c.png"):
            file[name] = np.ones(4, np.float32)
    (tmp_path / "ds.csv").write_text("path,modality,patient_id\na.png,X-ray,7\nb.png,CT,\nz.png,CT,\n")
    paths = [tmp_path / "ds.h5", tmp_path / "ds.csv"]
    dry_run = preview(ImportRequest(paths, "any", encoder_id="mine"), format_name="embeddings")
    assert not data.exists()
    assert (dry_run.usable, dry_run.problem_count, dry_run.patients) == (2, 2, 1)
    assert dry_run.counts["modality"] == {"CT": 1, "XR": 1}
    assert dry_run.table["path"].tolist() == ["a.png", "b.png"]
    assert "2 rows have one of 3 vectors of dimension 4 (float32)" in dry_run.notes[0]
    report = import_as(ImportRequest(paths, "real", encoder_id="mine"), format_name="embeddings")
    assert (report.images, report.problems) == (2, 2)


def test_what_is_remarked_of_files_is_said_as_the_import_says_it(tmp_path):
    for number in range(3):
        data = dicom_bytes(np.full((4, 5), number, np.uint16), PixelSpacing=[2, 1] if number else [1, 1])
        (tmp_path / f"{number}.dcm").write_bytes(data)
    dry_run = preview(ImportRequest([tmp_path], "any", check="decode"), format_name="manifest")
    report = import_as(ImportRequest([tmp_path], "real"), format_name="manifest")
    assert f"In 2 images looked at: {RESAMPLED}" in dry_run.notes
    assert f"In 2 images: {RESAMPLED}" in report.notes


def test_images_whose_header_says_that_text_is_burned_in_are_counted(tmp_path):
    for number, said in enumerate(("YES", "NO", "YES", None)):
        told = {} if said is None else {"BurnedInAnnotation": said}
        data = dicom_bytes(np.full((8, 8), number, np.uint16), SOPInstanceUID=f"1.2.3.{number}", **told)
        (tmp_path / f"{number}.dcm").write_bytes(data)
    dry_run = preview(ImportRequest([tmp_path], "any"))
    assert any(note.startswith("The headers of 2 images of those read say") for note in dry_run.notes)
    assert dry_run.problem_count == 0
    assert SECRET not in str(dry_run.notes)
