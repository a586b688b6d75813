"""Who may do what to a collection at the same time.

Owns the two kinds of locks. The *gate*, beside a collection's folder, is held by whoever fills or changes the
collection, and for a moment by whoever begins to build it. Each encoder has a lock of its own, held while it is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock

from radcbir_core.collections.layout import Layout, folder_of
from radcbir_core.errors import CollectionError
from radcbir_core.storage import disk_errors

_GATE_SECONDS = 10.0


@contextmanager
def at_rest(name: str) -> Iterator[Path]:
    """Give the folder of a collection that nobody is building or changing, and let nobody begin to.

    A damaged collection is given too, so that it can be removed.

    Raises:
        CollectionNotFoundError: There is none of that name.
        CollectionError: It is being built or changed.
        StorageError: No permission.
    """
    folder = folder_of(name)
    with disk_errors(folder), ExitStack() as held:
        held.enter_context(gate(folder, doing="changing"))
        folder_of(name)  # it may have been removed until now
        held.enter_context(no_builds(folder))
        yield folder


@contextmanager
def gate(folder: Path, *, doing: str, patience: float = 0.0) -> Iterator[None]:
    """Hold a collection's gate.

    Args:
        folder: The collection's, which need not be there yet.
        doing: What whoever holds it else is doing, for the message: "changing", "making".
        patience: How many seconds to wait for whoever holds it.

    Raises:
        CollectionError: Another process holds it.
    """
    try:
        with filelock.FileLock(Layout(folder).gate, timeout=patience, fallback_to_soft=False):
            yield
    except filelock.Timeout as error:
        raise CollectionError(
            f"Expected nobody else to be {doing} {folder.name}, but another process is. Wait until it has finished."
        ) from error


@contextmanager
def no_builds(folder: Path) -> Iterator[None]:
    """Let nobody build, while the gate is held: who is to begin waits there, so that these locks are all there are.

    Raises:
        CollectionError: Somebody is building.
    """
    with ExitStack() as held:
        for lock in Layout(folder).build_locks():
            try:
                held.enter_context(filelock.FileLock(lock, blocking=False, fallback_to_soft=False))
            except filelock.Timeout as error:
                raise CollectionError(
                    f"Expected a collection that nobody is building, but {folder.name} is being built with "
                    f"{lock.parent.name}. Wait until that has finished, or stop it."
                ) from error
        yield


@contextmanager
def building(folder: Path, encoder_id: str) -> Iterator[None]:
    """Hold the right to build with one encoder, so that two builds never mix.

    Args:
        folder: The collection's.
        encoder_id: Of the encoder.

    Raises:
        CollectionNotFoundError: The collection has been removed or renamed meanwhile.
        CollectionError: Another process is building it, or changing the collection.
    """
    encoder = Layout(folder).encoder(encoder_id)
    with disk_errors(encoder.folder), ExitStack() as held:
        try:
            # Only while the lock is taken: what is at rest stays so, and encoders can be built side by side.
            with filelock.FileLock(Layout(folder).gate, timeout=_GATE_SECONDS, fallback_to_soft=False):
                if not Layout(folder).record.is_file():
                    folder_of(folder.name)
                encoder.folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(filelock.FileLock(encoder.lock, blocking=False, fallback_to_soft=False))
        except filelock.Timeout as error:
            raise CollectionError(
                f"Expected nobody else to be building {folder.name} with {encoder_id}, but another process is. "
                "Wait until it has finished."
            ) from error
        yield
