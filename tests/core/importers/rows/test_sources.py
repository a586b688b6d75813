"""CSV tables line by line: delimiters, widths, damage, and how long they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows import sources
from radcbir_core.importers.rows.sources import CsvTable, Row, real


def written(folder: Path, content: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_with_a_byte_order_mark_and_quotes(tmp_path, delimiter) -> None:
    header, line = delimiter.join(["\ufeffPath", " Age "]), delimiter.join([f'"a{delimiter} ""b"""', "7"])
    table = CsvTable(written(tmp_path, f"{header}\n{line}\n"), lower=True)
    assert table.columns == ["path", "age"]
    assert list(table.rows()) == [Row(2, {"path": f'a{delimiter} "b"', "age": "7"})]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path) -> None:
    rows = list(CsvTable(written(tmp_path, 'a,b\n1,"x\ny"\n\n , \n2,3\n')).rows())
    assert [(row.line, row.cells["a"]) for row in rows] == [(3, "1"), (6, "2")], "blank lines are no rows"


def test_commas_at_line_ends_are_no_cells_and_others_are(tmp_path) -> None:
    table = CsvTable(written(tmp_path, "a,,b,\n1,dropped,2\n1,,2,,\n1,2\n1,,2,3\n"))
    assert table.columns == ["a", "b"]
    rows = list(table.rows())
    assert [row.cells for row in rows[:2]] == [{"a": "1", "b": "2"}] * 2, "a column without a name is left out"
    assert [row.reason for row in rows[2:]] == [
        "Expected 3 cells, but the line has 2.",
        "Expected 3 cells, but the line has 4.",
    ]


