"""How far long work is, drawn: one line with a bar, its rate and the time left, and the stages it goes through.

Owns the look and the words of progress. What works, and where, is others' business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import streamlit as st

from pages.parts.frame.text import counted, literal, markup
from radcbir_core.collections.artifacts import ARTIFACTS

Place = Literal["done", "now", "later"]

SIGNS: Final[dict[Place, tuple[str, str]]] = {"done": ("✓", "done"), "now": ("●", "at work"), "later": ("○", "")}
BUILD: Final = {
    "load": "Check and load the encoder",
    **{artifact.name: artifact.stage for artifact in ARTIFACTS},
}
"""The stages of a build, in their order, for people."""
OF_IMAGES: Final = frozenset(
    {"draw", "write", "import", "table", *(artifact.name for artifact in ARTIFACTS if artifact.counts_images)}
)
"""The stages that count images; the others count steps of their own, which mean nothing to a person."""


@dataclass(frozen=True)
class Stage:
    """The stage at work.

    Attributes:
        name: As progress calls it.
        label: For people.
        done: How much of it is finished.
        total: Of how much; 0 where that is not known.
        rate: Items a second; 0 while it cannot be told.
    """

    name: str
    label: str
    done: int
    total: int
    rate: float

    @property
    def share(self) -> float:
        """How much of it is finished, 0 to 1."""
        return min(max(self.done / self.total, 0.0), 1.0) if self.total > 0 else 0.0

    @property
    def line(self) -> str:
        """The stage in one line: how much, how quick, how long still.

        Example:
            >>> Stage("embeddings", "Embed", 600, 2400, 50.0).line
            'Embed · 600 of 2,400 images · 50 images/s · 36 seconds left'
            >>> Stage("import", "Import", 600, 0, 50.0).line
            'Import · 600 images so far · 50 images/s'
        """
        parts = [self.label]
        if self.name in OF_IMAGES and not self.total:
            parts.append(f"{counted(self.done, 'image')} so far")
        elif self.name in OF_IMAGES:
            parts.append(f"{self.done:,} of {counted(self.total, 'image')}")
        elif self.total > 1:
            parts.append(f"{100 * self.share:.0f} %")
        unfinished = self.done < self.total or not self.total
        if self.rate > 0 and unfinished and self.name in OF_IMAGES:
            parts.append(f"{self.rate:,.0f} images/s" if self.rate >= 10 else f"{self.rate:.1f} images/s")
        if self.rate > 0 and self.done < self.total:
            parts.append(f"{duration((self.total - self.done) / self.rate)} left")
        return " · ".join(parts)


def show_bar(stage: Stage) -> None:
    """Draw a stage as a bar with its rate and the time left."""
    st.progress(stage.share, text=literal(stage.line))


def show_list(lines: Sequence[tuple[str, Place]]) -> None:
    """Draw stages one below the other, each with a sign and a word for where it is.

    Args:
        lines: Label and place of each.
    """
    items = "".join(
        f'<li class="{place}"><b>{SIGNS[place][0]}</b> {markup(label)} <small>{SIGNS[place][1]}</small></li>'
        for label, place in lines
    )
    st.html(f'<ol class="radcbir-stages">{items}</ol>{_STYLE}')


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


_STYLE: Final = """<style>
.radcbir-stages { list-style: none; margin: 0 !important; padding: 0 !important; font-size: .92rem; line-height: 1.7; }
.radcbir-stages li { margin: 0; padding: 0; }
.radcbir-stages b { display: inline-block; width: 1.3em; }
.radcbir-stages small { color: #98A3B3; }
.radcbir-stages .done b { color: #2FBF9B; }
.radcbir-stages .now b { color: #4FB3D9; }
.radcbir-stages .later { color: #98A3B3; }
</style>"""
