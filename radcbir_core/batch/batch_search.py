"""Many image files → the hits of each, in one table.

Owns the order of work (decode some, embed them together, search with each), what is kept of a file between these, and
the columns of the table. A file that cannot be read is a row with the reason, and the rest goes on. What is kept of a
file are its vector and its digest, never its pixels: thousands of them are a few megabytes.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.batch.query_files import Content, QueryFile
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import ImageError, QueryError
from radcbir_core.images import decode_image
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Exclusion, unit
from radcbir_core.search.exclusions import FileOfImage, exclusions_of_file
from radcbir_core.search.queries.query import EmbeddedQuery, Known, Means, Measure
from radcbir_core.search.retriever import HIT_COLUMNS, Answer, Retriever
from radcbir_core.spreadsheet_cells import tamed
from radcbir_core.storage import atomic_path

TOGETHER: Final = 16
"""How many files are decoded and embedded at a time."""
NO_HIT: Final = "Expected images to compare with, but filters and exclusions leave none."

_MOST_PIXELS: Final = 64 * 1024 * 1024
_THREADS: Final = 4

Pixels = npt.NDArray[np.uint8]
Search = Callable[[EmbeddedQuery], Answer]
Remark = Callable[[Content, Pixels], str]


@dataclass(frozen=True, slots=True)
class FileQuery:
    """An image file from outside that was embedded before, known by its digest alone.

    Attributes:
        file: By which it is known if it is in the collection after all.
    """

    file: FileOfImage = field(default_factory=FileOfImage)
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="if in the collection", init=False)

    def embed(self, means: Means) -> EmbeddedQuery:  # noqa: ARG002 - as a query's
        """Nothing that can be done: its pixels are not kept.

        Raises:
            QueryError: Always.
        """
        raise QueryError("Expected the pixels of an image to embed, but only its vector was kept. Give the file again.")

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:
        """What its file tells, if the collection has it."""
        return exclusions_of_file(store, self.file, exclude, queries=1)


@dataclass(frozen=True, slots=True)
class AskedFile:
    """A file whose turn has come.

    Attributes:
        name: What the table calls it.
        query: Its vector, to search with; None where it cannot be used.
        frame: Which of its frames was taken, from 0: the middle one; None of a file with one.
        problem: Why it cannot be used; "" where it can.
        remark: What was said of its content and its picture; "" where nothing was.
    """

    name: str
    query: EmbeddedQuery | None
    frame: int | None = None
    problem: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of a batch.

    Attributes:
        files: How many were asked.
        hits: Rows of hits that were written.
        problems: Name and reason of each file without hits.
    """

    files: int
    hits: int
    problems: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Images:
    """Several images from outside, embedded together; they are searched with one by one."""

    pixels: tuple[Pixels, ...]
    measure: Measure = field(default="similarity", init=False)
    known: Known = field(default="never", init=False)

    def embed(self, means: Means) -> EmbeddedQuery:
        embeddings = means.encoder().encode_images(list(self.pixels))
        return EmbeddedQuery(self, unit(embeddings, dimension=means.searcher.dimension))

    def exclusions(self, store: EncoderStore, exclude: Sequence[str]) -> list[Exclusion]:  # noqa: ARG002
        return []


def files_embedded(
    files: Sequence[QueryFile],
    retriever: Retriever,
    *,
    frame: int | None = None,
    change: Callable[[Pixels], Pixels] | None = None,
    remark: Remark | None = None,
) -> Iterator[AskedFile]:
    """Decode and embed files, some at a time, in their order.

    Args:
        files: Which.
        retriever: Whose encoder.
        frame: Of files with several, from 0; the middle one by default.
        change: What is done to the pixels of each before.
        remark: Looks at the content of a file and at its picture, as it is before any change; called in several threads
            at once.

    Yields:
        Each file, with its vector or the reason why there is none.

    Raises:
        EncoderError: The encoder cannot be loaded here.
        StaleError: It is not the one that the collection was embedded with.
    """
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        for start in range(0, len(files), TOGETHER):
            chunk = files[start : start + TOGETHER]
            decoded = list(threads.map(lambda file: _decoded(file, frame, change, remark), chunk))
            vectors = _embedded([one.pixels for one in decoded if one.pixels is not None], retriever)
            for file, one in zip(chunk, decoded, strict=True):
                if one.pixels is None:
                    yield AskedFile(file.name, None, problem=one.problem)
                else:
                    query = EmbeddedQuery(FileQuery(one.file), next(vectors))
                    yield AskedFile(file.name, query, one.file.frame, remark=one.remark)