def test_required_columns_are_named(tmp_path) -> None:
    table = CsvTable(written(tmp_path, "a,b\n"))
    table.require(["b", "a"], what="a list")
    with pytest.raises(ManifestError) as caught:
        table.require(["b", "c", "d"], what="x.csv of X")
    assert str(caught.value) == (
        f"Expected x.csv of X with the columns b, c, d, but {table.path} lacks c, d; it has a, b. "
        "Give the file of this data set, or another format."
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "is empty. Give a CSV whose first line names its columns"),
        ("t.csv", b" \na,b\n", "is empty"),
        ("t.csv", b"a,b,a\n", "has the column 'a' twice. Rename one of them"),
        ("t.csv", "ä\n".encode("latin-1"), "has other bytes at position 0. Save it as UTF-8 CSV"),
        ("t.csv.gz", b"a,b\n", "is damaged or cut off. Copy it again from its source"),
        ("t.csv.gz", gzip.compress(b"a,b\n")[:12], "is damaged or cut off"),
        ("t.csv", b"x" * 5_000_000, "has a longer one. Give a CSV table"),
        ("t.csv", b"x" * 200_000, "Expected cells of at most 131,072 characters, but line 1 of "),
    ],
    ids=["empty", "blank", "a column twice", "Latin-1", "no gzip", "cut gzip", "no lines", "a huge name"],
)
def test_what_is_no_table(tmp_path, name, content, message) -> None:
    path = written(tmp_path, content, name)
    with pytest.raises(ManifestError) as caught:
        CsvTable(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_table_that_is_not_there(tmp_path) -> None:
    with pytest.raises(ManifestError, match=r"gone\.csv: No such file or directory\. Check the file"):
        CsvTable(tmp_path / "gone.csv")


def test_damage_further_on_is_met_when_it_is_reached(tmp_path) -> None:
    rows = CsvTable(written(tmp_path, b"a\n" + b"1\n" * 9000 + b"\xff\n")).rows()
    assert next(rows).cells == {"a": "1"}
    with pytest.raises(ManifestError, match="other bytes at position"):
        list(rows)


def test_a_cell_without_an_end_is_told_with_its_line(tmp_path) -> None:
    table = CsvTable(written(tmp_path, 'a,b\n1,2\n3,"' + "x\n" * 100_000))
    with pytest.raises(
        ManifestError, match=r"of at most 131,072 characters, but line \d+ of .*t\.csv has a longer one"
    ):
        list(table.rows())


def test_a_gzip_bomb_is_not_unpacked(tmp_path) -> None:
    table = CsvTable(written(tmp_path, gzip.compress(b"path\n" + b"x" * 50_000_000), "t.csv.gz"))
    with pytest.raises(ManifestError, match="Expected lines of at most"):
        list(table.rows())


@pytest.mark.parametrize("lines", [1, 7, 799, 30_000])
def test_about_how_many_rows_there_are_is_told_from_lines_here_and_there(tmp_path, lines) -> None:
    # The first lines are the shortest, as where names are numbers or an old part has no captions.
    rows = [f"images/{number}.png,{'x' * (number // 1000)}" for number in range(lines)]
    table = "\n".join(["path,caption", *rows, ""])
    (tmp_path / "table.csv").write_text(table)
    assert CsvTable(tmp_path / "table.csv").about() == pytest.approx(lines, rel=0.03, abs=1)
    with gzip.open(tmp_path / "table.csv.gz", "wt") as handle:
        handle.write(table)
    assert CsvTable(tmp_path / "table.csv.gz").about() >= 1
    (tmp_path / "table.csv").write_bytes(table.encode()[:-3])
    assert CsvTable(tmp_path / "table.csv").about() == pytest.approx(lines, rel=0.03, abs=1)


def test_real_is_without_links_and_from_home(tmp_path, monkeypatch) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert real(Path("~/link/../link")) == real(tmp_path / "there")


def test_more_columns_than_any_table_of_images_has_are_refused_at_once(tmp_path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("path," + ",".join(f"c{number}" for number in range(20_000)))
    with pytest.raises(ManifestError, match=r"Expected at most 20,000 columns, but .*wide\.csv has 20,001\."):
        CsvTable(path)
    path.write_text("path," + ",".join(f"c{number}" for number in range(19_999)))
    assert len(CsvTable(path).columns) == 20_000


@pytest.mark.parametrize(
    ("head", "kind"), [(b"\x89PNG\r\n\x1a\n\xff", "PNG"), (b"\xff\xd8\xff\xe0", "JPEG"), (b"II*\0\xff", "TIFF")]
)
def test_an_image_is_no_table_of_images(tmp_path, head, kind) -> None:
    (tmp_path / "a.csv").write_bytes(head)
    with pytest.raises(ManifestError, match=rf"a\.csv is an image itself \({kind}\)\. Give the folder it lies in"):
        CsvTable(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("first", "below", "certain", "likely"),
    [
        ("img/a.png,mass", "img/b.png,normal", True, True),
        ("7,scan.dcm", "8,other.dcm", True, True),
        ("path,label", "img/b.png,normal", False, False),
        ("a.png,b.png", "1,0", False, False),  # one-hot columns of odd names
        ("p001,00012", "p002,00013", False, True),
        ("p001,mass,left", "p002,normal,right", False, False),
        ("0,1,2", "3,4,5", False, False),  # as pandas numbers columns
        ("1,2", "7,8", False, False),
        ("0.25,0.5", "0.75,1.5", False, True),
    ],
)
def test_a_first_line_that_is_data_is_no_header(tmp_path, first, below, certain, likely) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{first}\n{below}\n{below}\n")
    for certainly, refused in ((True, certain), (False, likely)):
        table = CsvTable(path)
        if not refused:
            table.refuse_data_as_header(certainly=certainly)
            continue
        with pytest.raises(ManifestError, match=r"Expected a first line that names the columns, but that of .*t\.csv"):
            table.refuse_data_as_header(certainly=certainly)
    numbered = CsvTable(path, header=False)
    numbered.refuse_data_as_header(certainly=False)
    assert numbered.columns == [str(n + 1) for n in range(first.count(",") + 1)]
    assert next(list(row.cells.values()) for row in numbered.rows()) == first.split(",")
    assert len(list(numbered.rows())) == 3


def test_a_table_of_a_header_alone_is_not_taken_for_data(tmp_path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x1,x2\n")
    CsvTable(path).refuse_data_as_header(certainly=False)


def by_columns(table: CsvTable) -> list[tuple[int, int, dict[str, str], str]]:
    """Position, line, cells and reason of each row, as the columns have them."""
    parts = list(table.text_rows())
    usable = {
        position: (line, {name: column[place].as_py() for name, column in part.columns.items()}, "")
        for part in parts
        for place, (line, position) in enumerate(zip(part.lines.tolist(), part.positions.tolist(), strict=True))
    }
    faulty = [(row.line, row.cells, row.reason) for part in parts for row in part.faulty]
    others = [position for position in range(len(usable) + len(faulty)) if position not in usable]
    every = usable | dict(zip(others, faulty, strict=True))
    return [(position, *every[position]) for position in sorted(every)]


TABLE_TEXT = st.lists(
    st.sampled_from(["a", "b,c", '"d"', '"e\nf"', ",", "\n", "\r\n", "\r", " ", '"', "é", "\x1c", ",,"])
)


@settings(max_examples=100, deadline=None)
@given(TABLE_TEXT, st.sampled_from([4, 64, 1 << 22]), st.booleans())
def test_rows_by_columns_are_the_rows(tmp_path_factory, parts, block, header) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text("path,x\n" + "".join(parts), encoding="utf-8-sig", newline="")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sources, "_BLOCK_BYTES", block)
        table = CsvTable(path, header=header)
        rows = [(place, row.line, row.cells, row.reason) for place, row in enumerate(table.rows())]
        assert by_columns(table) == rows


@pytest.mark.parametrize(
    "content",
    [
        b"path,x\n" + 30_000 * b"a,b\n" + b"a,\xff\n",
        b"path,x\n" + 30_000 * b"a,b\n" + b'a,"\n\xff"\n',
        b'path,x\na,"' + 140_000 * b"b" + b"\n",
        b"path,x\na," + 5_000_000 * b"b" + b"\n",
        b"path,x\n" + 100 * b"a,b\n" + b'a,"b\n' + 40_000 * b"cdef\n",
    ],
)
def test_what_cannot_be_read_is_told_alike(tmp_path, content) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    table = CsvTable(path)
    told = []
    for read in (table.rows, table.text_rows):
        with pytest.raises(ManifestError) as caught:
            list(read())
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_a_packed_table_by_columns(tmp_path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"path,x\na,b\n"))
    (part,) = CsvTable(path).text_rows()
    assert {name: column.to_pylist() for name, column in part.columns.items()} == {"path": ["a"], "x": ["b"]}
    path.write_bytes(gzip.compress(b"path,x\n" + 1000 * b"a,b\n")[:-9])
    with pytest.raises(ManifestError, match="damaged or cut off"):
        list(CsvTable(path).text_rows())
