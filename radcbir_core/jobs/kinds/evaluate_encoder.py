"""Jobs that evaluate an encoder on a collection, or two encoders against each other.

Owns their record. What an evaluation computes and where its result is kept is ``radcbir_core.evaluation``'s business;
a stopped one begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import CollectionError
from radcbir_core.evaluation import Evaluation, Protocol, reports
from radcbir_core.jobs.kinds import Telling
from radcbir_core.storage import digest_of


@dataclass(frozen=True, slots=True)
class EvaluateEncoder:
    """An evaluation, as a person asks for it.

    Attributes:
        name: The collection.
        encoder_id: One that it was built with.
        evaluation: With its choices.

    Example:
        >>> from radcbir_core.evaluation import evaluation_of
        >>> request = EvaluateEncoder("mine", "pixels", evaluation_of("precision", protocol="split", ks=[1, 5]))
        >>> EvaluateEncoder.from_json(json.loads(json.dumps(request.to_json()))) == request
        True
    """

    kind: ClassVar[str] = "evaluation"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = False

    name: str
    encoder_id: str
    evaluation: Evaluation

    @property
    def place(self) -> str:
        """The evaluation of this encoder, with these choices."""
        choices = digest_of(json.dumps(self.to_json(), sort_keys=True))
        return f"evaluation/{self.name}/{self.encoder_id}/{self.evaluation.kind}/{choices[:16]}"

    def check(self) -> None:
        """Refuse what this encoder lacks; what the collection's labels lack is found when it is carried out.

        Looking at the labels of a million images takes seconds, and whoever begins a job waits for this.

        Raises:
            EvaluationError: The choices cannot be, such as a comparison of an encoder with itself.
            StaleError: What the evaluation needs is missing or was made of something else.
        """
        self.evaluation.check_current(open_collection(self.name).store(self.encoder_id))

    def carry_out(self, telling: Telling) -> None:
        """Compute it and keep its result; nothing where it is kept already.

        Raises:
            RadcbirError: What the evaluation raises.
        """
        store = open_collection(self.name).store(self.encoder_id)
        self.evaluation.run(store, progress=telling, surely_kept=True)  # whoever asked reads it from there

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        choices: dict[str, Any] = asdict(self.evaluation)  # type: ignore[call-overload]  # all of them are dataclasses
        return {
            "name": self.name,
            "encoder_id": self.encoder_id,
            "evaluation": self.evaluation.kind,
            "choices": choices,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            CollectionError: There is no such evaluation.
        """
        kind = reports.EVALUATIONS.get(record["evaluation"])
        if kind is None:
            raise CollectionError(
                f"Expected an evaluation of {', '.join(reports.EVALUATIONS)}, but the job's is "
                f"{str(record['evaluation'])[:40]!r}. Dismiss it."
            )
        made = {item.name for item in fields(kind) if item.init}  # type: ignore[arg-type]
        choices = {name: _frozen(value) for name, value in record["choices"].items() if name in made}
        return cls(str(record["name"]), str(record["encoder_id"]), kind(**choices))


def _frozen(value: Any) -> Any:
    """A choice as it was before it was plain: lists are tuples, and what has names is a protocol."""
    if isinstance(value, Mapping):
        return Protocol(**{name: _frozen(item) for name, item in value.items()})
    return tuple(value) if isinstance(value, list | tuple) else value
