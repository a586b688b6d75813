"""Reviews as a table and back: addresses, formulas, bad rows, and nothing twice."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace

import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.reviews import review_table as module
from radcbir_core.collections.reviews.review_log import read_log
from radcbir_core.collections.reviews.review_table import (
    COLUMNS,
    case_address,
    csv_of,
    import_reviews,
    read_table,
    review_table,
)
from radcbir_core.collections.reviews.reviewing import (
    read_reviews,
    write_correction_of,
    write_note,
    write_tag,
    write_withdrawals,
)
from radcbir_core.errors import ManifestError


def ids(collection) -> list[str]:
    return collection.manifest.column("image_id").tolist()


@pytest.fixture
def reviewed(copied):
    """A collection of which something of each kind was said."""
    one, two, *_ = ids(copied)
    write_tag(copied, (one, ""), "=cmd|' /C calc'!A0", by="@anna")
    write_note(copied, (one, two), 'two\nlines, "quoted"', by="ben", encoder="pixels")
    review = read_reviews(copied.folder).of(one)
    write_correction_of(copied, one, {"anatomy": "elbow", "pathologies": ["a", "b"]}, by="ben", review=review)
    return copied


def table_bytes(*rows: dict, columns=None) -> bytes:
    text = io.StringIO()
    names = columns or list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def test_each_row_has_the_address_of_its_case(reviewed) -> None:
    one, two, *_ = ids(reviewed)
    table = review_table(reviewed, read_reviews(reviewed.folder).entries, server="https://here/")
    assert table.columns.tolist() == list(COLUMNS)
    assert table["kind"].tolist() == ["tag", "note", "correction", "correction"]
    assert set(table["images"]) == {"there"}
    assert table["address"][1].startswith("https://here/review?collection=small&encoder=pixels&image=")
    entry = read_reviews(reviewed.folder).of(one, two).notes[0]
    assert case_address("small", entry) == table["address"][1].removeprefix("https://here/")


def test_no_cell_is_a_formula_and_all_come_back(reviewed, tmp_path) -> None:
    content = csv_of(review_table(reviewed, read_reviews(reviewed.folder).entries))
    cells = [cell for row in csv.reader(io.StringIO(content.decode())) for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    shutil.copytree(reviewed.folder, reviewed.folder.with_name("other"))
    other = open_collection("other")
    other.layout.reviews.unlink()
    imported = import_reviews(other, content, by="chief")
    assert (imported.added, imported.known, imported.refused) == (4, 0, ())
    mine, theirs = (sorted(read_log(one.folder).entries, key=lambda e: e.id) for one in (reviewed, other))
    assert theirs == [replace(entry, imported_by="chief") for entry in mine]


def test_nothing_is_doubled_and_nothing_taken_back_comes_again(reviewed) -> None:
    content = csv_of(review_table(reviewed, read_reviews(reviewed.folder).entries))
    write_withdrawals(reviewed, read_reviews(reviewed.folder).entries[:1], by="ben")
    before = reviewed.layout.reviews.read_bytes()
    imported = import_reviews(reviewed, content, by="chief")
    assert (imported.added, imported.known, imported.refused) == (0, 4, ())
    assert reviewed.layout.reviews.read_bytes() == before


def test_rows_that_a_person_wrote(copied) -> None:
    one, two, *_ = ids(copied)
    content = table_bytes(
        {"kind": "tag", "text": "mine", "image_id": one, "hit_id": ""},
        {"kind": "note", "text": "both", "image_id": one, "hit_id": two},
        {"kind": "tag", "text": "mine", "image_id": one, "hit_id": ""},
    )
    assert (import_reviews(copied, content, by="anna").added, import_reviews(copied, content, by="ben").known) == (2, 3)
    assert [(e.by, e.text) for e in read_reviews(copied.folder).entries] == [("anna", "mine"), ("anna", "both")]


def test_bad_rows_are_told_by_their_line_and_cost_no_other(copied) -> None:
    one, two, *_ = ids(copied)
    good = {"kind": "tag", "text": "ok", "image_id": one}
    rows = [
        good,
        good | {"kind": "like"},
        good | {"image_id": "nobody"},
        good | {"hit_id": one},
        good | {"sha256": "0" * 64},
        good | {"text": "x" * 61},
        good | {"when": "2999-01-01T00:00:00+00:00"},
        good | {"when": "1.1.2026"},
        good | {"id": "7"},
        good | {"kind": "correction", "column": "split"},
        good | {"kind": "correction", "column": "modality", "text": "endoscopy"},
        good | {"kind": "correction", "column": "anatomy", "text": "elbow", "hit_id": two},
        good | {"kind": "correction", "column": "anatomy", "text": "elbow"},
        good | {"id": "a" * 32},
        good | {"id": "a" * 32, "text": "another"},
    ]
    imported = import_reviews(copied, table_bytes(*rows), by="anna")
    assert imported.added == 3
    assert [line for line, _ in imported.refused] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16]
    said = " ".join(reason for _, reason in imported.refused)
    for words in ("a kind of tag", "is not in it", "two images in a pair", "another file there", "a tag of 1 to 60",
                  "in the future", "a time with its zone", "an id of 32", "a column of modality", "Expected a modality",
                  "a correction of", "says something else"):  # fmt: skip
        assert words in said
    correction = next(entry for entry in read_log(copied.folder).entries if entry.kind == "correction")
    assert correction.before == copied.manifest.record(0)["anatomy"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "lacks kind"),
        (b"kind,text\ntag,x\n", "lacks image_id"),
        (b"kind,text,image_id,Text\n", "has a column twice"),
        (b"\xff\xfe", "Expected a table as UTF-8 text"),
        (b'kind,text,image_id\ntag,"x"y,1\n', "line 2 cannot be read as one"),
        (b"kind,text,image_id\n" + b"tag,x,1\n" * 4, "Expected at most 3 rows"),
    ],
)
def test_what_is_no_table_is_one_error(copied, monkeypatch, content, message) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    with pytest.raises(ManifestError, match=message):
        import_reviews(copied, content, by="anna")
    assert not copied.layout.reviews.exists()


def test_a_spreadsheet_may_have_saved_it(copied) -> None:
    content = b"\xef\xbb\xbf" + table_bytes({"kind": "tag", "text": "a", "image_id": ids(copied)[0]}).replace(
        b",", b";"
    )
    assert import_reviews(copied, content + b";;\r\n", by="anna").added == 1


def test_files_that_cannot_be_read_or_are_too_large(copied, tmp_path, monkeypatch) -> None:
    with pytest.raises(ManifestError, match=r"Expected a table of reviews, but .*none\.csv: No such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_bytes(b"x" * 20)
    assert read_table(tmp_path / "t.csv") == b"x" * 20
    monkeypatch.setattr(module, "MOST_BYTES", 10)
    with pytest.raises(ManifestError, match="at most 10 bytes"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(ManifestError, match="at most 10 bytes"):
        import_reviews(copied, b"x" * 20, by="anna")
