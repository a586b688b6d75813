"""A dry run: what an import would make of a source, from a bounded look at it. Nothing is written.

Owns how much is looked at and what is told of it. The rules are the import's own: the same formats, the same reading of
rows, the same words, the same check of each file. Of a source with a million rows the first ones are checked, and as
many are read as the time allows; how many these were is always said.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc

from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.collections.records.record import PROBLEM_COLUMNS
from radcbir_core.collections.text_boxes import HEADER_COLUMN
from radcbir_core.errors import ImageError, ManifestError
from radcbir_core.images import Limits, decode_image
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.importers.formats import Format, formats_of, sources_of
from radcbir_core.importers.request import CHECKS, ImportRequest
from radcbir_core.importers.rows.accepting import nothing_usable
from radcbir_core.importers.rows.checking import Checked, Checker, Wanted
from radcbir_core.importers.rows.main_reason import MainReason, main_reason
from radcbir_core.importers.rows.normalizing import Cells, Changes, filled_columns, normalize_row
from radcbir_core.importers.rows.sources import Row, Source
from radcbir_core.importers.rows.uncertain import policy_named
from radcbir_core.importers.rows.uniting import Meetings, reader_column, unite, united_notes
from radcbir_core.importers.vectors.matching import complete
from radcbir_core.vocabulary import spelling_to_use
from radcbir_core.wording import counted

ROWS = 500
"""Rows whose files are looked at, over all sources."""
SHOWN = 20
"""Rows that are shown, over all sources: the first ones of each."""
SECONDS = 8.0
"""How long files are looked at, and then how long further rows are read."""

COUNTED = ("dataset", "split", "modality", "anatomy", "pathology")
SHOWN_COLUMNS = ("image_id", "path", "dataset", "split", "modality", "anatomy", "pathologies", "view", "problem")

EVERY_LATER = (
    "All slices are counted here; the import takes one of {every} in each series, which it knows once it has read all."
)
_BATCH = 16
_TURN = 2000
_MOST_PROBLEMS = 1000


@dataclass(frozen=True, slots=True)
class PreviewedSource:
    """One table or folder.

    Attributes:
        origin: The table or folder itself.
        dataset: What its data set is called where a row does not say.
        rows: How many rows were read.
        about: About how many there are; 0 where that is not known.
    """

    origin: Path
    dataset: str
    rows: int
    about: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What a dry run found.

    Attributes:
        formats: The format of each path.
        sources: What was found there.
        table: The first rows, with :data:`SHOWN_COLUMNS`; no patient is in it. ``problem`` is "" where a row can be
            used. DICOM files have no ``path``, because folders are often named after patients.
        thumbnails: A small picture of each of these rows; ``None`` where there is none.
        looked_at: Rows whose files were looked at.
        read: Rows that were read, these included.
        complete: Whether that is all there are.
        counts: Column of :data:`COUNTED` → value → rows that can be used, as far as was looked, most frequent first.
        unlabeled: Of these rows, how many name no pathology.
        with_patient: Of these rows, how many have a known patient.
        patients: How many patients these are.
        further: The source's own columns, which are kept as they are.
        changes: What normalization changed: column, from, to, rows.
        notes: What has to be known about these numbers.
        problems: The first rows that cannot be used, with
            :data:`~radcbir_core.collections.records.record.PROBLEM_COLUMNS`.
        problem_count: How many cannot be used, of those read.
        files_refused: How many of these because of their files, of those looked at; what is wrong with the files of the
            other rows is not known yet.
        refusal: What would end the import; ``None`` where nothing would.
        main_reason: Why most rows cannot be used, and what to do; ``None`` where most can.
    """

    formats: tuple[Format, ...]
    sources: tuple[PreviewedSource, ...]
    table: pd.DataFrame
    thumbnails: tuple[bytes | None, ...]
    looked_at: int
    read: int
    complete: bool
    counts: dict[str, dict[str, int]]
    unlabeled: int
    with_patient: int
    patients: int
    further: tuple[str, ...]
    changes: list[dict[str, str | int]]
    notes: tuple[str, ...]
    problems: pd.DataFrame
    problem_count: int
    files_refused: int = 0
    refusal: ManifestError | None = None
    main_reason: MainReason | None = None

    @property
    def usable(self) -> int:
        """Rows that can be used, of those read."""
        return self.read - self.problem_count

    @property
    def about(self) -> int:
        """How many rows there are, or about how many; at least those that were read."""
        return self.read if self.complete else max(self.read, sum(source.about for source in self.sources))


