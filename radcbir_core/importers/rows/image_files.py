"""The image files in a folder and below: what is one, what is a mask beside one, and what is passed over.

Owns that choice and the account of it: a file that is not taken is counted, by kind. A name decides where it can; else
the file is opened, because archives write DICOM without a suffix, as ``.img``, or without a preamble. Decodes nothing.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from radcbir_core.images import IMAGE_SUFFIXES, is_image_name, suffix_of
from radcbir_core.images.file_types import HEAD_BYTES, sniff
from radcbir_core.wording import counted

# Files of these are not opened to see whether they are images; pictures and volumes that are not read are among them.
_OTHERS = frozenset(
    {
        *(".csv", ".tsv", ".txt", ".json", ".xml", ".yaml", ".yml", ".md", ".html", ".htm", ".pdf", ".doc", ".docx"),
        *(".xls", ".xlsx", ".parquet", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".pkl", ".pt", ".pth", ".py", ".ipynb"),
        *(".zip", ".gz", ".bz2", ".xz", ".7z", ".tar", ".rar", ".log", ".db", ".ini", ".sh", ".exe", ".dll", ".js"),
        *(".gif", ".jp2", ".j2k", ".jpx", ".heic", ".avif", ".svg", ".mha", ".mhd", ".nrrd"),
        *(".svs", ".ndpi", ".mp4", ".avi", ".mov", ".mkv"),
    }
)
_WORD = r"(?:masks?|segm?|segmentations?|labels?|gt|ground[ _-]?truth|annotations?|contours?)"
_MASK_NAME = re.compile(rf"(.+?)[ _.\-]+{_WORD}(?:[ _-]?\d+)?|{_WORD}[ _.\-]+(.+)", re.IGNORECASE)
_MASK_FOLDER = re.compile(rf"(?:.*[ _\-])?{_WORD}", re.IGNORECASE)


def image_files(folder: Path) -> Iterator[str]:
    """The image files in a folder and below, masks among them; see :class:`Walk`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "b").mkdir()
        >>> for name in ("c.png", "a.png", "b/1.png", "notes.txt"):
        ...     (folder / name).touch()
        >>> list(image_files(folder))
        ['a.png', 'b/1.png', 'c.png']
    """
    return Walk(masks=True).files(folder)


def is_left_out(path: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern matches a path, or the name of a file or folder in it; case does not count.

    Example:
        >>> [is_left_out("a/Masks/1.png", [pattern]) for pattern in ("masks", "*.PNG", "a/*", "b/*")]
        [True, True, True, False]
    """
    lowered = path.lower()
    words = [lowered, *lowered.split("/")]
    return any(fnmatchcase(word, pattern.lower().rstrip("/")) for pattern in patterns for word in words)


class Walk:
    """One walk over a folder's image files.

    A file is a mask if its name says so and pairs with that of an image: ``a_mask.png`` beside ``a.png``, or
    ``masks/a.png`` beside ``images/a.png`` or ``a.png``.

    Args:
        masks: Whether masks count as images.
        leave_out: Patterns of paths or names that do not; see :func:`is_left_out`.
        any_name: Whether files count whose name is no text, in a manifest's encoding or any.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("a.png", "a_mask.png", "b.gif"):
        ...     (folder / name).touch()
        >>> walk = Walk()
        >>> list(walk.files(folder)), len(walk.notes())
        (['a.png'], 2)
    """

    def __init__(self, *, masks: bool = False, leave_out: Sequence[str] = (), any_name: bool = False) -> None:
        self._keeps_masks = masks
        self._patterns = tuple(leave_out)
        self._any_name = any_name
        self._others: Counter[str] = Counter()
        self._masks = self._left_out = self._unnamed = 0

    def files(self, folder: Path) -> Iterator[str]:
        """The files, relative to the folder, in the order of their paths' parts; links to folders are not followed."""
        return self._files(folder, "", [])

    def notes(self) -> list[str]:
        """What is to be said of the files that were passed over so far."""
        notes = []
        if self._masks:
            notes.append(
                f"Left out as masks, because each is named after an image beside it: {counted(self._masks, 'file')}. "
                "If they are images, import with “Masks beside images are images too” (masks)."
            )
        if self._left_out:
            notes.append(f"Left out by {' and '.join(self._patterns)}: {counted(self._left_out, 'file')}.")
        if self._unnamed:
            notes.append(
                f"Left out, because their names are not in UTF-8: {counted(self._unnamed, 'file')}. Rename them."
            )
        if self._others:
            counts = sorted(self._others.items(), key=lambda item: (-item[1], item[0]))
            kinds = ", ".join(f"{kind} {count:,}" for kind, count in counts)
            notes.append(f"Passed over, because they are no images that can be read: {kinds}.")
        return notes

    def _files(self, folder: Path, below: str, mirrors: Sequence[Path]) -> Iterator[str]:
        """The files of a folder; ``mirrors`` are those whose images its files may be masks of."""
        with os.scandir(folder) as entries:
            listed = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        images = {name for name, is_folder in listed if not is_folder and self._is_image(folder / name)}
        stems = {_stem(name) for name in images}
        partners = {stem for mirror in mirrors for stem in _stems_in(mirror)}
        folders = [name for name, is_folder in listed if is_folder]
        plain = [folder, *(folder / name for name in folders if not _MASK_FOLDER.fullmatch(name))]
        for name, is_folder in listed:
            path = f"{below}{name}"
            if is_folder:
                is_mask = _MASK_FOLDER.fullmatch(name) and not self._keeps_masks
                beside = plain if is_mask else [mirror / name for mirror in mirrors]
                yield from self._files(folder / name, f"{path}/", beside)
            elif name in images:
                if self._patterns and is_left_out(path, self._patterns):
                    self._left_out += 1
                elif not self._keeps_masks and _is_mask(_stem(name), stems, partners):
                    self._masks += 1
                elif not self._any_name and not is_text(path):
                    self._unnamed += 1
                else:
                    yield path

    def _is_image(self, path: Path) -> bool:
        if is_image_name(path):
            return True
        if path.name.startswith("."):
            return False  # what a system leaves beside its files
        kind = suffix_of(path.name)
        if kind not in _OTHERS and _looks_like_an_image(path):
            return True
        self._others[kind or "without a suffix"] += 1
        return False


def is_text(path: str) -> bool:
    r"""Whether a path can be written down: Python reads bytes that are no UTF-8 as half characters.

    Example:
        >>> is_text("a/ä.png"), is_text("a/\udce4.png")
        (True, False)
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _looks_like_an_image(path: Path) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
            return False
        with path.open("rb") as handle:
            return sniff(handle.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def _stem(name: str) -> str:
    suffix = suffix_of(name)
    return (name[: -len(suffix)] if suffix in IMAGE_SUFFIXES else name).casefold()


def _stems_in(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from (_stem(entry.name) for entry in entries if not entry.is_dir(follow_symlinks=False))
    except OSError:  # there is no such folder beside it
        return


def _is_mask(stem: str, beside: set[str], partners: set[str]) -> bool:
    named = _MASK_NAME.fullmatch(stem)
    base = (named[1] or named[2]) if named else ""
    return (bool(base) and (base in beside or base in partners)) or stem in partners
