"""The process that carries out a piece of work: import, then build, telling on disk how far it is.

Owns the order of an import and its builds, going on after a stop, and what is told meanwhile. It is run by
:mod:`radcbir_core.jobs.pieces` and ends with the work.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from radcbir_core.build import build, build_imported
from radcbir_core.collections.archive import open_archive
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.layout import list_collections
from radcbir_core.collections.record import ARCHIVED
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError, RadcbirError, StorageError
from radcbir_core.importers import import_as
from radcbir_core.jobs.pieces import Work
from radcbir_core.jobs.request import WorkRequest
from radcbir_core.jobs.status import START, Status
from radcbir_core.storage import write_json

IMPORT = "import"
LOAD = "load"

_WRITE_SECONDS = 0.5
_LOOK_SECONDS = 0.25
_RATE_SECONDS = 0.5
_NICENESS = 5


class Stopped(Exception):  # noqa: N818 - not an error
    """Somebody asked to stop."""


@dataclass(slots=True)
class Teller:
    """Progress of one run, written to disk; raises :class:`Stopped` once that was asked for.

    Attributes:
        work: Whose.
        status: As it was written last, or is about to be.
    """

    work: Work
    status: Status
    signaled: bool = False
    _began: float = field(default_factory=time.monotonic)
    _done_before: int = 0
    _written: float = 0.0
    _looked: float = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note of progress, as :class:`~radcbir_core.progress.Progress` says."""
        now = time.monotonic()
        new = step != self.status.stage
        if new or done < self._done_before:
            self._began, self._done_before = now, done
        seconds = now - self._began
        rate = (done - self._done_before) / seconds if seconds > _RATE_SECONDS else 0.0
        self.status = replace(self.status, stage=step, done=done, total=total, rate=rate)
        if new or now - self._written > _WRITE_SECONDS:
            self.write()
        # A new step looks at once: what follows may be over sooner than the next look is due.
        if self.signaled or ((new or now - self._looked > _LOOK_SECONDS) and self._is_asked()):
            raise Stopped

    def at(self, encoder: str) -> None:
        """Say which encoder comes next."""
        self.status = replace(self.status, encoder=encoder, stage=START, done=0, total=0, rate=0.0)

    def finished(self, what: str) -> None:
        """Note that a part is finished for good."""
        self.status = replace(self.status, finished=(*self.status.finished, what))
        self.write()

    def ended(self, state: str, error: str = "") -> None:
        """Write the last word."""
        self.status = replace(self.status, state=state, error=error, rate=0.0)  # type: ignore[arg-type]
        self.write()

    def write(self) -> None:
        """Write the status; where the disk is full, the work itself says so, and this is not worth stopping for."""
        self._written = time.monotonic()
        self.status = replace(self.status, updated=time.time())
        with contextlib.suppress(StorageError, OSError):
            write_json(self.work.status_path, self.status.to_json())

    def _is_asked(self) -> bool:
        self._looked = time.monotonic()
        return self.work.stop_path.exists()


def run(work: Work) -> Status:
    """Carry out a piece of work in this process, which holds its lock; how it ended.

    Never raises: what goes wrong is part of the status, and in full in the log.
    """
    before = work.status()
    teller = Teller(work, Status(started=before.started, images=before.images, problems=before.problems))

    def stop(*_: object) -> None:
        teller.signaled = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)  # whoever searches meanwhile comes first
    teller.write()
    try:
        _carry_out(work, teller)
    except Stopped:
        teller.ended("stopped")
    except RadcbirError as error:
        print(f"Error: {error}", flush=True)
        teller.ended("failed", str(error))
    except Exception as error:  # noqa: BLE001
        # A mistake of ours, or an answer of the operating system that nobody thought of: told, not swallowed.
        traceback.print_exc()
        text = f"{type(error).__name__}: {error}"
        teller.ended("failed", f"{' '.join(text.split())[:300]} (more in {work.log_path})")
    else:
        teller.ended("done")
    return teller.status


def _carry_out(work: Work, teller: Teller) -> None:
    request = work.request
    if request.brings_in:
        if not (request.needs_new_name and _stands(request, since=teller.status.started)):
            _bring_in(request, teller)
        _tell_size(open_collection(request.name), teller)
        teller.finished(IMPORT)
    collection = open_collection(request.name)
    _tell_size(collection, teller)
    if request.imports is not None and request.imports.encoder_id:
        teller.at(request.imports.encoder_id)
        build_imported(collection, request.imports.encoder_id, progress=teller)
        teller.finished(request.imports.encoder_id)
    refused: list[EncoderError] = []
    for spec in request.encoders:
        teller.at(spec)
        teller(LOAD, 0, 1)
        try:
            encoder = load_encoder(spec)
        except EncoderError as error:
            # The others can be built all the same.
            print(f"Error: {error}", flush=True)
            refused.append(error)
            continue
        teller(LOAD, 1, 1)
        build(collection, encoder, progress=teller)
        teller.finished(spec)
    _tell_size(open_collection(request.name), teller)
    if refused:
        raise refused[0]


def _bring_in(request: WorkRequest, teller: Teller) -> None:
    if request.archive is not None:
        open_archive(request.archive, request.name, progress=teller)
    elif request.imports is not None:
        import_as(request.imports, format_name=request.format_name, progress=teller)


def _tell_size(collection: Collection, teller: Teller) -> None:
    teller.status = replace(teller.status, images=len(collection), problems=len(collection.problems()))


def _stands(request: WorkRequest, *, since: float) -> bool:
    """Whether an earlier run of the same work has finished the import.

    The name was free when the work began. What has it now is this work's if it was made since under the same title, or
    opened since.
    """
    if request.name not in list_collections():
        return False
    made = open_collection(request.name)
    if request.imports is None:
        at, alike = made.record.get(ARCHIVED, {}).get("opened"), True
    else:
        at, alike = made.record.get("created"), made.title == (request.imports.title or request.name)
    return alike and _seconds(at) >= int(since)


def _seconds(at: object) -> float:
    """A time as records give it, in seconds since 1970; 0 where there is none."""
    try:
        time_of = datetime.fromisoformat(str(at))
    except ValueError:
        return 0.0
    return (time_of if time_of.tzinfo else time_of.replace(tzinfo=UTC)).timestamp()