def hits_of(asked: AskedFile, search: Search) -> pd.DataFrame:
    """The rows that a file has in the table: one a hit, best first; or one that says why there is none.

    Args:
        asked: The file.
        search: Asks the retriever, with whatever number of hits, filters, exclusions and order.

    Returns:
        ``query``, ``frame``, the columns of :meth:`~radcbir_core.search.retriever.Answer.table`, ``problem``.

    Raises:
        QueryError: It cannot be asked so.
    """
    if asked.query is None:
        return _without_hits(asked.name, asked.frame, asked.problem)
    table = search(asked.query).table()
    if not len(table):
        return _without_hits(asked.name, asked.frame, NO_HIT)
    table.insert(0, "query", asked.name)
    table.insert(1, "frame", asked.frame if asked.frame is not None else "")
    table["problem"] = ""
    return table


def write_hits(
    path: Path,
    files: Sequence[QueryFile],
    asked: Iterable[AskedFile],
    search: Search,
    *,
    order: str = "cosine",
    progress: Progress = silent,
) -> BatchReport:
    """Write the hits of files as a CSV (UTF-8), row by row as they are found; whole or not at all.

    Args:
        path: Where to; what is there stays until the new one is whole.
        files: Which files, to count them.
        asked: The same with their vectors, as :func:`files_embedded` gives them.
        search: As in :func:`hits_of`.
        order: By what hits are ordered; by another than cosine there is a column ``cosine_rank``.
        progress: Told the number of files, as step "query".

    Raises:
        StorageError: No space left, or no permission.
        QueryError: They cannot be asked so.
    """
    names = ["query", "frame", *HIT_COLUMNS, "problem"]
    if order != "cosine":
        names.insert(names.index("rank") + 1, "cosine_rank")
    hits, problems = 0, []
    progress("query", 0, len(files))
    with atomic_path(path.absolute()) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for done, one in enumerate(asked, start=1):
            rows = hits_of(one, search).to_dict("records")
            writer.writerows([_cell(row.get(name, "")) for name in names] for row in rows)
            if rows[0]["problem"]:
                problems.append((one.name, str(rows[0]["problem"])))
            else:
                hits += len(rows)
            progress("query", done, len(files))
    return BatchReport(len(files), hits, tuple(problems))


@dataclass(frozen=True, slots=True, eq=False)
class _Decoded:
    pixels: Pixels | None
    file: FileOfImage = field(default_factory=FileOfImage)
    problem: str = ""
    remark: str = ""


def _decoded(
    file: QueryFile, frame: int | None, change: Callable[[Pixels], Pixels] | None, remark: Remark | None
) -> _Decoded:
    try:
        content = file.read()
        image = decode_image(content, name=Path(file.name).name, frame=frame)
        changed = image.pixels if change is None else change(image.pixels)
        said = "" if remark is None else remark(content, image.pixels)
        return _Decoded(changed, FileOfImage(_digest(content), image.frame, image.frames), remark=said)
    except ImageError as error:
        return _Decoded(None, problem=str(error))


def _digest(content: Content) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    try:
        with content.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise ImageError(f"Expected a file that stays there, but {content.name} is gone. Try again.") from error


def _embedded(pixels: Sequence[Pixels], retriever: Retriever) -> Iterator[npt.NDArray[np.float32]]:
    """The vector of each image, ``(1, D)``; of large ones fewer are embedded together."""
    start = 0
    while start < len(pixels):
        end, size = start + 1, pixels[start].size
        while end < len(pixels) and size + pixels[end].size <= _MOST_PIXELS:
            size += pixels[end].size
            end += 1
        vectors = retriever.embed(_Images(tuple(pixels[start:end]))).vectors
        yield from (vectors[place : place + 1] for place in range(len(vectors)))
        start = end


def _without_hits(name: str, frame: int | None, problem: str) -> pd.DataFrame:
    return pd.DataFrame([{"query": name, "frame": frame if frame is not None else "", "problem": problem}])


def _cell(value: Any) -> Any:
    """A cell as it is written: lists joined as in a manifest, and no text that a spreadsheet would run."""
    if isinstance(value, list | tuple | np.ndarray):
        value = "|".join(map(str, value))
    return tamed(value) if isinstance(value, str) else value
