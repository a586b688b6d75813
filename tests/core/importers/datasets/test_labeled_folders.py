"""Labels from the names of folders."""

from __future__ import annotations

import pytest

from radcbir_core.collections.layout import list_collections
from radcbir_core.errors import ManifestError
from radcbir_core.importers import ImportRequest, import_as
from radcbir_core.importers.formats import detect


def test_modality_anatomy_pathology_with_splits(tmp_path, picture, column) -> None:
    source = tmp_path / "site"
    for number, path in enumerate(
        ["train/CT/head/hemorrhage/a.png", "train/CT/head/no_finding/x/b.png", "test/MRI/knee/normal/c.png"]
    ):
        picture(source / path, seed=number)
    assert detect(source).name == "folder"
    collection = import_as(ImportRequest([source], "c")).collection
    assert column(collection, "path") == [
        "test/MRI/knee/normal/c.png",
        "train/CT/head/hemorrhage/a.png",
        "train/CT/head/no_finding/x/b.png",
    ]
    assert column(collection, "split") == ["test", "train", "train"]
    assert column(collection, "modality") == ["MR", "CT", "CT"]
    assert column(collection, "anatomy") == ["knee", "head", "head"]
    assert column(collection, "pathologies") == [["normal"], ["hemorrhage"], ["normal"]]
    assert column(collection, "dataset") == ["site"] * 3


def test_pathology_alone_with_the_rest_given(tmp_path, picture, column) -> None:
    picture(tmp_path / "s" / "glioma" / "deep" / "1.png")
    picture(tmp_path / "s" / "2.png", seed=2)
    request = ImportRequest([tmp_path / "s"], "c", modality="MRI", anatomy="brain")
    report = import_as(request, format_name="folder")
    assert column(report.collection, "pathologies") == [["glioma"]]
    assert column(report.collection, "modality") == ["MR"]
    assert column(report.collection, "anatomy") == ["brain"]
    assert report.problems == 1
    assert "Expected the folders pathology, but the image lies in none" in report.collection.problems()["reason"][0]


def test_anatomy_and_pathology_with_the_modality_given(tmp_path, picture, column) -> None:
    picture(tmp_path / "s" / "liver" / "cyst" / "1.png")
    request = ImportRequest([tmp_path / "s"], "c", modality="US")
    collection = import_as(request, format_name="folder").collection
    assert collection.manifest.labels("label").values == ("US/liver/cyst",)


def test_a_folder_that_is_no_modality_is_a_problem_and_the_rest_goes_on(tmp_path, picture) -> None:
    picture(tmp_path / "s" / "CT" / "head" / "mass" / "1.png")
    picture(tmp_path / "s" / "cats" / "head" / "mass" / "2.png")
    assert detect(tmp_path / "s").name == "manifest"
    report = import_as(ImportRequest([tmp_path / "s"], "c"), format_name="folder")
    assert (report.images, report.problems) == (1, 1)
    assert "'cats' is no modality" in report.collection.problems()["reason"][0]


def test_what_is_refused(tmp_path, picture) -> None:
    picture(tmp_path / "s" / "CT" / "head" / "mass" / "1.png")
    with pytest.raises(ManifestError, match="Expected a modality of XR, CT"):
        import_as(ImportRequest([tmp_path / "s"], "c", modality="cats"), format_name="folder")
    with pytest.raises(ManifestError, match="but suffix is given"):
        import_as(ImportRequest([tmp_path / "s"], "c", suffix="png"), format_name="folder")
    with pytest.raises(ManifestError, match=r"is none\. Check the path"):
        import_as(ImportRequest([tmp_path / "nowhere"], "c"), format_name="folder")
    with pytest.raises(ManifestError, match="does not exist"):
        import_as(ImportRequest([tmp_path / "nowhere"], "c"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match="Expected image files in folders"):
        import_as(ImportRequest([tmp_path / "empty"], "c"), format_name="folder")
    with pytest.raises(ManifestError, match="Expected a format of manifest, "):
        import_as(ImportRequest([tmp_path / "s"], "c"), format_name="zip")
    with pytest.raises(ManifestError, match="Expected a check of decode, bytes, exists"):
        import_as(ImportRequest([tmp_path / "s"], "c", check="no"))  # type: ignore[arg-type]
    assert list_collections() == []


@pytest.mark.parametrize(
    ("check", "sizes", "duplicates", "notes"), [("decode", 12.0, 2, 0), ("bytes", None, 2, 1), ("exists", None, 0, 2)]
)
def test_how_far_files_are_looked_at(tmp_path, picture, check, sizes, duplicates, notes) -> None:
    for name in ("1.png", "2.png"):
        picture(tmp_path / "s" / "CT" / "head" / "mass" / name)
    (tmp_path / "s" / "CT" / "head" / "mass" / "damaged.png").write_bytes(b"no picture")
    picture(tmp_path / "outside.png")
    (tmp_path / "s" / "CT" / "head" / "mass" / "link.png").symlink_to(tmp_path / "outside.png")
    report = import_as(ImportRequest([tmp_path / "s"], "c", check=check))
    manifest = report.collection.manifest
    assert report.duplicates == duplicates
    assert len(report.notes) == notes
    assert report.images == (2 if check == "decode" else 3), "damage is found by decoding only"
    assert "leads out of" in " ".join(report.collection.problems()["reason"]), "links out are refused in every case"
    assert manifest.table.column("width").to_pylist()[0] == sizes
    assert bool(manifest.column("sha256")[0]) == (check != "exists")
    assert report.collection.record["checked"] == check
    assert report.collection.record["notes"] == report.notes
    assert set(manifest.groups("duplicate")) <= {-1, 0}
    assert manifest.numeric_columns(range(len(manifest))) == []
