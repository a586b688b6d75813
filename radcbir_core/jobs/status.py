"""How far a piece of work is, as it is kept on disk.

Owns the record, its form as JSON, and what it says together with whether a process is at work. It starts and stops
nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from radcbir_core.errors import CollectionError

State = Literal["running", "stopping", "stopped", "interrupted", "failed", "done"]
STATES: tuple[State, ...] = get_args(State)

START = "start"
"""The stage before the first one is told."""


@dataclass(frozen=True, slots=True)
class Status:
    """How far a piece of work is.

    Attributes:
        state: ``running`` or ``stopping`` while a process is at it; ``stopped`` where somebody asked for that;
            ``interrupted`` where the process is gone without a word; ``failed`` with an ``error``; ``done``.
        stage: What it is at, or ended at: "import", or a step of a build; see also :data:`START`.
        encoder: The spec of the encoder that it builds with; "" during the import.
        done: How much of the stage is finished.
        total: Of how much, as far as that is known.
        rate: Items a second in this stage; 0 while it cannot be told.
        started: When it began for the first time, in seconds since 1970.
        updated: When this was written.
        error: What went wrong, one line; "" where nothing did.
        images: Images of the collection; 0 before the import has finished.
        problems: Rows of its problems.csv.
        finished: What is finished: "import", then the specs of encoders.
    """

    state: State = "running"
    stage: str = START
    encoder: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    started: float = 0.0
    updated: float = 0.0
    error: str = ""
    images: int = 0
    problems: int = 0
    finished: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether no process is at it."""
        return self.state not in {"running", "stopping"}

    @property
    def can_go_on(self) -> bool:
        """Whether it can be started again."""
        return self.state in {"stopped", "interrupted", "failed"}

    @property
    def seconds_left(self) -> float | None:
        """How long this stage still takes at its rate; None while it cannot be told.

        Example:
            >>> Status(done=600, total=2400, rate=50.0).seconds_left, Status(done=5, total=5, rate=1.0).seconds_left
            (36.0, None)
        """
        return (self.total - self.done) / self.rate if self.rate > 0 and self.done < self.total else None

    def as_seen(self, *, alive: bool, asked_to_stop: bool) -> Status:
        """What the record says once it is known whether a process is at work.

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
        return asdict(self) | {"finished": list(self.finished)}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Status:
        """The inverse of :meth:`to_json`.

        Raises:
            CollectionError: It is no such record.
        """
        known = {item.name for item in fields(cls)}
        strange = sorted(set(record) - known)
        if record.get("state") not in STATES or strange:
            found = f"it also has {strange[0][:40]!r}" if strange else f"state = {str(record.get('state'))[:40]!r}"
            raise CollectionError(
                f"Expected the status of a piece of work, but {found}. Dismiss it, and start it anew."
            )
        return cls(**record | {"finished": tuple(record.get("finished", ()))})
