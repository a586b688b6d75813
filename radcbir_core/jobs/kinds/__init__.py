"""The kinds of jobs there are, by name.

Owns what a kind is, and the one table of them. A kind is a class of requests: an instance is what somebody asked for,
in plain values that can be kept on disk, and knows how to carry it out. A further kind is one module and one line of
the table; nothing else in ``radcbir_core.jobs`` knows what jobs do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Final, Protocol, Self

from radcbir_core.errors import CollectionError, RadcbirError
from radcbir_core.storage import digest_of

KINDS: Final = {
    "burned-text": "radcbir_core.jobs.kinds.find_burned_text:FindBurnedText",
    "collection": "radcbir_core.jobs.kinds.import_and_build:ImportAndBuild",
    "demonstration": "radcbir_core.jobs.kinds.make_demonstration:MakeDemonstration",
    "evaluation": "radcbir_core.jobs.kinds.evaluate_encoder:EvaluateEncoder",
    "export": "radcbir_core.jobs.kinds.export_file:ExportFile",
    "map": "radcbir_core.jobs.kinds.lay_out_map:LayOutMap",
    "regions": "radcbir_core.jobs.kinds.embed_regions:EmbedRegions",
}
"""Kind → its class, as module:name. The module is imported when such a job is met."""

_OLD_KIND = "collection"
"""What the records say nothing of that were written before there were kinds."""


class Telling(Protocol):
    """How a job says how far it is; it is also a :class:`~radcbir_core.progress.Progress`.

    Each call may end the job: somebody has asked it to stop.
    """

    @property
    def started(self) -> float:
        """When the job began for the first time, in seconds since 1970."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` items of ``step`` are finished."""

    def at(self, part: str) -> None:
        """Say which of several parts comes next."""

    def finished(self, part: str) -> None:
        """Note that a part is finished for good."""

    def count(self, **counts: int) -> None:
        """Note what is to be said of what was made, such as ``images=61``."""


class Request(Protocol):
    """What a job was asked for. Its class is a kind of jobs.

    Attributes:
        kind: The name of the kind, as in :data:`KINDS`.
        runner: Where such jobs run if nobody says otherwise, see :data:`~radcbir_core.jobs.runners.RUNNERS`.
        is_listed: Whether a job that is done stays in the list until somebody dismisses it. Where what it made is to be
            seen elsewhere, it is forgotten after a while.
    """

    kind: ClassVar[str]
    runner: ClassVar[str]
    is_listed: ClassVar[bool]

    @property
    def name(self) -> str:
        """The collection's name."""

    @property
    def place(self) -> str:
        """What it writes. One job at a time is at a place, of whatever kind."""

    def check(self) -> None:
        """Refuse what cannot be done, before anything begins.

        Raises:
            RadcbirError: It cannot be done.
        """

    def carry_out(self, telling: Telling) -> object:
        """Do it, in this process and thread; what the terminal wants to know of it is returned.

        Called again after a stop or a kill, it leaves what is finished as it is.

        Raises:
            RadcbirError: It went wrong.
        """

    def to_json(self) -> dict[str, Any]:
        """As plain values; paths are made absolute, because a job may run in a process of its own."""

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`; a KeyError, TypeError or AttributeError where it is no such record."""


def collection_place(name: str) -> str:
    """What jobs write that make a collection or build it."""
    return f"collection/{name}"


def key_of(request: Request) -> str:
    """What is the same for two requests that ask for the same."""
    return digest_of(request.kind, request.place, json.dumps(request.to_json(), sort_keys=True))


def record_of(request: Request, *, by: str = "") -> dict[str, Any]:
    """A request as it is kept on disk, with who made it."""
    return {"kind": request.kind, "request": request.to_json(), "by": by}


def request_in(record: Mapping[str, Any]) -> Request:
    """The request of a record on disk; also of one that was written before there were kinds.

    Raises:
        CollectionError: It is no such record, or of a kind that this version does not know.
    """
    kind = record.get("kind", _OLD_KIND)
    if not isinstance(kind, str) or kind not in KINDS:
        raise CollectionError(
            f"Expected the record of a job of a kind among {', '.join(KINDS)}, but kind = {str(kind)[:40]!r}. "
            "Dismiss it, or use the version of RadCBIR that began it."
        )
    module, _, name = KINDS[kind].partition(":")
    try:
        request: Request = getattr(import_module(module), name).from_json(record.get("request", record))
    except CollectionError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, RadcbirError) as error:
        # A RadcbirError is of choices that this version does not know; one such record must not hide the other jobs.
        raise CollectionError(
            f"Expected a complete record of a job, but {type(error).__name__}: {error}. Start it anew."
        ) from error
    if not isinstance(request.name, str):
        raise CollectionError(f"Expected the record of a job on a collection, but name = {request.name!r}. Dismiss it.")
    return request