def preview(
    request: ImportRequest, *, format_name: str | None = None, rows: int = ROWS, seconds: float = SECONDS
) -> Preview:
    r"""Look at what an import would make of a request.

    Args:
        request: As for :func:`~radcbir_core.importers.formats.import_as`; its name means nothing here.
        format_name: The format of all paths; found out by looking at each path by default.
        rows: Rows whose files are looked at, at most; shared between the sources.
        seconds: How long files are looked at, and then how long further rows are read.

    Raises:
        ManifestError: A path is not of its format, or an option has no meaning for it. What is wrong further down in
            a source is told in ``refusal``.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "manifest.csv").write_text("path,modality\nnone.png,X-ray\n")
        >>> looked = preview(ImportRequest([folder], "any"))
        >>> looked.formats[0].name, looked.read, looked.problems["reason"].tolist()
        ('manifest', 1, ['Expected an image file, but there is none at this path.'])
    """
    if request.check not in CHECKS:
        raise ManifestError(f"Expected a check of {', '.join(CHECKS)}, but check = {request.check!r}. Choose one.")
    if request.download:
        raise ManifestError("Expected a file to look at, but a download comes first. Import without a dry run.")
    formats = formats_of(request, format_name=format_name)
    if formats[0].name == "embeddings":
        return _of_embeddings(request, formats)
    if formats[0].name == "medmnist":
        from radcbir_core.importers.datasets import medmnist

        looked = [medmnist.look(path, request, pictures=_share(SHOWN, request.paths)) for path in request.paths]
        sources = [source for source, _ in looked]
        reading = _Reading(sources, request)
        reading.read_on(seconds)
        pictures = [thumbnail_of(picture) for _, shown in looked for picture in shown]
        return reading.preview(formats, thumbnails=pictures, looked_at=0)
    # With every N, a source of DICOM files would read all of them before it gives a row; so each of them is counted.
    sources = sources_of(replace(request, every=1), formats)
    if request.every > 1:
        sources[0].notes.append(EVERY_LATER.format(every=request.every))
    reading = _Reading(sources, request)
    looked_at = reading.look(rows, seconds)
    reading.read_on(seconds)
    thumbnails = [_thumbnail(line, request.limits) for line in reading.shown]
    return reading.preview(formats, thumbnails=thumbnails, looked_at=looked_at)


@dataclass(slots=True)
class _Line:
    """One row on its way: what it says, and what was found out about it."""

    source: int
    row: Row
    cells: Cells
    problem: str = ""
    file: str = ""
    again: str = ""


