"""What kinds of values the records of a collection and of its encoders hold.

Owns the two lists of fields, by which a record that anybody may have written is looked at before it is used. Fields
that are not on the lists are nobody's business, and stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from radcbir_core.collections.artifacts import INDEX

Rule = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _positive(value: Any) -> bool:
    return _count(value) and value > 0


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _share(value: Any) -> bool:
    """A share, or nothing; NaN is what versions before wrote for nothing."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (number and (math.isnan(value) or 0 <= value <= 1))


def _list_of(rule: Rule) -> Rule:
    return lambda value: isinstance(value, list) and all(map(rule, value))


def _facts(value: Any) -> bool:
    """Names with values."""
    return isinstance(value, dict)


def _fields(rules: Mapping[str, Rule]) -> Rule:
    return lambda value: isinstance(value, dict) and not odd_field(value, rules)


_CHANGE = _fields({"column": _text, "from": _text, "to": _text, "rows": _count})
_RECALL: Final[dict[str, Rule]] = {f"recall_at_{depth}": _share for depth in (1, 10, 100)}
_ARTIFACT = _fields({"recipe": _count, "of": lambda value: _facts(value) and all(map(_text, value.values()))})

_PLAN = _fields(
    {
        "images": _positive,
        "seed": _count,
        "labels": lambda value: value is None or _positive(value),
        "split": lambda value: value is None or _text(value),
    }
)

_MADE_MAP = _fields({"recipe": _count, "neighbors": _text, "digest": _text, "facts": _facts})


def _is_map(value: object) -> bool:
    """Whether something is what is recorded of a map: perhaps with the same of the one that takes its place."""
    if not (isinstance(value, Mapping) and _MADE_MAP(value) and {"digest", "facts"} <= set(value)):
        return False
    return "next" not in value or ("next" not in (coming := value["next"]) and _is_map(coming))


COLLECTION: Final[Mapping[str, Rule]] = {
    "schema_version": _count,
    "name": _text,
    "title": _text,
    "created": _text,
    "format": _text,
    "image_root": _text,
    "images": _positive,
    "manifest": _text,
    "manifest_digest": _text,
    "problems": _count,
    "thumbnails_blacked_out": _flag,
    "duplicates": _count,
    "duplicate_groups": _count,
    "corrections": _count,
    "checked": _text,
    "notes": _list_of(_text),
    "changes": _list_of(lambda value: _CHANGE(value) and {"column", "from", "to", "rows"} <= set(value)),
    "sources": _list_of(_fields({"origin": _text, "dataset": _text, "rows": _count, "images": _count})),
    "licences": lambda value: _facts(value) and all(map(_count, value.values())),
    "archive": _facts,
    "to_be_drawn": lambda value: _PLAN(value) and set(value) == {"images", "seed", "labels", "split"},
}
"""The fields of ``collection.json``; which of them must be there is for whoever reads them."""

ENCODER: Final[Mapping[str, Rule]] = {
    "schema_version": _count,
    "encoder_id": _text,
    "title": _text,
    "spec": _text,
    "fingerprint": _text,
    "weights_digest": _text,
    "dimension": _positive,
    "supports_text": _flag,
    "dtype": _text,
    "device": _text,
    "batch_size": _positive,
    "failed_rows": _list_of(_count),
    "sources": _list_of(_text),
    "versions": _facts,
    "precision": _facts,
    "preprocessing": _facts,
    "artifacts": lambda value: _facts(value) and all(map(_ARTIFACT, value.values())),
    "index": _fields(
        {"engine": _text, "file": lambda value: value in INDEX.one_of, "bytes": _count, "sha256": _text}
        | {"expansion": _count}
        | _RECALL
    ),
    "neighbors": _fields(
        {
            "method": lambda value: value in ("exact", "approximate"),
            "engine": _text,
            **_RECALL,
            **dict.fromkeys(("recall_queries", "rounds", "dimensions"), _count),
        }
    ),
    "projection": _facts,
    "maps": lambda value: _facts(value) and all(map(_is_map, value.values())),
}
"""The fields of ``encoder.json``."""


def odd_field(record: Mapping[str, Any], rules: Mapping[str, Rule]) -> str:
    """The first field that holds a value of another kind than it should; "" where there is none.

    Example:
        >>> odd_field({"title": "Chest", "images": 3}, COLLECTION)
        ''
        >>> odd_field({"title": "Chest", "notes": None}, COLLECTION)
        'notes'
    """
    return next((name for name, rule in rules.items() if name in record and not rule(record[name])), "")
