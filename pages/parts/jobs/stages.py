"""How far a job is, drawn: one line with a bar, its rate and the time left, and the stages it goes through.

Owns the look and the words of progress, for whatever is at work and wherever. Stopping and going on is
``controls.py``'s business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import streamlit as st

from pages.parts.frame import server_paths
from pages.parts.frame.text import literal, markup
from radcbir_core.collections.artifacts import ARTIFACTS
from radcbir_core.jobs import Status
from radcbir_core.jobs.status import START
from radcbir_core.wording import counted

Place = Literal["done", "now", "later"]

SIGNS: Final[dict[Place, tuple[str, str]]] = {"done": ("✓", "done"), "now": ("●", "at work"), "later": ("○", "")}
_ARTIFACTS: Final = {artifact.name: artifact.stage for artifact in ARTIFACTS}
BUILD: Final = {
    "load": "Check and load the encoder",
    **{artifact.name: artifact.stage for artifact in ARTIFACTS if not artifact.on_request},
}
"""The stages of a build, in their order, for people; what it renews beside them comes after."""
DEMONSTRATION: Final = {
    "load": BUILD["load"],
    "first": "Draw and embed the first images",
    "draw": "Draw the images",
    **_ARTIFACTS,
}
"""The stages of the demonstration."""
_USUAL_SECONDS: Final = {
    "load": 3.0,
    "first": 9.0,
    "draw": 25.0,
    "embeddings": 6.0,
    "index": 0.5,
    "neighbors": 0.5,
    "near-duplicates": 2.0,
    "evaluation": 4.0,
    "projection": 14.0,
    "tiles": 36.0,
}
"""How long each stage of the demonstration takes on two cores; how quick a machine is shows in the stage at work."""
_FASTEST, _SLOWEST = 0.2, 20.0
IMPORT: Final = {
    "archive": "Open the archive",
    "write": "Write the images of the archive",
    "table": "Read the tables",
    "import": "Import and check the images",
}
"""The stages before a build."""
EVALUATION: Final = {
    "search": "Search exactly",
    "comparison": "Compare query by query",
    "metrics": "Compute the metrics",
    "leakage": "Leave out more and more",
    "factors": "Take P@k apart",
    "galleries": "Draw smaller galleries and search them",
    "steps": "Fit the linear probe",
    "images": "Compare images",
    "scale": "Compare pairs of images of different patients",
    "folds": "Hold out patients, and check chances on them",
}
"""The stages of evaluations, in no order: each has some of them."""
BURNED_TEXT: Final = {
    "text-boxes": "Look for text in the images",
    "blackout": "Paint text black in the thumbnails",
    "thumbnails-whole": "Make the thumbnails as they were",
}
"""The stages of what is done about text in pixels."""
_LABELS: Final = {
    START: "Begin",
    "wait": "Wait for a map of this encoder that is being laid out",
    **IMPORT,
    **DEMONSTRATION,
    **EVALUATION,
    **BURNED_TEXT,
}


@dataclass(frozen=True)
class _Unit:
    """What a stage counts; what has no unit counts steps of its own, which mean nothing to a person."""

    one: str
    many: str
    with_rate: bool = False
    at_most: str = ""


_IMAGES: Final = _Unit("image", "images", with_rate=True)
_UNITS: Final = {
    **dict.fromkeys(("first", "draw", "write", "import", "table"), _IMAGES),
    **{artifact.name: _IMAGES for artifact in ARTIFACTS if artifact.counts_images},
    **dict.fromkeys(BURNED_TEXT, _IMAGES),
    "archive": _Unit("MB", "MB", with_rate=True),
    "projection": _Unit("epoch", "epochs"),
    "export": _Unit("row", "rows", with_rate=True),
    "search": _Unit("query", "queries"),
    "evaluation": _Unit("level", "levels"),
    "comparison": _Unit("level", "levels"),
    "metrics": _Unit("metric", "metrics"),
    "leakage": _Unit("step", "steps"),
    "factors": _Unit("factor", "factors"),
    "galleries": _Unit("gallery", "galleries"),
    "steps": _Unit("step", "steps", at_most="at most "),  # the fit may end before
    "images": _Unit("image", "images"),
}


def label_of(status: Status) -> str:
    """The stage at work, in words; with the encoder where several are built one after the other."""
    label = _LABELS.get(status.stage, status.stage)
    return f"{status.part}: {label[0].lower()}{label[1:]}" if status.part and status.stage != START else label


def line(status: Status, label: str = "") -> str:
    """A job in one line: how much, how quick, how long still.

    Args:
        status: How far it is.
        label: What is at work; the stage in words by default.

    Example:
        >>> line(Status(stage="embeddings", done=600, total=2400, rate=50.0), "Embed")
        'Embed · 600 of 2,400 images · 50 images/s · 36 seconds left'
        >>> line(Status(stage="import", done=600, total=600, rate=50.0))
        'Import and check the images · 600 images so far · 50 images/s'
        >>> line(Status(stage="steps", done=7, total=1000))
        'Fit the linear probe · 7 of at most 1,000 steps'
        >>> line(Status(stage="projection", done=1, total=4))
        'Lay out the map · 1 of 4 epochs'
        >>> line(Status(stage="load", done=1, total=4))
        'Check and load the encoder · 25 %'
    """
    parts = [label or label_of(status)]
    unit = _UNITS.get(status.stage)
    endless = _is_endless(status)
    if unit is None:
        parts += [f"{100 * status.share:.0f} %"] if status.total > 1 else []
    elif endless:
        parts.append(f"{counted(status.done, unit.one, unit.many)} so far")
    else:
        parts.append(f"{status.done:,} of {unit.at_most}{counted(status.total, unit.one, unit.many)}")
    if unit is not None and unit.with_rate and status.rate > 0 and (endless or status.done < status.total):
        parts.append(f"{status.rate:,.0f} {unit.many}/s" if status.rate >= 10 else f"{status.rate:.1f} {unit.many}/s")
    if status.seconds_left is not None:
        parts.append(f"{unit.at_most if unit else ''}{duration(status.seconds_left)} left")
    return " · ".join(parts)


def _is_endless(status: Status) -> bool:
    """Of a folder without a table, it is not known how many images there are before they are all read."""
    return status.stage == "import" and status.done >= status.total


def show_bar(status: Status, label: str = "") -> None:
    """Draw how far a job is as a bar, with its rate and the time left.

    Args:
        status: How far it is.
        label: What is at work; the stage in words by default.
    """
    st.progress(0.0 if _is_endless(status) else status.share, text=literal(server_paths.shown(line(status, label))))


def show_whole_demonstration(status: Status) -> None:
    """Draw how far the making of the demonstration is as one bar, with the time that all of it still takes.

    Args:
        status: How far it is.
    """
    share, seconds = whole_demonstration(status)
    text = f"{line(replace(status, rate=0.0))} · about {duration(max(seconds, 1))} left in all"
    st.progress(share, text=literal(server_paths.shown(text)))


def whole_demonstration(status: Status) -> tuple[float, float]:
    """How much of the whole demonstration is made, 0 to 1, and how many seconds the rest takes.

    The seconds of all stages are taken to be longer or shorter than usual as those of the stage at work are.

    Example:
        >>> share, seconds = whole_demonstration(Status(stage="draw", done=1200, total=2400, rate=192.0))
        >>> round(share, 2), seconds
        (0.38, 19.75)
    """
    usual = list(_USUAL_SECONDS.values())
    stages = list(_USUAL_SECONDS)
    at = stages.index(status.stage) if status.stage in stages else 0
    here, later = usual[at], sum(usual[at + 1 :])
    made = sum(usual[:at]) + here * status.share
    pace = 1.0
    if status.rate > 0 and status.total > 0:
        pace = min(max(status.total / status.rate / here, _FASTEST), _SLOWEST)
    return made / sum(usual), (here * (1 - status.share) + later) * pace


def show_list(lines: Sequence[tuple[str, Place]]) -> None:
    """Draw stages one below the other, each with a sign and a word for where it is.

    Args:
        lines: Label and place of each.
    """
    items = "".join(
        f'<li class="{place}"><b>{SIGNS[place][0]}</b> {markup(server_paths.shown(label))} '
        f"<small>{SIGNS[place][1]}</small></li>"
        for label, place in lines
    )
    st.html(f'<ol class="radcbir-stages">{items}</ol>')


def of_build(now: str) -> list[tuple[str, Place]]:
    """The stages of a build while one is at work, each with where it is; what it renews on request stands last."""
    stages = BUILD | {name: stage for name, stage in _ARTIFACTS.items() if name == now}
    return list(zip(stages.values(), places(list(stages), now), strict=True))


def of_demonstration(status: Status) -> list[tuple[str, Place]]:
    """The stages of the demonstration, each with where it is."""
    return list(zip(DEMONSTRATION.values(), places(list(DEMONSTRATION), status.stage), strict=True))


def places(stages: Sequence[str], now: str) -> list[Place]:
    """Where each of some stages is, while one is at work.

    Example:
        >>> places(["load", "embeddings", "index"], "embeddings")
        ['done', 'now', 'later']
        >>> places(["load", "evaluation", "projection"], "folds")  # what one of a build's evaluations is at
        ['done', 'now', 'later']
    """
    if now not in stages and now in EVALUATION and "evaluation" in stages:
        now = "evaluation"
    at = stages.index(now) if now in stages else 0
    before: list[Place] = ["done"] * at
    after: list[Place] = ["later"] * (len(stages) - at - 1)
    return [*before, "now", *after]


def duration(seconds: float) -> str:
    """A time as people say it.

    Example:
        >>> duration(1.2), duration(89), duration(600), duration(7400)
        ('1 second', '89 seconds', '10 minutes', '2 h 3 min')
    """
    if seconds < 120:
        return counted(round(seconds), "second")
    minutes = round(seconds / 60)
    return f"{minutes} minutes" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