@dataclass(slots=True)
class _Reading:
    """The rows of sources, read one after the other, and the account of them."""

    sources: Sequence[Source]
    request: ImportRequest
    changes: Changes = field(default_factory=Changes)
    shown: list[_Line] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    problem_count: int = 0
    files_refused: int = 0
    read: int = 0
    refusal: ManifestError | None = None
    unlabeled: int = 0
    with_patient: int = 0
    told: int = 0  # images whose header says that text is burned in
    _remarks: Counter[str] = field(default_factory=Counter)
    _files_refused_of: set[tuple[int, str]] = field(default_factory=set)
    _counts: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COUNTED})
    _images_of: dict[str, dict[str, str]] = field(default_factory=lambda: {"patient_id": {}, "study_id": {}})
    _met: list[Meetings] = field(default_factory=list)
    _findings: list[dict[str, list[str]]] = field(default_factory=list)
    _rows: list[Iterator[Row]] = field(default_factory=list)
    _ended: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rows = [iter(source.rows) for source in self.sources]
        self._met = [Meetings() for _ in self.sources]
        self._findings = [{} for _ in self.sources]

    def look(self, rows: int, seconds: float) -> int:
        """Read the first rows of each source, and look at their files; how many these were."""
        deadline = time.monotonic() + seconds
        share = _share(rows, self.sources)
        batches: deque[list[_Line]] = deque()
        looked_at = 0

        def asked() -> Iterator[list[Wanted]]:
            for number in range(len(self.sources)):
                for start in range(0, share, _BATCH):
                    if number in self._ended or self.refusal or time.monotonic() > deadline:
                        break
                    lines = list(self._lines(number, min(_BATCH, share - start)))
                    batches.append(lines)
                    root = self.sources[number].root
                    yield [Wanted(root, str(line.cells["path"]), line.row.frame) for line in lines]

        with Checker(self.request.check, self.request.limits) as checker:
            for results in checker.in_order(asked()):
                for line, checked in zip(batches.popleft(), results, strict=True):
                    self._note_checked(line, checked)
                    looked_at += 1
        return looked_at

    def read_on(self, seconds: float) -> None:
        """Read further rows, some of each source in turn, without looking at their files."""
        deadline = time.monotonic() + seconds
        while len(self._ended) < len(self.sources) and not self.refusal and time.monotonic() < deadline:
            for number in set(range(len(self.sources))) - self._ended:
                for count, line in enumerate(self._lines(number, _TURN)):
                    self._note_read(line)
                    if count % _BATCH == 0 and time.monotonic() > deadline:
                        break

    def _lines(self, number: int, most: int) -> Iterator[_Line]:
        """The next rows of a source that its importer takes for images; what ends the import is noted."""
        rows = self._rows[number]
        count = 0
        try:
            for row in islice(rows, most):
                count += 1
                self.read += 1
                self.sources[number].seen += 1
                line = self._line(number, row)
                if line is not None:
                    yield line
        except ManifestError as error:
            self.refusal = error
        else:
            if count < most:
                self._ended.add(number)

    def _line(self, number: int, row: Row) -> _Line | None:
        source = self.sources[number]
        if row.reason:
            line = _Line(number, row, {name: cell for name, cell in row.cells.items() if name in SHOWN_COLUMNS})
        else:
            line = _Line(number, row, normalize_row(row.cells, dataset=source.dataset, changes=self.changes))
        further = not row.reason and self._met[number].is_further(row, line.cells)
        if not further and len(self.shown) < SHOWN and source.seen <= _share(SHOWN, self.sources):
            self.shown.append(line)
        if row.reason:
            self._refuse(line, row.reason)
            return None
        if not further and not self._met[number].is_first(row, line.cells):
            image_id = str(line.cells["image_id"])
            line.again = row.again or (
                f"Expected image_ids that differ, but image_id = {image_id!r} stands on an earlier line too, "
                "for another file."
            )
        return None if further else line

    def _note_checked(self, line: _Line, checked: Checked) -> None:
        """As the import does: what is wrong with a file comes before what is wrong with its image_id."""
        image = (line.source, str(line.cells["image_id"]))
        if checked.reason:
            self.files_refused += 1
            self._refuse(line, checked.reason)
            if not line.again:
                self._files_refused_of.add(image)
            return
        line.file = checked.path
        self._remarks.update(checked.remarks)
        if line.again and image in self._files_refused_of:
            self._files_refused_of.discard(image)
            line.again = ""
        self._note_read(line)

    def _note_read(self, line: _Line) -> None:
        if line.again:
            self._refuse(line, line.again)
        else:
            self._count(line)

    def _refuse(self, line: _Line, reason: str) -> None:
        line.problem = reason
        self.problem_count += 1
        if len(self.problems) < _MOST_PROBLEMS:
            origin = str(line.row.origin or self.sources[line.source].origin)
            facts = (
                *(origin, line.row.line, str(line.cells.get("path", ""))),
                *(str(line.cells.get("image_id", "")), reason),
            )
            self.problems.append(dict(zip(PROBLEM_COLUMNS, facts, strict=True)))

    def _count(self, line: _Line) -> None:
        cells = line.cells
        for name in ("dataset", "split", "modality", "anatomy"):
            self._counts[name][str(cells[name])] += 1
        self._counts["pathology"].update(cells["pathologies"])
        self.unlabeled += not cells["pathologies"]
        self._findings[line.source][str(cells["image_id"])] = [str(word) for word in cells["pathologies"]]
        self.with_patient += bool(cells.get("patient_id"))
        self.told += cells.get(HEADER_COLUMN) == "YES"
        for column, images in self._images_of.items():
            if identifier := str(cells.get(column, "")):
                images.setdefault(identifier, str(cells["image_id"]))

    def _unite(self) -> list[str]:
        """Count the further rows of images to the first ones; what is to be said of them."""
        shown = {(line.source, str(line.cells.get("image_id", ""))): line for line in self.shown if not line.problem}
        images = rows = outvoted = 0
        words = self._counts["pathology"].copy()
        for met in self._met:
            words.update(w for image in met.images.values() for _, cells in image.rows for w in cells["pathologies"])
        spelled = spelling_to_use(words)
        readers = [reader_column(source.columns) for source in self.sources]
        for number, met in enumerate(self._met):
            for image_id, image in met.images.items():
                before = self._findings[number].get(image_id)
                if before is None:  # what holds of its file holds of all its rows
                    self.problem_count += len(image.rows)
                    continue
                united = unite({"pathologies": before}, image, reader=readers[number], spelled=spelled)
                after = [str(word) for word in united.cells["pathologies"]]
                self._counts["pathology"].subtract(before)
                self._counts["pathology"].update(after)
                self.unlabeled += (not after) - (not before)
                images, rows, outvoted = images + 1, rows + 1 + len(image.rows), outvoted + united.outvoted
                if line := shown.get((number, image_id)):
                    line.cells["pathologies"] = after
        return united_notes(images=images, rows=rows, outvoted=outvoted, with_readers=any(readers))

    def preview(self, formats: Sequence[Format], *, thumbnails: Sequence[bytes | None], looked_at: int) -> Preview:
        complete = len(self._ended) == len(self.sources)
        united = self._unite()
        for column, images in self._images_of.items():
            united += self.changes.spellings.notes(column, images)
        if not self.refusal and complete and self.problem_count == self.read:
            self.refusal = nothing_usable(self.sources, self.problems, rows=self.read)
        remarked = [f"In {counted(images, 'image')} looked at: {remark}" for remark, images in self._remarks.items()]
        said = [*(note for source in self.sources for note in source.notes), *united, *remarked]
        if self.told:
            said.append(
                f"The headers of {counted(self.told, 'image')} of those read say that text that identifies is burned "
                "into the pixels (BurnedInAnnotation). They come into the collection, and are listed as problems."
            )
        notes = dict.fromkeys(said)
        hidden = {known.name for known in formats} == {"dicom"}
        return Preview(
            formats=tuple(formats),
            sources=tuple(PreviewedSource(s.origin, s.dataset, s.seen, s.expected) for s in self.sources),
            table=_table(self.shown, without=("path",) if hidden else ()),
            thumbnails=tuple(thumbnails),
            looked_at=looked_at,
            read=self.read,
            complete=complete,
            counts={name: _one_spelling(name, counter, self.changes) for name, counter in self._counts.items()},
            unlabeled=self.unlabeled,
            with_patient=self.with_patient,
            patients=len(self._images_of["patient_id"]),
            further=tuple(filled_columns(self.sources)),
            changes=self.changes.rows(),
            notes=tuple(notes),
            problems=pd.DataFrame(self.problems, columns=PROBLEM_COLUMNS),
            problem_count=self.problem_count,
            files_refused=self.files_refused,
            refusal=self.refusal,
            main_reason=self._main_reason(looked_at),
        )

    def _main_reason(self, looked_at: int) -> MainReason | None:
        most = 2 * self.files_refused > looked_at or 2 * (self.problem_count - self.files_refused) > self.read
        return main_reason(self.problems, self.sources) if most and self.problems else None


