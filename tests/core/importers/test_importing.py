"""From tables and folders to a collection; nothing is lost in silence."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.layout import collections_folder, list_collections
from radcbir_core.errors import CollectionError, CollectionExistsError, ManifestError
from radcbir_core.importers import import_collection


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def picture(path: Path, *, seed: int = 0, size=(12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0]), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def table(folder: Path, header: list[str], rows: list[list[str]], *, name: str = "manifest.csv", **style) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, **style).writerows([header, *rows])
    return path


def column(collection, name: str) -> list:
    return collection.manifest.frame[name].tolist()


def test_columns_words_and_further_columns(tmp_path) -> None:
    folder = tmp_path / "site"
    for n in range(6):
        picture(folder / "images" / f"{n}.png", seed=n)
    path = table(
        folder,
        ["path", "modality", "anatomy", "pathology", "labels_all", "patient_id", "split_hint", "caption", "scanner"],
        [
            ["images/0.png", "X-ray", "Chest", "No Finding", "ignored", "7", "train", "A, b", "<b>x</b>"],
            ["images/1.png", "CR", "chest", "multiple", "effusion|mass|effusion", "unknown", "valid", "", ""],
            ["images/2.png", "MRI", "chest", "unknown", "glioma", "", "test", "", ""],
            ["images/3.png", "ct", "unknown", "", "infarct", "7", "", "", ""],
            ["images/4.png", "NM", "bone", "multiple", "", "8", "fold 1", "", ""],
            ["images/5.png", "us", "liver", 'say "ah", 肝', "", "", "", "", ""],
        ],
    )
    report = import_collection([path], name="c", title="A title")
    c = report.collection
    assert (report.images, report.problems, report.duplicates) == (6, 0, 0)
    assert c.title == "A title"
    assert column(c, "modality") == ["XR", "XR", "MR", "CT", "other", "US"]
    assert column(c, "anatomy") == ["chest", "chest", "chest", "", "bone", "liver"]
    assert column(c, "pathologies") == [["normal"], ["effusion", "mass"], [], ["infarct"], [], ['say "ah", 肝']]
    assert column(c, "patient_id") == ["7", "", "", "7", "8", ""]
    assert column(c, "split") == ["train", "val", "test", "", "", ""]
    assert column(c, "dataset") == ["site"] * 6
    assert column(c, "path") == [f"images/{n}.png" for n in range(6)]
    assert column(c, "image_id") == [f"site/images/{n}.png" for n in range(6)]
    assert column(c, "scanner") == ["<b>x</b>", "", "", "", "", ""]
    assert column(c, "split_hint")[4] == "fold 1", "the source's own columns stay as they are"
    assert column(c, "pathology")[0] == "No Finding"
    assert column(c, "width") == [12] * 6
    assert column(c, "height") == [10] * 6
    assert column(c, "sha256")[0] == hashlib.sha256((folder / "images/0.png").read_bytes()).hexdigest()
    changed = {(c["column"], c["from"], c["to"]): c["rows"] for c in report.changes}
    assert changed["modality", "X-ray", "XR"] == 1
    assert changed["anatomy", "Chest", "chest"] == 1
    assert changed["split_hint", "fold 1", ""] == 1
    assert changed["pathology", "multiple", ""] == 1, "several findings, and none is named"
    assert json.loads((c.folder / "collection.json").read_text())["changes"] == report.changes


def test_several_sources_one_command(tmp_path) -> None:
    for site in ("north", "south"):
        picture(tmp_path / "all" / site / "1.png", seed=ord(site[0]))
        picture(tmp_path / "all" / site / "2.png", seed=1)
        table(tmp_path / "all" / site, ["path", "image_id"], [["1.png", "one"], ["2.png", f"two-{site}"]])
    report = import_collection([tmp_path / "all"], name="c")
    c = report.collection
    assert column(c, "dataset") == ["north", "north", "south", "south"]
    assert column(c, "path") == ["north/1.png", "north/2.png", "south/1.png", "south/2.png"]
    assert column(c, "image_id") == ["north/one", "two-north", "south/one", "two-south"], "ids differ, each is stable"
    assert c.image_path(3) == tmp_path / "all" / "south" / "2.png"
    assert (report.duplicates, report.duplicate_groups) == (2, 1)
    assert column(c, "duplicate_group")[1] == column(c, "duplicate_group")[3] == 0
    again = import_collection([tmp_path / "all" / "south", tmp_path / "all" / "north" / "manifest.csv"], name="d")
    assert column(again.collection, "dataset") == ["south", "south", "north", "north"]


def test_folders_of_the_same_name_are_told_apart(tmp_path) -> None:
    for site in ("a", "b"):
        picture(tmp_path / site / "images" / "1.png", seed=ord(site))
        table(tmp_path / site / "images", ["path"], [["1.png"]])
    c = import_collection([tmp_path / "a" / "images", tmp_path / "b" / "images"], name="c").collection
    assert column(c, "dataset") == ["a/images", "b/images"]
    assert len(set(column(c, "image_id"))) == 2


def test_a_folder_without_a_table_is_taken_unlabeled(tmp_path) -> None:
    picture(tmp_path / "pics" / "deep" / "1.png")
    (tmp_path / "pics" / "notes.txt").write_text("not an image")
    c = import_collection([tmp_path / "pics"], name="c").collection
    assert column(c, "path") == ["deep/1.png"]
    assert column(c, "modality") == [""]


def test_a_folder_without_a_table_among_others_with_one_is_said(tmp_path) -> None:
    for site in ("with", "without"):
        picture(tmp_path / "all" / site / "deep" / "1.png", seed=len(site))
    (tmp_path / "all" / "documents").mkdir()
    table(tmp_path / "all" / "with", ["path"], [["deep/1.png"]])
    report = import_collection([tmp_path / "all"], name="c")
    assert (report.images, report.problems) == (1, 1)
    problem = report.collection.problems().iloc[0]
    assert problem["source"] == str(tmp_path / "all" / "without")
    assert "Expected a manifest.csv as in the folders beside it" in problem["reason"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_quotes_and_a_byte_order_mark(tmp_path, delimiter) -> None:
    picture(tmp_path / "s" / "1.png")
    path = table(
        tmp_path / "s",
        ["\ufeffPath", "Pathologies", "patient_id"],
        [["1.png", 'a, b|c;d|"e"|<script>|Плеврит', "p"]],
        delimiter=delimiter,
    )
    c = import_collection([path], name="c").collection
    assert column(c, "pathologies") == [["a, b", "c;d", '"e"', "<script>", "Плеврит"]]
    assert c.manifest.mask({"pathologies": ["a, b"]}).tolist() == [True]


def bomb() -> bytes:
    """A PNG that says it is 30,000 × 30,000 and holds next to nothing."""
    header = b"\x00\x00\x75\x30\x00\x00\x75\x30\x08\x00\x00\x00\x00"

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + checksum

    rows = zlib.compress(b"\x00" * 30_001 * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_each_row_that_cannot_be_used_is_listed_with_a_reason(tmp_path) -> None:
    folder = tmp_path / "s"
    good = [picture(folder / f"good{n}.png", seed=n) for n in range(3)]
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)).save(buffer, "JPEG")
    (folder / "cut.jpg").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("this is text")
    (folder / "bomb.png").write_bytes(bomb())
    picture(tmp_path / "outside.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "folder.png").mkdir()
    lines = [
        ["good0.png", "x"],
        ["gone.png", "1"],
        ["empty.png", "2"],
        ["text.png", "3"],
        ["cut.jpg", "4"],
        ["bomb.png", "5"],
        ["../../etc/passwd", "6"],
        ["/etc/passwd", "7"],
        ["link.png", "8"],
        ["", "9"],
        ["folder.png", "10"],
        ["good1.png", "x"],
        ["good2.png", "z", "one cell too many"],
        ["good2.png", "z"],
    ]
    path = table(folder, ["path", "image_id"], lines)
    report = import_collection([path], name="c")
    c = report.collection
    assert column(c, "image_id") == ["x", "z"]
    assert column(c, "path") == [good[0].name, good[2].name]
    problems = {row["path"] or f"line {row['line']}": row for row in c.problems().to_dict("records")}
    assert report.problems == len(problems) == 12
    expected = {
        "gone.png": "there is none at this path",
        "empty.png": "empty",
        "text.png": "text.png",
        "cut.jpg": "cut.jpg",
        "bomb.png": "pixels",
        "../../etc/passwd": "leads out of",
        "/etc/passwd": "leads out of",
        "link.png": "leads out of",
        "line 11": "the cell is empty",
        "folder.png": "there is none at this path",
        "good1.png": "image_id = 'x' stands on an earlier line too",
        "line 14": "Expected 2 cells, but the line has 3",
    }
    for name, reason in expected.items():
        assert reason in problems[name]["reason"], problems[name]
    assert problems["gone.png"]["line"] == "3"
    assert problems["gone.png"]["source"] == str(path)


def test_paths_may_start_from_another_root(tmp_path) -> None:
    picture(tmp_path / "pool" / "1.png")
    path = table(tmp_path / "tables", ["path"], [["1.png"], [str(tmp_path / "pool" / "1.png")]])
    with pytest.raises(ManifestError, match="but 2 rows"):
        import_collection([path], name="c")
    report = import_collection([path], name="c", image_root=tmp_path / "pool")
    assert column(report.collection, "path") == ["1.png", "1.png"]
    assert report.duplicates == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty. Give a CSV whose first line names its columns"),
        (b"  \n\n", "is empty"),
        (b"file,label\na.png,b\n", "Expected a column 'path' and no column twice, but .* has the columns file, label"),
        (b"path,a,a\nx,1,2\n", "has the column 'a' twice"),
        (b"path\n", "has a header and no rows"),
        ("path\nä.png\n".encode("latin-1"), "Expected text in UTF-8"),
        (b"path\n\x00\n", r"the cell has a zero byte in it|line contains NUL"),
        (b"path,image\ngone.png,1\n", r"but 1 row of 1 source.* there is none at this path. First at .* line 2"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, content, message) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=message):
        import_collection([path], name="c")
    assert list_collections() == []
    assert not collections_folder().exists() or list(collections_folder().iterdir()) == []


def test_sources_that_are_not_there(tmp_path) -> None:
    with pytest.raises(ManifestError, match=r"does not exist\. Check the path"):
        import_collection([tmp_path / "nowhere"], name="c")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ManifestError, match=r"Expected a manifest\.csv or image files"):
        import_collection([tmp_path / "empty"], name="c")


def test_a_taken_name_and_a_bad_name(tmp_path) -> None:
    picture(tmp_path / "s" / "1.png")
    import_collection([tmp_path / "s"], name="c")
    before = (open_collection("c").folder / "collection.json").read_bytes()
    with pytest.raises(CollectionExistsError, match="name = 'c' exists already"):
        import_collection([tmp_path / "s"], name="c")
    assert (open_collection("c").folder / "collection.json").read_bytes() == before
    for name in ("../up", "", ".hidden", "a b", "x" * 65, "a/b"):
        with pytest.raises(CollectionError, match="Expected a collection name of 1 to 64"):
            import_collection([tmp_path / "s"], name=name)


def test_the_same_input_gives_the_same_manifest(tmp_path) -> None:
    for n in range(40):
        picture(tmp_path / "s" / f"{n}.png", seed=n)
    first = import_collection([tmp_path / "s"], name="a").collection
    second = import_collection([tmp_path / "s"], name="b").collection
    assert first.digest == second.digest


def test_the_real_collections_in_one_command(real_images) -> None:
    report = import_collection([real_images], name="real")
    counts = {"images": 0, "rows": 0}
    for path in sorted(real_images.glob("*/manifest.csv")):
        with path.open(encoding="utf-8", newline="") as handle:
            counts["rows"] += sum(1 for _ in csv.DictReader(handle))
    assert report.images + report.problems == counts["rows"] == 2818
    assert report.problems < 10
    labels = report.collection.manifest.labels("label")
    pictures = np.asarray(report.collection.manifest.column("dataset")) != "dicom_samples"
    assert int((labels.codes[pictures] >= 0).sum()) == 2026
    assert len(set(labels.codes[pictures]) - {-1}) == 26
