"""NIH ChestX-ray14, from a small copy of its layout."""

from __future__ import annotations

import csv

import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.formats import detect

# The header's brackets hold a comma without quotes, and the table of 2017 ends its lines with one.
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def row(name: str, labels: str, *, patient: int, tail: str = "") -> str:
    return f"{name},{labels},0,{patient},58,M,PA,2682,2749,0.143,0.143{tail}"


@pytest.fixture
def release(tmp_path, picture):
    folder = tmp_path / "nih"
    lines, training, test = [], [], []
    for patient in range(12):
        for number in range(2):
            name = f"{patient:08d}_{number:03d}.png"
            picture(
                folder / ("images_001/images" if patient < 6 else "images_002/images") / name, seed=2 * patient + number
            )
            lines.append(row(name, ["No Finding", "Effusion|Mass", "Pleural_Thickening"][patient % 3], patient=patient))
            (test if patient >= 10 else training).append(name)
    (folder / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *lines]) + "\n")
    (folder / "train_val_list.txt").write_text("\n".join(training) + "\n")
    (folder / "test_list.txt").write_text("\n".join(test))
    return folder


def test_labels_splits_and_patients(release, column) -> None:
    assert detect(release).name == "nih14"
    report = import_as(ImportRequest([release], "c"))
    collection = report.collection
    assert (report.images, report.problems, report.notes) == (24, 0, [])
    assert collection.manifest.labels("label").values == ("XR/chest/Pleural Thickening", "XR/chest/normal")
    assert column(collection, "pathologies")[2] == ["Pleural Effusion", "Mass"], "several findings stay"
    patients, splits = column(collection, "patient_id"), column(collection, "split")
    assert patients[:3] == ["nih14/0", "nih14/0", "nih14/1"]
    assert column(collection, "image_id")[0] == "nih14/00000000_000.png"
    assert column(collection, "path")[0] == "images_001/images/00000000_000.png"
    assert set(splits[20:]) == {"test"}
    assert [splits.count(side) for side in ("train", "val", "test")] == [18, 2, 4]
    sides = {patient: {s for p, s in zip(patients, splits, strict=True) if p == patient} for patient in patients}
    assert all(len(side) == 1 for side in sides.values()), "no patient is on both sides"
    assert column(collection, "original_height")[0] == "2749"
    assert column(collection, "pixel_spacing_y")[0] == "0.143"
    assert column(collection, "view")[0] == "PA"
    assert list(collection.record["licences"].values()) == [24]


def test_the_table_of_2017_with_commas_at_its_line_ends(release) -> None:
    text = (release / "Data_Entry_2017_v2020.csv").read_text()
    (release / "Data_Entry_2017_v2020.csv").unlink()
    (release / "Data_Entry_2017.csv").write_text("".join(f"{line},\n" for line in text.splitlines()))
    report = import_as(ImportRequest([release / "Data_Entry_2017.csv"], "c"))
    assert (report.images, report.problems) == (24, 0)


def test_what_is_listed_and_absent(release) -> None:
    (release / "images_001/images/00000000_001.png").unlink()
    with (release / "Data_Entry_2017_v2020.csv").open("a") as handle:
        handle.write(row("00000001_000.png", "Mass", patient=1) + "\n")
        handle.write(row("00000002_000.png", "Mass", patient=77) + "\n")
        handle.write(row("99999999_000.png", "Mass|Dragon", patient=99) + "\n")
        handle.write("short,line\n")
    with (release / "test_list.txt").open("a") as handle:
        handle.write("\n88888888_000.png\n")
    report = import_as(ImportRequest([release], "c"))
    reasons = dict(zip(report.collection.problems()["path"], report.collection.problems()["reason"], strict=True))
    assert report.images == 22
    assert len(reasons) == 5
    assert "there is none at this path" in reasons["images/00000000_001.png"]
    assert "there is none at this path" in reasons["images/99999999_000.png"]
    assert "Expected one patient an image" in reasons["images_001/images/00000002_000.png"]
    assert "Expected 11 cells" in reasons[""]
    assert "Expected a row for each image of test_list.txt" in reasons["88888888_000.png"]
    assert report.notes == [
        "In neither list of NIH ChestX-ray14, so without a split: 1 row.",
        "Findings that NIH ChestX-ray14 does not document, kept as they are: Dragon (1).",
        "Images with several rows: 1, in 2 rows. The findings of all rows are united.",
    ]


def test_another_data_set_and_missing_lists(release) -> None:
    (release / "test_list.txt").write_text((release / "train_val_list.txt").read_text())
    with pytest.raises(ManifestError, match=r"00000000_000\.png is in both"):
        import_as(ImportRequest([release], "c"))
    (release / "test_list.txt").unlink()
    with pytest.raises(ManifestError, match=r"official list test_list\.txt"):
        import_as(ImportRequest([release], "c"))
    (release / "Data_Entry_2017_v2020.csv").write_text("Path,Sex,Age\na,b,c\n")
    with pytest.raises(ManifestError, match="lacks Image Index, Finding Labels, Patient ID; it has Path, Sex, Age"):
        import_as(ImportRequest([release], "c"))
    (release / "Data_Entry_2017_v2020.csv").unlink()
    with pytest.raises(ManifestError, match=r"has neither\. Give the folder"):
        import_as(ImportRequest([release], "c"), format_name="nih14")


def test_real_radiographs_under_their_own_names(real_images, tmp_path) -> None:
    """The layout of the distribution around real images of it."""
    with (real_images / "nih_cxr14" / "manifest.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["orig_name"].endswith(".png")][:60]
    folder = tmp_path / "nih"
    (folder / "images").mkdir(parents=True)
    lines = []
    for entry in rows:
        (folder / "images" / entry["orig_name"]).write_bytes((real_images / "nih_cxr14" / entry["path"]).read_bytes())
        labels = entry["labels_all"].replace("pleural thickening", "Pleural_Thickening").title() or "No Finding"
        lines.append(
            row(entry["orig_name"], labels.replace("Normal", "No Finding"), patient=int(entry["orig_name"][:8]))
        )
    (folder / "Data_Entry_2017.csv").write_text("\n".join([HEADER, *lines]))
    (folder / "train_val_list.txt").write_text("\n".join(entry["orig_name"] for entry in rows[:50]))
    (folder / "test_list.txt").write_text("\n".join(entry["orig_name"] for entry in rows[50:]))
    report = import_as(ImportRequest([folder], "c"))
    assert (report.images, report.problems, report.notes) == (60, 0, [])
    assert report.collection.manifest.pathology_counts["Pneumonia"] > 10