def _share(rows: int, parts: Sequence[object]) -> int:
    return max(1, rows // len(parts))


def _table(lines: Sequence[_Line], *, without: Sequence[str]) -> pd.DataFrame:
    columns = [name for name in SHOWN_COLUMNS if name not in without]
    rows = [{**line.cells, "problem": line.problem} for line in lines]
    table = pd.DataFrame([{name: row.get(name, "") for name in columns} for row in rows], columns=columns)
    table["pathologies"] = [list(names) if isinstance(names, list) else [] for names in table["pathologies"]]
    return table


def _one_spelling(column: str, counts: Counter[str], changes: Changes) -> dict[str, int]:
    """The counts, words that differ in case only taken together, as the import does for what is shown."""
    replacements = spelling_to_use(counts) if column in {"anatomy", "pathology"} else {}
    result: Counter[str] = Counter()
    for word, count in counts.items():
        if word and count:
            result[replacements.get(word, word)] += count
    for old, new in replacements.items():
        changes.note("pathologies" if column == "pathology" else column, old, new, rows=counts[old])
    return dict(result.most_common())


def _thumbnail(line: _Line, limits: Limits) -> bytes | None:
    if line.problem or not line.file:
        return None
    try:
        return thumbnail_of(decode_image(Path(line.file), frame=line.row.frame, limits=limits).pixels)
    except ImageError:
        return None  # with a check that does not decode, the build finds it


def _of_embeddings(request: ImportRequest, formats: Sequence[Format]) -> Preview:
    """Tables and files of vectors, joined as for the import; no vector is read."""
    from radcbir_core.importers.vectors import embeddings

    joined = embeddings.join(request.paths, image_root=request.image_root, uncertain=policy_named(request.uncertain))
    manifest = Manifest(complete(joined.matched.table), digest="")
    first = manifest.rows(range(min(SHOWN, len(manifest)))).assign(problem="")
    problems = joined.matched.problems
    unlabeled = pc.sum(pc.equal(pc.list_value_length(manifest.arrow("pathologies")), 0)).as_py()
    patients = manifest.codes("patient_id")
    vectors = joined.vectors[0]
    notes = [
        f"{len(manifest):,} rows have one of {sum(map(len, joined.vectors)):,} vectors of dimension "
        f"{vectors.dimension} ({vectors.dtype}). The vectors themselves are looked at by the import.",
        *joined.notes,
    ]
    return Preview(
        formats=tuple(formats),
        sources=tuple(PreviewedSource(t.origin, t.origin.stem, t.total, t.total) for t in joined.tables),
        table=first[list(SHOWN_COLUMNS)],
        thumbnails=(None,) * len(first),
        looked_at=0,
        read=len(manifest) + len(problems),
        complete=True,
        counts={
            name: manifest.pathology_counts if name == "pathology" else manifest.codes(name).counts()
            for name in COUNTED
        },
        unlabeled=int(unlabeled or 0),
        with_patient=int((patients.codes >= 0).sum()),
        patients=len(patients.values),
        further=tuple(name for name in manifest.column_names if name not in COLUMNS),
        changes=embeddings.change_rows(joined.changes),
        notes=tuple(notes),
        problems=problems.head(_MOST_PROBLEMS),
        problem_count=len(problems),
    )
