"""What an importer hands on: where a data set's images lie and, lazily, one row an image.

Owns the records of a source, and reading CSV files line by line, plain or gzip. Knows nothing of labels: it hands on
what the source says, with the line it stood on.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from radcbir_core.errors import ManifestError, Remedy
from radcbir_core.images import IMAGE_SUFFIXES, suffix_of
from radcbir_core.images.file_types import HEAD_BYTES, sniff
from radcbir_core.importers.rows.plain_cells import plain_cells

_DELIMITERS = ",;\t"
_LONGEST_LINE = 4 * 1024 * 1024
_MOST_COLUMNS = 20_000
_BLOCK_BYTES = 4 << 20
_PLACES, _LINES_OF_A_PLACE, _SMALL = 16, 50, 2**16
_LOOKED_AT = 20
_UNPACKED = 8  # times the size of a packed table, about

Cell = str | list[str]


@dataclass(frozen=True, slots=True)
class Row:
    """One image as its source describes it.

    Attributes:
        line: The line of the table it ends on, 1-based; 0 where the source is a folder without a table.
        cells: Column → text; columns are in lower case. ``pathologies`` may be a list.
        reason: Why this is no image; "" where it is one.
        origin: The table that the line is in, where it is another than the source's.
        frame: Which frame of the file it is, counted from 0; ``None`` where the file is one image. The same number
            stands in the cell :data:`~radcbir_core.collections.manifests.manifest.FRAME_COLUMN`.
        again: What is wrong with it where a row before, of another file that can be used, is the same image; "" for
            what is to be said of any table.
    """

    line: int
    cells: dict[str, Cell]
    reason: str = ""
    origin: Path | None = None
    frame: int | None = None
    again: str = ""


@dataclass(frozen=True, slots=True)
class TextRows:
    """Some rows of a table that follow each other, by columns.

    Attributes:
        columns: Column → ``(n,)`` Arrow text.
        lines: ``(n,)`` int64, the line of the table that each ends on, 1-based.
        positions: ``(n,)`` int64, which row of the table each is, from 0; those with a reason are counted.
        faulty: Those with a reason and no cells.
    """

    columns: dict[str, pa.Array]
    lines: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    faulty: list[Row]


@dataclass(slots=True)
class Source:
    """One data set: a table, or a folder of images.

    Attributes:
        origin: The table or folder itself.
        root: The real folder that its paths start from and must not leave.
        dataset: What to call the data set where a row does not say.
        rows: Its images, read as they are taken; once only.
        columns: All columns that its rows may have, in lower case.
        expected: About how many rows there are, for the progress bar.
        licence: Of the whole data set, where it has no column for it.
        notes: What has to be known about numbers made from it.
        rooted: Whether what its paths start from can be named otherwise.
        one_label_a_file: Whether images with the same bytes and different labels are to be left out.
        private_files: Name → content of files for the collection's folder that only its owner may read.
        only_with_volumes: Those of its columns that only slices of volumes fill.
        volumes: How many volumes its rows were made of so far.
        seen: How many rows were taken so far; counted by the import.
        images: How many of them are images of the collection; counted by the import.
    """

    origin: Path
    root: Path
    dataset: str
    rows: Iterable[Row]
    columns: Sequence[str] = ()
    expected: int = 0
    licence: str = ""
    notes: list[str] = field(default_factory=list)
    rooted: bool = False
    one_label_a_file: bool = False
    private_files: dict[str, bytes] = field(default_factory=dict)
    only_with_volumes: frozenset[str] = frozenset()
    volumes: int = 0
    seen: int = 0
    images: int = 0


class CsvTable:
    r"""A CSV file with a header: comma, semicolon or tab between cells; UTF-8; plain, or gzip if it ends on ``.gz``.

    Args:
        path: The file.
        lower: Whether column names are taken in lower case.
        header: Whether the first line names the columns; without, they are called 1, 2 and so on.

    Attributes:
        path: The file.
        columns: Its columns.

    Raises:
        ManifestError: It cannot be read, is empty, is not UTF-8 text, has a column twice, or more than 20,000 of them.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text("File;Finding\n1.png;mass\n2.png\n")
        >>> table = CsvTable(path)
        >>> table.columns, [(row.line, row.cells, bool(row.reason)) for row in table.rows()]
        (['File', 'Finding'], [(2, {'File': '1.png', 'Finding': 'mass'}, False), (3, {}, True)])
    """

    def __init__(self, path: Path, *, lower: bool = False, header: bool = True) -> None:
        self.path = path
        self._has_header = header
        with self._reading() as handle:
            first = handle.readline(_LONGEST_LINE)
            if not first.strip():
                raise ManifestError(
                    f"Expected a table with a header line, but {path} is empty. Give a CSV whose first line names its "
                    "columns."
                )
            self._delimiter = max(_DELIMITERS, key=first.count)
        with self._reading() as handle:
            names = next(self._read(handle))[1]
        if not header:
            names = [str(number + 1) for number in range(len(names))]
        while names and not names[-1].strip():
            names.pop()  # some tables end each line with a comma
        self._header = [name.strip().lower() if lower else name.strip() for name in names]
        self.columns = [name for name in self._header if name]
        if len(names) > _MOST_COLUMNS:
            raise ManifestError(
                f"Expected at most {_MOST_COLUMNS:,} columns, but {path} has {len(names):,}. Leave out those that say "
                "nothing about the images."
            )
        repeated = sorted(name for name, times in Counter(self.columns).items() if times > 1)
        if repeated:
            raise ManifestError(
                f"Expected no column twice, but {path} has the column {repeated[0]!r} twice. Rename one of them."
            )

    def require(self, columns: Sequence[str], *, what: str) -> None:
        """Do nothing if the table has all these columns.

        Args:
            columns: Their names.
            what: What the table was taken for, as in "Data_Entry_2017.csv of NIH ChestX-ray14".

        Raises:
            ManifestError: It is another table.
        """
        missing = [name for name in columns if name not in self.columns]
        if missing:
            raise ManifestError(
                f"Expected {what} with the columns {', '.join(columns)}, but {self.path} lacks {', '.join(missing)}; "
                f"it has {', '.join(self.columns)[:300]}. Give the file of this data set, or another format."
            )

    def refuse_data_as_header(self, *, certainly: bool, remedy: Remedy | None = None) -> None:
        """Do nothing if the first line names columns.

        Args:
            certainly: Whether only to refuse what is data beyond doubt: the name of an image file above others.
            remedy: What makes the table one without a header, where that can be said.

        Raises:
            ManifestError: It is data, like the lines below.
        """
        if not self._has_header:
            return
        below = [list(row.cells.values()) for row in itertools.islice(self.rows(), _LOOKED_AT) if not row.reason]
        if not is_data(self.columns, below, certainly=certainly):
            return
        way = "say that there is none: the columns are then called 1, 2 and so on" if remedy else "take that line out"
        raise ManifestError(
            f"Expected a first line that names the columns, but that of {self.path} is data like the lines below it: "
            f"{', '.join(self.columns)[:200]}. Write one above it, or {way}.",
            remedy=remedy,
        )

    def rows(self) -> Iterator[Row]:
        """The rows in order, read as they are taken; one with too many or too few cells has a reason and no cells.

        Raises:
            ManifestError: The file breaks off or has other bytes than UTF-8 text in it.
        """
        with self._reading() as handle:
            lines = self._read(handle)
            if self._has_header:
                next(lines)
            for line, cells in lines:
                row = self._row(line, cells)
                if row is not None:
                    yield row

    def text_rows(self) -> Iterator[TextRows]:
        """What :meth:`rows` gives, by columns and some megabytes at a time; many times as quick.

        Raises:
            ManifestError: As :meth:`rows` does.
        """
        try:
            with self._reading_bytes() as handle:
                lines = _Lines(_blocks(handle))
                if self._has_header:
                    next(csv.reader(lines, delimiter=self._delimiter))
                position = 0
                while lines.more():
                    read = self._plain(lines, position) or self._line_by_line(lines, position)
                    position += len(read.lines) + len(read.faulty)
                    yield read
        except (csv.Error, pa.ArrowInvalid):
            for _ in self.rows():  # which says what is wrong, and where
                pass
            raise

    def _plain(self, lines: _Lines, position: int) -> TextRows | None:
        """The rest of a block where it is plain."""
        cells = plain_cells(lines.rest(), columns=len(self._header), delimiter=self._delimiter)
        if cells is None:
            return None
        numbers = lines.number + 1 + np.arange(len(cells[0]))
        lines.take_rest(len(numbers))
        said = np.zeros(len(numbers), dtype=bool)
        for column in cells:
            said |= np.asarray(pc.not_equal(pc.utf8_trim_whitespace(column), ""))
            if said.all():
                break
        else:
            cells, numbers = [column.filter(pa.array(said)) for column in cells], numbers[said]
        return self._text_rows(cells, numbers, position + np.arange(len(numbers)), [])

    def _line_by_line(self, lines: _Lines, position: int) -> TextRows:
        """The rest of a block, and what a row that begins in it has beyond."""
        before, numbers, positions, faulty = lines.number, [], [], []
        texts: list[list[str]] = []
        reader = csv.reader(lines, delimiter=self._delimiter)
        for cells in reader:
            row = self._row(before + reader.line_num, cells)
            if row is not None and row.reason:
                faulty.append(row)
            elif row is not None:
                texts.append(cells)
                numbers.append(row.line)
                positions.append(position)
            position += row is not None
            if lines.at_end:
                break
        columns = list(zip(*texts, strict=True)) or [()] * len(self._header)
        arrays = [pa.array(column, pa.string()) for column in columns]
        return self._text_rows(arrays, np.array(numbers, np.int64), np.array(positions, np.int64), faulty)

    def _text_rows(
        self,
        cells: Sequence[pa.Array],
        lines: npt.NDArray[np.int64],
        positions: npt.NDArray[np.int64],
        faulty: list[Row],
    ) -> TextRows:
        columns = {name: column for name, column in zip(self._header, cells, strict=True) if name}
        return TextRows(columns, lines, positions, faulty)

    def about(self) -> int:
        """About how many rows there are: the file's size by the length of lines here and there in it."""
        packed = self.path.suffix == ".gz"
        size = self.path.stat().st_size
        # A packed file is not to be unpacked up to its middle.
        small = not packed and size < _SMALL
        starts = [0] if packed or small else [(2 * n + 1) * size // (2 * _PLACES) for n in range(_PLACES)]
        means = []
        with self._reading_bytes() as handle:
            for start in starts:
                handle.seek(start)
                if start:
                    handle.readline(_LONGEST_LINE)  # the rest of a line
                lines = (handle.readline(_LONGEST_LINE) for _ in range(size if small else _LINES_OF_A_PLACE))
                lengths = [len(line) for line in itertools.takewhile(bool, lines)]
                if lengths:
                    means.append(sum(lengths) / len(lengths))
        whole = size * (_UNPACKED if packed else 1)
        return max(1, round(sum(whole / len(means) / mean for mean in means)) - 1)

    def _row(self, line: int, cells: list[str]) -> Row | None:
        """A row with as many cells as there are columns, or why not; ``None`` where none of the cells says anything."""
        width = len(self._header)
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if not any(cell.strip() for cell in cells):
            return None
        if len(cells) != width:
            return Row(line, {}, f"Expected {width} cells, but the line has {len(cells)}.")
        return Row(line, {name: cell for name, cell in zip(self._header, cells, strict=True) if name})

    def _read(self, handle: TextIO) -> Iterator[tuple[int, list[str]]]:
        """The number of the line that a row ends on, and its cells."""
        reader = csv.reader(self._lines(handle), delimiter=self._delimiter)
        try:
            for cells in reader:
                yield reader.line_num, cells
        except csv.Error as error:
            if "field limit" in str(error):
                raise ManifestError(
                    f"Expected cells of at most {csv.field_size_limit():,} characters, but line {reader.line_num} of "
                    f"{self.path} has a longer one. Shorten it; or close the quotation mark that opens it."
                ) from error
            raise ManifestError(
                f"Expected a CSV table, but line {reader.line_num} of {self.path} is none: {error}. Correct it."
            ) from error

    def _lines(self, handle: TextIO) -> Iterator[str]:
        """The lines of the file; a line without end, as of a binary or a bomb, is never read whole."""
        while line := handle.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise ManifestError(
                    f"Expected lines of at most {_LONGEST_LINE:,} characters, but {self.path} has a longer one. "
                    "Give a CSV table."
                )
            yield line

    @contextmanager
    def _reading(self) -> Iterator[TextIO]:
        opened = gzip.open if self.path.suffix == ".gz" else open
        with self._faults(), cast(TextIO, opened(self.path, "rt", encoding="utf-8-sig", newline="")) as handle:
            yield handle

    @contextmanager
    def _reading_bytes(self) -> Iterator[BinaryIO]:
        opened = gzip.open if self.path.suffix == ".gz" else open
        with self._faults(), cast(BinaryIO, opened(self.path, "rb")) as handle:
            yield handle

    def _kind_of_image(self) -> str | None:
        try:
            with self.path.open("rb") as handle:
                return sniff(handle.read(HEAD_BYTES))
        except OSError:
            return None

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            if (kind := self._kind_of_image()) is not None:
                raise ManifestError(
                    f"Expected a folder or a table of images, but {self.path} is an image itself ({kind}). Give the "
                    "folder it lies in, or a table that names it."
                ) from error
            raise ManifestError(
                f"Expected text in UTF-8, but {self.path} has other bytes at position {error.start}. "
                "Save it as UTF-8 CSV."
            ) from error
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ManifestError(
                f"Expected a whole gzip file, but {self.path} is damaged or cut off. Copy it again from its source."
            ) from error
        except OSError as error:
            raise ManifestError(
                f"Expected a readable table, but {self.path}: {error.strerror}. Check the file."
            ) from error


class _Lines:
    """The lines of a table's blocks, one after the other or the rest of a block at once."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.number = 0  # of lines that were taken
        self._blocks = blocks
        self._block = b""
        self._start = 0
        self._texts: TextIO = io.StringIO()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self.more():
            raise StopIteration
        line = self._texts.readline()
        if not line:
            self._texts = io.StringIO(self._text(), newline="")
            line = self._texts.readline()
        if len(line) >= _LONGEST_LINE:
            raise csv.Error("a line without end")
        self._start += len(line.encode())
        self.number += 1
        return line

    def _text(self) -> str:
        try:
            return self.rest().decode()
        except UnicodeDecodeError as error:
            raise csv.Error("other bytes than UTF-8") from error

    @property
    def at_end(self) -> bool:
        """Whether the present block is used up."""
        return self._start == len(self._block)

    def more(self) -> bool:
        """Whether there is another line; the next block is read where the present one is used up."""
        if self.at_end:
            self._block, self._start, self._texts = next(self._blocks, b""), 0, io.StringIO()
        return bool(self._block)

    def rest(self) -> bytes:
        """The bytes of the present block that were not taken."""
        return self._block[self._start :]

    def take_rest(self, number: int) -> None:
        """Take all of them, which are so many lines."""
        self.number += number
        self._start = len(self._block)


def _blocks(handle: BinaryIO) -> Iterator[bytes]:
    """A table's bytes in pieces that end with the end of a line."""
    rest = b""
    first = True
    while read := handle.read(_BLOCK_BYTES):
        data = rest + (read.removeprefix(codecs.BOM_UTF8) if first else read)
        first = False
        # Lines may end as on old Macs; one that may be half of another end is left for the next time.
        cut = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
        if not cut and len(data) < 4 * _LONGEST_LINE:
            rest = data
            continue
        cut = cut or len(data)  # no line of a table
        yield data[:cut]
        rest = data[cut:]
    if rest:
        yield rest


def is_data(first: Sequence[str], below: Sequence[Sequence[Cell]], *, certainly: bool) -> bool:
    """Whether the first line of a table is like the lines below it, and so names no columns.

    It is beyond doubt where an image file is named in it, as in the lines below. It is likely where at least half of
    its cells are numbers or identifiers of the same form as those below.

    Args:
        first: Its cells.
        below: The cells of some lines below.
        certainly: Whether likely is not enough.

    Example:
        >>> is_data(["img/a.png", "mass"], [["img/b.png", "normal"]], certainly=True)
        True
        >>> is_data(["p01", "12.5"], [["p02", "7.25"]], certainly=False)
        True
        >>> is_data(["path", "x1"], [["img/b.png", "0"]], certainly=False)
        False
    """
    columns = [[str(line[place]).strip() for line in below if place < len(line)] for place in range(len(first))]
    pairs = list(zip(first, columns, strict=True))
    if any(_is_image(name) and sum(map(_is_image, column)) * 2 > len(column) for name, column in pairs):
        return True
    numbered = list(first) in ([str(n) for n in range(len(first))], [str(n + 1) for n in range(len(first))])
    if certainly or numbered or not below:
        return False
    alike = sum(
        any(map(str.isdigit, name)) and sum(_form(cell) == _form(name) for cell in column) * 2 > len(column)
        for name, column in pairs
    )
    return alike * 2 >= len(first) > 0


def _is_image(cell: str) -> bool:
    return suffix_of(cell) in IMAGE_SUFFIXES


def _form(cell: str) -> str:
    """How a cell is written: runs of letters and of digits as one each."""
    return re.sub(r"\d+", "9", re.sub(r"[^\W\d_]+", "a", cell))


def real(path: Path) -> Path:
    """The folder or file itself, without links and ``..`` in its path."""
    return Path(os.path.realpath(path.expanduser()))
