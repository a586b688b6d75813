"""Tables as files: the same text in whatever pieces, for who may have it, and never all of it at once."""

from __future__ import annotations

import doctest
import gc
import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.parts.frame import csv_text, downloads
from pages.parts.frame.csv_text import csv_bytes, csv_parts
from pages.parts.frame.downloads import Table
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.evaluation.reports.mined_failures import MinedFailures, failures_of
from radcbir_core.spreadsheet_cells import tamed, untamed
from tests.pages.fetching import fetch
from tests.pages.reading import complaints

CELL = st.one_of(st.none(), st.text(max_size=6), st.sampled_from(["=1", "'=1", "\t-1", "a,b", 'say "x"', "two\nlines"]))


class Box:
    """Where a page would draw."""

    def __init__(self) -> None:
        self.drawn: list[tuple] = []

    def link_button(self, label: str, address: str, **_: object) -> None:
        self.drawn.append(("link", label, address))

    def download_button(self, label: str, content: object, **_: object) -> None:
        self.drawn.append(("button", label, content()))


@pytest.fixture
def session(monkeypatch) -> dict:
    """What a session holds."""
    held: dict = {}
    monkeypatch.setattr(downloads.st, "session_state", held)
    return held


def test_the_examples_in_the_docstrings_run() -> None:
    result = doctest.testmod(csv_text)
    assert result.attempted > 0
    assert result.failed == 0


@given(cells=st.lists(st.tuples(CELL, CELL, st.floats(width=32), st.booleans()), max_size=12), at=st.integers(0, 12))
def test_a_csv_says_what_the_table_does_in_whatever_pieces(cells, at) -> None:
    text, other, number, switch = ([row[place] for row in cells] for place in range(4))
    table = pd.DataFrame(
        {
            "text": pd.Series(text, dtype="str"),
            "=any": pd.Series(other, dtype=object),
            "number": np.array(number, dtype=np.float32),
            "switch": np.array(switch, dtype=bool),
            "lists": pd.Series([["=a", "b"] for _ in cells], dtype=object),
        }
    )
    whole = csv_bytes(table)
    assert b"".join(csv_parts([table.iloc[:at], table.iloc[at:]])) == whole
    read = pd.read_csv(io.BytesIO(whole), dtype=str, keep_default_na=False, lineterminator="\n", encoding="utf-8")
    if any("\r" in cell or "\0" in cell for cell in [*text, *other] if cell):
        return  # pandas reads these otherwise
    assert list(read.columns) == ["text", "'=any", "number", "switch", "lists"]
    assert [untamed(cell) for cell in read["text"]] == [cell or "" for cell in text]
    assert read["'=any"].tolist() == [tamed(cell or "") for cell in other]
    assert read["lists"].tolist() == ["'=a|b"] * len(cells)
    assert read["switch"].tolist() == [str(one).lower() for one in switch]
    given_numbers = table["number"].to_numpy()
    np.testing.assert_array_equal([np.float32(cell or "nan") for cell in read["number"]], given_numbers)


def test_a_small_table_is_given_at_once_and_a_large_one_piece_by_piece(session, monkeypatch) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 4)
    made: list[int] = []

    def finished(part: pd.DataFrame) -> pd.DataFrame:
        made.append(len(part))
        return part.assign(image_id=[f"image {row}" for row in part["row"]])

    for number, pieces in ((0, [0]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])):
        frame = pd.DataFrame({"row": np.arange(number)})
        table = Table(number, lambda frame=frame: frame, finished)
        expected = csv_bytes(finished(frame))
        made.clear()
        box = Box()
        downloads.offer(table, file_name="a b.csv", about="", box=box)
        kind, label, got = box.drawn[0]
        assert (kind, label) == ("link" if number > 4 else "button", "CSV")
        if kind == "link":
            assert not made, "nothing is made before it is fetched"
            status, headers, got = fetch(got)
            assert status == 200
            assert headers["content-disposition"] == "attachment; filename*=UTF-8''a%20b.csv"
            assert (headers["cache-control"], headers["content-encoding"]) == ("no-store", "identity")
            assert headers["content-type"].startswith("text/csv")
        assert got == expected
        assert made == pieces


def test_a_piece_is_made_when_the_one_before_was_taken(monkeypatch) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 2)
    made: list[int] = []
    table = Table(6, lambda: pd.DataFrame({"row": range(6)}), lambda part: made.append(len(part)) or part)
    pieces: Iterator[bytes] = csv_parts(table.parts())
    for number in (1, 2, 3):
        next(pieces)
        assert len(made) == number


def test_an_address_is_one_session_s_as_long_as_it_offers_the_table(session, monkeypatch) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 1)
    box = Box()
    for rows in ([1, 2], [3, 4]):
        frame = pd.DataFrame({"row": rows})
        downloads.offer(Table(2, lambda frame=frame: frame), file_name="a.csv", about="", box=box)
    first, second = (address for _, _, address in box.drawn)
    assert first == second, "a page that is drawn again does not change under the pointer"
    assert fetch(first)[2] == b'"row"\n3\n4\n', "what is offered last"
    downloads.offer(Table(2, lambda: pd.DataFrame({"row": [5, 6]})), file_name="b.csv", about="", box=box)
    assert box.drawn[-1][2] != first
    for refused in ("cross-site", "same-site"):
        status, _, content = fetch(first, sec_fetch_site=refused)
        assert (status, content[:28]) == (403, b"Expected a request from the ")
    session.clear()
    gc.collect()
    status, headers, content = fetch(first)
    assert (status, headers["cache-control"]) == (404, "no-store")
    assert b"Reload the page" in content


def test_what_cannot_be_read_is_said_and_no_half_file_is_given(session, monkeypatch) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 1)

    def damaged() -> pd.DataFrame:
        raise CollectionError("Expected a manifest, but it is gone. Import it again.")

    box = Box()
    downloads.offer(Table(2, damaged), file_name="a.csv", about="", box=box)
    status, _, content = fetch(box.drawn[0][2])
    assert (status, content) == (404, b"Expected a manifest, but it is gone. Import it again.")


def test_large_tables_of_pages_are_those_of_the_evaluations(app, copied_data, monkeypatch) -> None:
    monkeypatch.setattr(downloads, "AT_ONCE", 7)
    store = open_collection("small").store("pixels")
    manifest = store.collection.manifest
    at = app("failures", view="hubness")
    assert not complaints(at)
    link = next(one.proto for one in at.get("link_button") if one.proto.label == "CSV of images")
    hubs = Hubness().suited(store).run(store).tables["images"]
    assert fetch(link.url)[2] == csv_bytes(manifest.with_image_ids(hubs))

    monkeypatch.setattr(downloads, "AT_ONCE", 1)
    at = app("failures", view="mined", kind="confident", sort="least", where="modality=CT")
    assert not complaints(at)
    link = next(one.proto for one in at.get("link_button") if one.proto.label == "CSV")
    result = MinedFailures().suited(store).run(store)
    failures = failures_of(result, "confident")
    failures = failures[manifest.mask({"modality": ["CT"]})[failures["row"].to_numpy()]].iloc[::-1]
    assert len(failures) > 1
    content = pd.read_csv(io.BytesIO(fetch(link.url)[2]))
    assert content["image_id"].tolist() == manifest.rows(failures["row"], ["image_id"])["image_id"].tolist()
