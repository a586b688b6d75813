"""Who may do what to a collection at the same time.

Owns the two kinds of locks. The *gate*, beside a collection's folder, is held by whoever fills or changes the
collection, and for a moment by whoever begins to build it. Each encoder has a lock of its own, held while it is built;
beside it lies what its holder does and since when, for whoever meets it. Whoever looks for text in images has one too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import filelock

from radcbir_core.collections.layout import EncoderLayout, Layout, folder_of
from radcbir_core.errors import CollectionError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import disk_errors

WAIT: Final = "wait"
"""The step of a build that waits for whoever does something shorter with the same encoder."""
BUILDING: Final = "building"
LOOKING: Final = "looking for text"

_GATE_SECONDS = 10.0
_POLL_SECONDS = 0.25
_UNSAID_POLLS = 8
"""So often whoever holds a lock and says nothing of it is asked again, before they are taken for one who builds."""


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
                holder = _holder(EncoderLayout(lock.parent))
                doing = "being built" if holder.doing == BUILDING else f"in use: another process is {holder.doing}"
                whom = f" with {lock.parent.name}" if lock.parent.parent == Layout(folder).encoders else ""
                raise CollectionError(
                    f"Expected a collection that nobody is building, but {folder.name} is {doing}{whom}{holder.since}. "
                    "Wait until that has finished, or stop it."
                ) from error
        yield


@contextmanager
def building(folder: Path, encoder_id: str, *, doing: str = BUILDING, progress: Progress = silent) -> Iterator[None]:
    """Hold the right to build with one encoder, so that two builds never mix.

    A build waits for whoever holds it to do something else, which is shorter; all others are refused, and told who
    holds it and since when.

    Args:
        folder: The collection's.
        encoder_id: Of the encoder.
        doing: What, as in "another process is laying out the map wide"; a build by default.
        progress: Told that it waits, as step :data:`WAIT`; it may stop the waiting by raising.

    Raises:
        CollectionNotFoundError: The collection has been removed or renamed meanwhile.
        CollectionError: Another process is building it, or changing the collection.
    """
    encoder = Layout(folder).encoder(encoder_id)
    waited, unsaid = False, 0
    with disk_errors(encoder.folder), ExitStack() as held:
        while (holder := _taken(folder, encoder, held, doing=doing)) is not None:
            # Who says nothing may be about to leave.
            unsaid += not holder.since
            is_build = holder.doing == BUILDING and (bool(holder.since) or unsaid > _UNSAID_POLLS)
            if doing != BUILDING or is_build:
                raise CollectionError(
                    f"Expected nobody else to be building {folder.name} with {encoder_id}, but another process is "
                    f"{holder.doing}{holder.since}. Wait until it has finished, or stop it."
                )
            waited = True
            progress(WAIT, 0, 1)
            time.sleep(_POLL_SECONDS)
        if waited:
            progress(WAIT, 1, 1)
        yield


@contextmanager
def looking(folder: Path) -> Iterator[None]:
    """Hold the right to look for text in a collection's images.

    Args:
        folder: The collection's.

    Raises:
        CollectionNotFoundError: The collection has been removed or renamed meanwhile.
        CollectionError: Another process is looking, or changing the collection.
    """
    work = Layout(folder).text_boxes_work
    with disk_errors(work.folder), ExitStack() as held:
        holder = _taken(folder, work, held, doing=LOOKING)
        if holder is not None:
            raise CollectionError(
                f"Expected nobody else to be {LOOKING} in {folder.name}, but another process is{holder.since}. Wait "
                "until it has finished, or stop it."
            )
        yield


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who holds the lock of an encoder.

    Attributes:
        doing: What they do.
        since: Since when, as the end of a clause; "" where that is not known.
    """

    doing: str = BUILDING
    since: str = ""


def _taken(folder: Path, encoder: EncoderLayout, held: ExitStack, *, doing: str) -> _Holder | None:
    """Take the lock of an encoder, and say so beside it; who holds it, where somebody does."""
    try:
        # Only while the lock is taken: what is at rest stays so, and encoders can be built side by side.
        with filelock.FileLock(Layout(folder).gate, timeout=_GATE_SECONDS, fallback_to_soft=False):
            if not Layout(folder).record.is_file():
                folder_of(folder.name)
            encoder.folder.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(filelock.FileLock(encoder.lock, blocking=False, fallback_to_soft=False))
            except filelock.Timeout:
                return _holder(encoder)
            held.callback(_leave_unsaid, encoder)
            # Nobody looks meanwhile, without the gate; and what cannot be written is not worth failing for.
            with suppress(OSError):
                encoder.holder.write_text(json.dumps({"doing": doing, "since": int(time.time())}), encoding="utf-8")
    except filelock.Timeout as error:
        raise CollectionError(
            f"Expected nobody else to be changing {folder.name}, but another process is. Wait until it has finished."
        ) from error
    return None


def _leave_unsaid(encoder: EncoderLayout) -> None:
    with suppress(OSError):
        encoder.holder.unlink(missing_ok=True)


def _holder(encoder: EncoderLayout) -> _Holder:
    """What the holder of a lock said when it was taken; of one that said nothing, that it builds."""
    try:
        told = json.loads(encoder.holder.read_text(encoding="utf-8"))
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(told["since"]))
        return _Holder(str(told["doing"]), f" since {at} UTC")
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return _Holder()
