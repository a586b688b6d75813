"""Several rows an image become one: the findings of all readers, boxes or lines of it together.

Owns which rows are of one image, what becomes of their cells, and how far readers agree. Rows are of one image if they
have its image_id and name the same file (and frame). Findings are united; "normal" gives way to a finding, because the
readers who saw nothing are not a finding. What only one value can be true of (patient, study, series, data set, split,
modality, anatomy) must not differ. All other cells stay in the order of the rows, so that the corners of a box stay
together. The long form of such tables: VinDr-CXR (Nguyen et al., Scientific Data 2022) has a row a reader and box, the
RSNA pneumonia challenge (Shih et al., Radiology: AI 2019) a row a box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from radcbir_core.importers.rows.normalizing import LIST_SEPARATOR, Cells
from radcbir_core.importers.rows.sources import Cell, Row
from radcbir_core.vocabulary import NORMAL
from radcbir_core.wording import counted

ROWS, READERS, AGREEING, AGREEMENT = "rows_united", "readers", "readers_agreeing", "reader_agreement"
UNITED_COLUMNS = (ROWS, READERS, AGREEING, AGREEMENT)
"""What a manifest has besides, where images have several rows: how many rows; by how many readers; how many of these at
least agree on each finding; and for each finding how many do, as in ``Mass 2/3|Edema 1/3``."""

_READERS = (
    *("reader", "rad", "radiologist", "annotator", "rater", "observer", "labeler", "labeller"),
    *("expert", "doctor", "physician"),
)
_READER_NAMES = frozenset([*_READERS, *(f"{name}id" for name in _READERS)])
_SINGLE = {
    "patient_id": "patient",
    "study_id": "study",
    "series_id": "series",
    "dataset": "data set",
    "split": "split",
    "modality": "modality",
    "anatomy": "anatomy",
}
_DISTINCT = ("caption", "view")
_FILE_BITS = 61


def reader_column(columns: Sequence[str]) -> str:
    """The column that says who has read an image; "" where none is named so.

    Example:
        >>> reader_column(["file", "rad_id"]), reader_column(["file", "finding"])
        ('rad_id', '')
    """
    return next((name for name in columns if "".join(filter(str.isalnum, name.lower())) in _READER_NAMES), "")


@dataclass(slots=True)
class ImageRows:
    """An image's further rows.

    Attributes:
        line: The line of its first row.
        rows: The others, with their cells in the manifest's words.
    """

    line: int
    rows: list[tuple[Row, Cells]] = field(default_factory=list)


class Meetings:
    """Which images of one source were met so far, and the rows that are not the first of theirs.

    Example:
        >>> met = Meetings()
        >>> [
        ...     met.is_further(Row(line, {}), {"image_id": "a", "path": path})
        ...     for line, path in ((2, "1.png"), (3, "1.png"), (4, "2.png"))
        ... ]
        [False, True, False]
    """

    def __init__(self) -> None:
        self.images: dict[str, ImageRows] = {}
        # Line and file of the first row in one number: there may be millions of images.
        self._first: dict[str, int] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def is_further(self, row: Row, cells: Cells) -> bool:
        """Note a row; whether an earlier one is of the same image, which is known by its image_id and its file."""
        image_id = str(cells["image_id"])
        first = self._first.get(image_id)
        if first is None:
            self.begin_with(row, cells)
            return False
        if first % (1 << _FILE_BITS) != _file(row, cells):
            return False
        self.images.setdefault(image_id, ImageRows(first >> _FILE_BITS)).rows.append((row, cells))
        return True

    def is_first(self, row: Row, cells: Cells) -> bool:
        """Whether it is the row that its image began with."""
        return self._first.get(str(cells["image_id"])) == row.line << _FILE_BITS | _file(row, cells)

    def begin_with(self, row: Row, cells: Cells) -> None:
        """Let an image begin with this row."""
        self._first[str(cells["image_id"])] = row.line << _FILE_BITS | _file(row, cells)


def _file(row: Row, cells: Cells) -> int:
    return hash((cells["path"], row.frame)) % (1 << _FILE_BITS)


@dataclass(frozen=True, slots=True)
class United:
    """What all rows of an image say together.

    Attributes:
        cells: The image's cells, with :data:`UNITED_COLUMNS`.
        conflict: Why it cannot be used; "" where it can.
        outvoted: Whether a row said that there is no finding, and another named one.
    """

    cells: Cells
    conflict: str = ""
    outvoted: bool = False


def unite(
    first: Mapping[str, Cell], image: ImageRows, *, reader: str = "", spelled: Mapping[str, str] | None = None
) -> United:
    """Make one image of its rows.

    Args:
        first: The cells of its first row.
        image: The others.
        reader: The column that says who has read it; "" where there is none.
        spelled: A spelling of a finding or an anatomy → the one to use.

    Example:
        >>> rows = ImageRows(2, [(Row(3, {}), {"pathologies": ["edema"], "rad_id": "R2", "age": "40"})])
        >>> one = unite({"pathologies": ["mass"], "rad_id": "R1", "age": "40"}, rows, reader="rad_id").cells
        >>> one["pathologies"], one["rad_id"], one["age"], one["readers"], one["reader_agreement"]
        (['mass', 'edema'], 'R1|R2', '40', '2', 'mass 1/2|edema 1/2')
    """
    respell = spelled or {}
    rows = [first, *(cells for _, cells in image.rows)]
    lines = [image.line, *(row.line for row, _ in image.rows)]
    result: Cells = {}
    for name in dict.fromkeys(name for cells in rows for name in cells):
        texts = [str(cells.get(name, "")) for cells in rows]
        if name == "anatomy":
            texts = [respell.get(text, text) for text in texts]
        distinct = list(dict.fromkeys(text for text in texts if text))
        if name in _SINGLE and len(distinct) > 1:
            one, other = (lines[texts.index(text)] for text in distinct[:2])
            reason = (
                f"Expected one {_SINGLE[name]} an image, but {name} of its rows on lines {one} and {other} differs. "
                "Left out, because it cannot be known which is right."
            )
            return United(dict(first), reason)
        if len(distinct) <= 1:
            result[name] = distinct[0] if distinct else ""
        else:
            result[name] = LIST_SEPARATOR.join(distinct if name in _DISTINCT else texts)
    named = [[respell.get(word, word) for word in _findings(cells)] for cells in rows]
    findings = list(dict.fromkeys(word for words in named for word in words))
    outvoted = NORMAL in findings and len(findings) > 1
    result["pathologies"] = [word for word in findings if not (outvoted and word == NORMAL)]
    result |= {ROWS: str(len(rows)), **_agreement(rows, named, findings, reader)}
    return United(result, outvoted=outvoted)


def _findings(cells: Mapping[str, Cell]) -> list[str]:
    words = cells.get("pathologies", [])
    return words if isinstance(words, list) else [words]


def _agreement(
    rows: Sequence[Mapping[str, Cell]], named: Sequence[Sequence[str]], findings: Sequence[str], reader: str
) -> Cells:
    """How many readers there are, and how many name each finding; empty where nobody says who reads."""
    who = [str(cells.get(reader, "")) if reader else "" for cells in rows]
    readers = len(set(who) - {""})
    if not readers:
        return dict.fromkeys((READERS, AGREEING, AGREEMENT), "")
    votes = {
        word: len({one for one, words in zip(who, named, strict=True) if one and word in words}) for word in findings
    }
    kept = [votes[word] for word in findings if word != NORMAL or len(findings) == 1]
    return {
        READERS: str(readers),
        AGREEING: str(min(kept)) if kept else "",
        AGREEMENT: LIST_SEPARATOR.join(f"{word} {count}/{readers}" for word, count in votes.items()),
    }


def united_notes(*, images: int, rows: int, outvoted: int, with_readers: bool) -> list[str]:
    """What is to be said of united rows.

    Args:
        images: Images with several rows.
        rows: Of these.
        outvoted: Images that are normal by one row and have a finding by another.
        with_readers: Whether the readers are known.
    """
    if not images:
        return []
    known = f"; how far readers agree stands in {READERS}, {AGREEING} and {AGREEMENT}" if with_readers else ""
    notes = [
        f"Images with several rows: {images:,}, in {counted(rows, 'row')}. The findings of all rows are united{known}."
    ]
    if outvoted:
        notes.append(f"Normal by one row and with a finding by another, which counts: {outvoted:,} of these images.")
    return notes
