"""Fewer hits: one of each patient, study or series, and none below a least similarity.

Owns these controls, their URL parameters (``one``, ``least`` and ``rest``), and the rest of what was found, which is
drawn when it is asked for. What is left of an answer is the core's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from pages.parts.frame import loaders, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import gallery
from radcbir_core.collections.collection import Collection
from radcbir_core.search.narrowing import at_least, one_each
from radcbir_core.search.queries.query import EmbeddedQuery, Query
from radcbir_core.search.retriever import Answer
from radcbir_core.wording import counted

ALL: Final = "image"
GROUPS: Final = ("patient", "study", "series")
_LEAST: Final = "radcbir:least"
_MANY: Final = {"patient": "patients", "study": "studies", "series": "series"}

Search = Callable[..., Answer]


@dataclass(frozen=True)
class Found:
    """An answer, and what was left out of it.

    Attributes:
        answer: The hits.
        others: Of each hit the rows of further ones of its patient, study or series.
        said: What was left out, in a sentence; "" where nothing was.
    """

    answer: Answer
    others: tuple[tuple[int, ...], ...]
    said: str


@dataclass(frozen=True)
class Fewer:
    """What is asked for.

    Attributes:
        collection: That is searched.
        one: One hit of each of :data:`GROUPS`; "" for all.
        least: Similarity; None for any.
        k: How many hits.
    """

    collection: Collection
    one: str
    least: float | None
    k: int

    def find(self, search: Search, query: EmbeddedQuery | Query) -> Found:
        """The hits of a query.

        Args:
            search: As :meth:`~radcbir_core.search.retriever.Retriever.search`, with all but the query and k.
            query: Which.

        Raises:
            QueryError: As the search does.
        """
        said: list[str] = []
        others: tuple[tuple[int, ...], ...] = ()
        if self.one in GROUPS:
            groups = self.collection.manifest.groups(self.one)  # type: ignore[arg-type]  # it is one of these words
            found = one_each(lambda k: search(query, k=k), groups, k=self.k)
            answer, others = found.answer, found.others
            rest = sum(map(len, others))
            said.append(
                f"One hit a {self.one}, of the first {found.depth:,}; {counted(rest, 'further one')} of theirs."
            )
        else:
            answer = search(query, k=self.k)
        if self.least is not None:
            before = len(answer)
            answer = at_least(answer, self.least)
            others = others[: len(answer)]
            said.append(f"{before - len(answer)} of {before} are less similar than {self.least:g}, and left out.")
        return Found(answer, others, " ".join(said))


def choose(box: st.delta_generator.DeltaGenerator, opened: Opened, *, k: int) -> Fewer:
    """Draw the controls; what they say.

    Args:
        box: Where to draw the button, in a row of controls.
        opened: The open collection.
        k: How many hits.
    """
    known = loaders.facts(opened.collection).known_groups
    offered = [ALL, *(name for name in GROUPS if name in known)]
    least = _asked_least()
    number = (least is not None) + (state.get("one") in offered[1:])
    popover = box.popover(f"Fewer ({number})" if number else "Fewer", icon=":material/filter_list:")
    # What is to be said of the URL is said beside the popover, which is closed.
    one = state.choice(
        popover.segmented_control,
        "One hit for each",
        offered,
        name="one",
        clears=["rest"],
        help="The first hit of each patient, study or series; the others of theirs are behind a switch below. "
        "Images of which it is not known stand for themselves.",
    )
    st.session_state[_LEAST] = least
    popover.number_input(
        "Least similarity",
        min_value=-1.0,
        max_value=1.0,
        step=0.01,
        format="%.3g",
        placeholder="any",
        key=_LEAST,
        width=160,
        on_change=lambda: state.update(least=_written(st.session_state[_LEAST])),
        help="Hits that are less similar are left out, so that there may be none.",
    )
    return Fewer(opened.collection, "" if one == ALL else one, least, k)


def notes(said: Sequence[str] | None, found: Found) -> list[str] | None:
    """The line of each card, with how many more there are of its patient, study or series."""
    if not any(found.others):
        return None if said is None else list(said)
    more = [f"and\N{NO-BREAK SPACE}{len(others)}\N{NO-BREAK SPACE}more" if others else "" for others in found.others]
    return [" · ".join(filter(None, pair)) for pair in zip(said or [""] * len(more), more, strict=True)]


def show_rest(opened: Opened, found: Found, *, one: str, on_query: Callable[[str], None]) -> None:
    """The further hits of each patient, study or series, behind a switch.

    Args:
        opened: The open collection.
        found: The hits.
        one: Of what one was shown.
        on_query: Called with the image_id of one that is to be the next query.
    """
    rows = [row for others in found.others for row in others]
    if not rows:
        return
    key, asked = "radcbir:rest", state.get("rest")
    if asked not in (None, "all"):
        state.report("rest", asked, ["all"], then="They are not shown")
    st.session_state[key] = asked == "all"
    st.toggle(
        f"Show the rest: {counted(len(rows), 'further hit')} of the same {_MANY[one]}",
        key=key,
        on_change=lambda: state.update(rest="all" if st.session_state[key] else None),
    )
    if st.session_state[key]:
        ranks = [rank for rank, others in enumerate(found.others, 1) for _ in others]
        gallery.show(
            opened.collection,
            np.asarray(rows),
            key="rest",
            per_page=20,
            columns=8,
            on_query=on_query,
            notes=[f"as hit {rank}" for rank in ranks],
        )


def _asked_least() -> float | None:
    """What the URL asks for; what is no similarity is reported and left out."""
    text = state.get("least")
    if text is None:
        return None
    try:
        least = float(text)
    except ValueError:
        least = float("nan")
    if not -1 <= least <= 1:
        st.warning(f"Expected least from -1 to 1, but least = {literal(text[:80])}. Hits of any similarity are shown.")
        return None
    return least


def _written(least: float | None) -> str | None:
    return None if least is None else f"{least:g}"
