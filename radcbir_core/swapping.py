"""One folder takes another's place: at every instant the one or the other stands there, whoever is killed.

Owns that step. Where the system and the disk can exchange two names it is one call; elsewhere two renames, and beside
them a journal, ``.swap-NAME.json``, that says what was meant. Who looks next finishes what it tells of, and never is a
folder removed before the other stands. What is in the folders, and removing the one of before, is their owners'.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import filelock

from radcbir_core.storage import exchange, sync_folder, write_json

_MARK: Final = ".swap-"
_SUFFIX: Final = ".json"
_WAIT_SECONDS: Final = 10.0


def take_place(fresh: Path, folder: Path) -> None:
    """Let a folder take another's place; what had the place has the other's name then.

    Where this raises, either of them has the place.

    Args:
        fresh: The folder to come, complete; beside the other.
        folder: The one that is there.

    Raises:
        OSError: No permission, or one of them is not there.
        StorageError: No space left for the journal.

    Example:
        >>> import tempfile
        >>> parent = Path(tempfile.mkdtemp())
        >>> for name in ("a", "b"):
        ...     (parent / name).mkdir()
        ...     (parent / name / f"made as {name}").touch()
        >>> take_place(parent / "b", parent / "a")
        >>> [[path.name for path in (parent / name).iterdir()] for name in ("a", "b")]
        [['made as b'], ['made as a']]
    """
    if exchange(fresh, folder):
        sync_folder(folder.parent)
        return
    journal = _journal_of(folder)
    aside = fresh.with_name(f"{fresh.name}-before")
    with _locked(folder):
        try:
            write_json(journal, {"fresh": fresh.name, "before": aside.name})
            folder.rename(aside)
            fresh.rename(folder)
            sync_folder(folder.parent)
            aside.rename(fresh)
        except BaseException:
            _settle(folder, aside, fresh)
            _settle(fresh, aside)
            raise
        finally:
            if folder.is_dir():
                journal.unlink(missing_ok=True)


def finish_swaps(parent: Path) -> None:
    """Finish what was begun by somebody who was killed meanwhile; wait for who is at it.

    On a disk that cannot be written nothing changes.

    Args:
        parent: The folder of the folders.
    """
    for journal in parent.glob(f"{_MARK}*{_SUFFIX}"):
        folder = parent / journal.name[len(_MARK) : -len(_SUFFIX)]
        with contextlib.suppress(OSError, filelock.Timeout), _locked(folder):
            names = [parent / name for name in _names_in(journal)]
            _settle(folder, *names)
            _settle(*names)  # so that what is left over has the one name that its owners know
            if folder.is_dir() or not names:
                journal.unlink(missing_ok=True)


def being_swapped(parent: Path) -> set[str]:
    """The names of the folders that journals tell of: they are not to be removed.

    Args:
        parent: The folder of the folders.
    """
    return {name for journal in parent.glob(f"{_MARK}*{_SUFFIX}") for name in _names_in(journal)}


def _settle(*folders: Path) -> None:
    """Give the first one's name to the first of the others that is there, if none has it."""
    for other in folders[1:]:
        folder = folders[0]
        if not folder.exists() and other.is_dir():
            other.rename(folder)
            sync_folder(folder.parent)


def _names_in(journal: Path) -> tuple[str, ...]:
    """The one to come, and the one of before; nothing where the journal is gone, or none of ours."""
    try:
        record = json.loads(journal.read_text(encoding="utf-8"))
        names = (record["fresh"], record["before"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    plain = all(isinstance(name, str) and name.startswith(".") and Path(name).name == name for name in names)
    return names if plain else ()


def _journal_of(folder: Path) -> Path:
    return folder.with_name(f"{_MARK}{folder.name}{_SUFFIX}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the right to move a folder; the lock's file goes with it."""
    path = folder.with_name(f"{_MARK}{folder.name}.lock")
    with filelock.FileLock(path, timeout=_WAIT_SECONDS, fallback_to_soft=False):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # who waits for it looks whether the file is still the one
                path.unlink()
