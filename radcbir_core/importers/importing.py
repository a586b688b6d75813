"""Sources → a collection: each image is read, checked, measured, and listed either in the manifest or as a problem.

Owns the import itself: which rows are taken, where their files may lie, exact duplicates, and the report of it all.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from radcbir_core.collection import (
    PROBLEM_COLUMNS,
    Collection,
    check_name,
    new_collection,
    open_collection,
    refuse_existing,
    write_collection,
)
from radcbir_core.errors import ImageError, ManifestError
from radcbir_core.images import Limits, decode_image
from radcbir_core.importers.columns import Cells, further_columns, normalize
from radcbir_core.importers.sources import Source, read_sources
from radcbir_core.manifest import COLUMNS, Manifest
from radcbir_core.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Attributes:
        collection: The new collection.
        images: Rows of its manifest.
        problems: Rows of its problems.csv.
        duplicates: Images that are byte for byte the same as another.
        duplicate_groups: How many different files these are.
        changes: What normalization changed: column, from, to, rows.
    """

    collection: Collection
    images: int
    problems: int
    duplicates: int
    duplicate_groups: int
    changes: list[dict[str, str | int]]


@dataclass(frozen=True, slots=True)
class _Checked:
    """One image file, read and decoded; or the reason why not."""

    sha256: str = ""
    width: int = 0
    height: int = 0
    reason: str = ""


def import_collection(
    paths: Sequence[Path],
    *,
    name: str,
    title: str | None = None,
    image_root: Path | None = None,
    limits: Limits | None = None,
    progress: Progress = silent,
) -> ImportReport:
    """Import tables or folders of images as a new collection.

    Every file is read and decoded once. A row whose file is missing, unreadable, not an image, outside the image root,
    or whose ``image_id`` is taken, goes to problems.csv with the reason, and the rest goes on. Files are not copied.

    Args:
        paths: ``manifest.csv`` files, or folders (see :func:`~radcbir_core.importers.sources.read_sources`).
        name: The collection's name.
        title: What people call it; the name by default.
        image_root: What the tables' paths start from; each table's own folder by default.
        limits: Byte and pixel limits of one image.
        progress: Told the number of images checked, as step "import".

    Raises:
        CollectionExistsError: The name is taken.
        ManifestError: A source cannot be read as a table, or not one of its images can be used.
        StorageError: No space left, or no permission.
    """
    check_name(name)
    refuse_existing(name)
    sources = read_sources(paths, image_root=image_root)
    tables, changes = normalize(sources)
    _tell_sources_apart(tables)
    common_root = Path(os.path.commonpath([source.root for source in sources]))

    problems: list[dict[str, Any]] = []
    taken: list[tuple[Source, Cells, _Checked]] = []
    total = sum(len(source.rows) + len(source.bad_lines) for source in sources)
    seen: set[str] = set()
    for source, table in zip(sources, tables, strict=True):
        problems += [_problem(source, line, "", "", reason) for line, reason in source.bad_lines]
        for position, checked in enumerate(_check_all(source, table, limits or Limits())):
            row, line = table[position], source.rows[position].line
            image_id = str(row["image_id"])
            reason = checked.reason
            if not reason and image_id in seen:
                reason = f"Expected image_ids that differ, but image_id = {image_id!r} stands on an earlier line too."
            if reason:
                problems.append(_problem(source, line, str(row["path"]), image_id, reason))
            else:
                seen.add(image_id)
                taken.append((source, row, checked))
            progress("import", len(taken) + len(problems), total)
    if not taken:
        raise ManifestError(_nothing_usable(sources, problems))

    manifest = _manifest(taken, common_root, further_columns(sources))
    groups = manifest.groups("duplicate")
    report = {
        "problems": len(problems),
        "duplicates": int((groups >= 0).sum()),
        "duplicate_groups": int(groups.max(initial=-1)) + 1,
    }
    facts = {**report, "sources": _account(sources, taken), "changes": changes.rows(), "licences": _licences(taken)}
    with new_collection(name) as folder:
        write_collection(
            folder,
            name=name,
            title=title or name,
            image_root=common_root,
            manifest=manifest,
            problems=pd.DataFrame(problems, columns=PROBLEM_COLUMNS),
            facts=facts,
        )
    return ImportReport(collection=open_collection(name), images=len(manifest), changes=changes.rows(), **report)


def _tell_sources_apart(tables: Sequence[Sequence[Cells]]) -> None:
    """An image_id that two sources use is put behind its data set's name in each of them."""
    ids = [{str(row["image_id"]) for row in table} for table in tables]
    used = Counter(image_id for own in ids for image_id in own)
    for table in tables:
        for row in table:
            if used[str(row["image_id"])] > 1:
                row["image_id"] = f"{row['dataset']}/{row['image_id']}"


