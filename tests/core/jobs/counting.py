"""A kind of jobs for tests: it counts in a file, goes on where it stopped, and rests while a file is there."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from radcbir_core.errors import CollectionError
from radcbir_core.jobs import Job, Telling


@dataclass(frozen=True)
class Count:
    """Count to ``total`` in a file, one line a number, with the process that wrote it.

    ``fault`` is raised half way: "said" is an error of ours, anything else one that nobody thought of.
    """

    kind: ClassVar[str] = "count"
    runner: ClassVar[str] = "thread"
    is_listed: ClassVar[bool] = True

    name: str
    folder: str
    total: int = 10
    fault: str = ""

    @property
    def place(self) -> str:
        return f"count/{self.name}"

    @property
    def path(self) -> Path:
        return Path(self.folder) / f"{self.name}.txt"

    @property
    def lines(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def check(self) -> None:
        if not Path(self.folder).is_dir():
            raise CollectionError("Expected a folder, but there is none. Make one.")

    def carry_out(self, telling: Telling) -> int:
        for number in range(len(self.lines), self.total):
            telling("count", number, self.total)
            while number == self.total // 2 and (Path(self.folder) / "rest").exists():
                time.sleep(0.02)
                telling("count", number, self.total)
            if number == self.total // 2 and self.fault and not (Path(self.folder) / "mended").exists():
                if self.fault == "said":
                    raise CollectionError("Expected no fault, but there is one. Mend it.")
                raise ZeroDivisionError(self.fault)
            with self.path.open("a") as handle:
                handle.write(f"{os.getpid()}\n")
            telling("count", number + 1, self.total)
        telling.count(lines=self.total)
        telling.finished("count")
        return self.total

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        return cls(**record)


def rests(job: Job) -> bool:
    """Whether a counting job is half way, where it rests."""
    status = job.status()
    return (status.stage, status.done) == ("count", 5)
