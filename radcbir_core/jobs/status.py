"""How far a job is, as it is kept on disk.

Owns the record, its form as JSON, and what it says together with whether anybody is at work. It starts and stops
nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, get_args

from radcbir_core.errors import CollectionError, Remedy

State = Literal["running", "stopping", "stopped", "interrupted", "failed", "done"]
STATES: tuple[State, ...] = get_args(State)

START = "start"
"""The stage before the first one is told."""

_OLD_COUNTS = ("images", "problems")


@dataclass(frozen=True, slots=True)
class Status:
    """How far a job is.

    Attributes:
        state: ``running`` or ``stopping`` while somebody is at it; ``stopped`` where a person asked for that;
            ``interrupted`` where whoever was at it is gone without a word; ``failed`` with an ``error``; ``done``.
        stage: What it is at, or ended at: "import", or a step of a build; see also :data:`START`.
        part: Of several things that are made one after the other, the one at work: the spec of an encoder; else "".
        done: How much of the stage is finished.
        total: Of how much, as far as that is known.
        rate: Items a second in this stage; 0 while it cannot be told.
        started: When it began for the first time, in seconds since 1970.
        updated: When this was written.
        error: What went wrong, one line; "" where nothing did.
        remedy: What mends it, where it is something that RadCBIR does.
        counts: What is to be said of what was made, by name: "images", "problems".
        finished: The parts that are finished: "import", then the specs of encoders.
        runner: What carries it out, or did last: a name of :data:`~radcbir_core.jobs.runners.RUNNERS`, or "terminal".
    """

    state: State = "running"
    stage: str = START
    part: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    started: float = 0.0
    updated: float = 0.0
    error: str = ""
    remedy: Remedy | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    finished: tuple[str, ...] = ()
    runner: str = "process"

    @property
    def ended(self) -> bool:
        """Whether nobody is at it."""
        return self.state not in {"running", "stopping"}

    @property
    def can_resume(self) -> bool:
        """Whether it can be started again."""
        return self.state in {"stopped", "interrupted", "failed"}

    @property
    def share(self) -> float:
        """How much of the stage is finished, 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long this stage still takes at its rate; None while it cannot be told.

        Example:
            >>> Status(done=600, total=2400, rate=50.0).seconds_left, Status(done=5, total=5, rate=1.0).seconds_left
            (36.0, None)
        """
        return (self.total - self.done) / self.rate if self.rate > 0 and self.done < self.total else None

    def as_seen(self, *, alive: bool, asked_to_stop: bool) -> Status:
        """What the record says once it is known whether anybody is at work.

        Example:
            >>> [Status().as_seen(alive=alive, asked_to_stop=asked).state for alive in (True, False)
            ...  for asked in (False, True)]
            ['running', 'stopping', 'interrupted', 'stopped']
            >>> Status(state="done").as_seen(alive=True, asked_to_stop=False).state
            'done'
        """
        if self.state != "running":
            return self
        if alive:
            return replace(self, state="stopping") if asked_to_stop else self
        return replace(self, state="stopped" if asked_to_stop else "interrupted")

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        record = {item.name: getattr(self, item.name) for item in fields(self)}
        remedy = None if self.remedy is None else self.remedy.to_json()
        return record | {"counts": dict(self.counts), "finished": list(self.finished), "remedy": remedy}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Status:
        """The inverse of :meth:`to_json`; also of what RadCBIR wrote before it had more kinds of jobs than imports.

        Raises:
            CollectionError: It is no such record.

        Example:
            >>> old = {"state": "done", "encoder": "pixels", "images": 61, "problems": 2, "finished": ["import"]}
            >>> Status.from_json(old).part, Status.from_json(old).counts
            ('pixels', {'images': 61, 'problems': 2})
        """
        values = dict(record)
        if "encoder" in values:
            values["part"] = values.pop("encoder")
            values["counts"] = {name: values.pop(name, 0) for name in _OLD_COUNTS}
        strange = sorted(set(values) - {item.name for item in fields(cls)})
        if values.get("state") not in STATES or strange:
            what = f"it also has {strange[0][:40]!r}" if strange else f"state = {str(values.get('state'))[:40]!r}"
            raise CollectionError(f"Expected the status of a job, but {what}. Dismiss it, and start it anew.")
        values["finished"] = tuple(told) if isinstance(told := values.get("finished", ()), list) else told
        with contextlib.suppress(ValueError):
            values["remedy"] = None if (told := values.get("remedy")) is None else Remedy.from_json(told)
        for item in fields(cls):
            if item.name in values and not _is_like(values[item.name], item.name):
                raise CollectionError(
                    f"Expected the status of a job, but {item.name} = {str(values[item.name])[:40]!r}. Dismiss it, and "
                    "start it anew."
                )
        return cls(**values)


_NUMBERS = {"done", "total", "rate", "started", "updated"}


def _is_like(value: object, name: str) -> bool:
    """Whether a value can be that of a field: a damaged one must not reach whoever counts with it."""
    if name == "remedy":
        return value is None or isinstance(value, Remedy)
    if name == "counts":
        return isinstance(value, Mapping) and all(type(count) is int for count in value.values())
    if name == "finished":
        return isinstance(value, tuple) and all(isinstance(part, str) for part in value)
    return type(value) in ({int, float} if name in _NUMBERS else {str})