def _check_all(source: Source, table: Sequence[Cells], limits: Limits) -> Iterator[_Checked]:
    """Check the files of one source, in order; several at once, a bounded number ahead."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers, thread_name_prefix="import") as pool:
        paths = (str(row["path"]) for row in table)
        submitted = (pool.submit(_check, source, path, limits) for path in paths)
        waiting = deque(islice(submitted, 8 * workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(islice(submitted, 1))


def _check(source: Source, path: str, limits: Limits) -> _Checked:
    try:
        content = _file_of(source, path, limits).read_bytes()
        image = decode_image(content, name=path, limits=limits)
    except OSError as error:
        return _Checked(reason=f"Expected a readable file, but: {error.strerror}.")
    except ImageError as error:
        return _Checked(reason=str(error))
    height, width = image.pixels.shape[:2]
    return _Checked(sha256=hashlib.sha256(content).hexdigest(), width=width, height=height)


def _file_of(source: Source, path: str, limits: Limits) -> Path:
    """The file that a row names, if it may be read.

    Raises:
        ImageError: There is none, it lies outside the image root, or it is too large to be read.
    """
    if not path or "\0" in path:
        raise ImageError(f"Expected a path, but the cell {'is empty' if not path else 'has a zero byte in it'}.")
    named = Path(os.path.normpath(source.root / path))
    real = Path(os.path.realpath(named))
    if not (named.is_relative_to(source.root) and real.is_relative_to(source.root)):
        raise ImageError(
            f"Expected a path inside the image root, but it leads out of {source.root}. "
            "Give the folder that holds all images with --image-root."
        )
    if not real.is_file():
        raise ImageError("Expected an image file, but there is none at this path.")
    if real.stat().st_size > limits.max_bytes:
        raise ImageError(f"Expected at most {limits.max_bytes} bytes, but the file is larger.")
    return real


def _manifest(taken: Sequence[tuple[Source, Cells, _Checked]], root: Path, further: Sequence[str]) -> Manifest:
    columns: dict[str, Any] = {}
    for name in (*COLUMNS, *further):
        if name in ("sha256", "width", "height"):
            columns[name] = [getattr(checked, name) for _, _, checked in taken]
        elif name == "path":
            columns[name] = [
                Path(os.path.normpath(source.root / str(row["path"]))).relative_to(root).as_posix()
                for source, row, _ in taken
            ]
        elif name == "pathologies":
            columns[name] = pa.array([row[name] for _, row, _ in taken], pa.list_(pa.string()))
        elif name == "duplicate_group":
            columns[name] = pa.array(_duplicate_groups([checked.sha256 for _, _, checked in taken]), pa.int32())
        else:
            columns[name] = pa.array([row.get(name, "") for _, row, _ in taken], pa.string())
    return Manifest(pa.table(columns), digest="")


def _duplicate_groups(digests: Sequence[str]) -> npt.NDArray[np.int32]:
    """Number the digests that occur more than once, in order of their first occurrence; -1 for the others."""
    counts = Counter(digests)
    numbers: dict[str, int] = {}
    groups = np.full(len(digests), -1, dtype=np.int32)
    for row, digest in enumerate(digests):
        if counts[digest] > 1:
            groups[row] = numbers.setdefault(digest, len(numbers))
    return groups


def _problem(source: Source, line: int, path: str, image_id: str, reason: str) -> dict[str, Any]:
    return {"source": str(source.origin), "line": line, "path": path, "image_id": image_id, "reason": reason}


def _nothing_usable(sources: Sequence[Source], problems: Sequence[dict[str, Any]]) -> str:
    reason, count = Counter(problem["reason"] for problem in problems).most_common(1)[0]
    first = next(problem for problem in problems if problem["reason"] == reason)
    where = f"{first['source']} line {first['line']}" + (f" ({first['path']})" if first["path"] else "")
    return (
        f"Expected at least one usable image, but all {len(problems)} rows of {len(sources)} source(s) have problems; "
        f"the most frequent ({count}): {reason} First at {where}."
    )


def _account(sources: Sequence[Source], taken: Sequence[tuple[Source, Cells, _Checked]]) -> list[dict[str, Any]]:
    images = Counter(id(source) for source, _, _ in taken)
    return [
        {
            "origin": str(source.origin),
            "dataset": source.dataset,
            "rows": len(source.rows) + len(source.bad_lines),
            "images": images[id(source)],
        }
        for source in sources
    ]


def _licences(taken: Sequence[tuple[Source, Cells, _Checked]]) -> dict[str, int]:
    words = (str(row.get("licence") or row.get("license") or "") for _, row, _ in taken)
    return dict(Counter(word for word in words if word).most_common())
