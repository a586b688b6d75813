"""Two rankings of one query, side by side: rank by rank, with lines between the hits that both have.

Owns how a pair of rankings looks. A shared hit carries the same number on both sides and says its rank on the other;
the line between is drawn by the browser (rankings.js), which sets every label as text, never as markup. The two sides'
similarities stand each under its own letter and are never drawn on one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.compare.comparator import COLORS
from pages.parts.compare.paired import Pair
from pages.parts.frame import palette, state
from pages.parts.images import gallery, pictures, seen_marks
from radcbir_core.collections.collection import Collection
from radcbir_core.evaluation.reports.disagreements import RankedPair
from radcbir_core.search.backend import Hits

_HERE: Final = Path(__file__).parent
_COLUMNS: Final = ("image_id", "modality", "anatomy", "pathologies")


def show(pair: Pair, ranked: RankedPair, *, key: str, on_query: Callable[[str], None]) -> None:
    """Draw both rankings; each hit opens large and becomes the next query with one click.

    Args:
        pair: Whose rankings.
        ranked: The hits of both.
        key: Unique on the page.
        on_query: Called with the image_id before the page runs again, when "Query" is clicked.
    """
    data = drawn(pair, ranked)
    rows = {side: hits.rows[0][: hits.counts[0]] for side, hits in (("A", ranked.a), ("B", ranked.b))}

    def use() -> None:
        result = st.session_state.get(key)
        row = result.get("query") if isinstance(result, Mapping) else None
        if row is not None and any(row in mine for mine in rows.values()):
            on_query(pair.collection.manifest.image_id(int(row)))

    result = _rankings(key=key, data=data, on_open_change=_nothing, on_query_change=use)
    clicked = result.get("open")
    if not isinstance(clicked, Mapping) or clicked.get("side") not in rows:
        return
    side, row = clicked["side"], clicked.get("row")
    if row in rows[side]:
        hits = ranked.a if side == "A" else ranked.b
        known = not np.isnan(hits.similarities[0][: hits.counts[0]]).any()
        gallery.open_large(
            pair.collection,
            rows[side],
            int(np.flatnonzero(rows[side] == row)[0]),
            similarities=hits.similarities[0][: hits.counts[0]] if known else None,
            query_row=ranked.row,
            on_query=on_query,
        )


def drawn(pair: Pair, ranked: RankedPair) -> dict[str, Any]:
    """What the browser gets: the cells of both sides, and which of them are the same image.

    Returns:
        ``a`` and ``b``: a cell a hit, best first; ``links``: ``[position in a, position in b, number]`` a shared hit,
        numbered from 1 in A's order; ``names`` and ``colors`` of both sides.
    """
    first, second = (hits.rows[0][: hits.counts[0]].tolist() for hits in (ranked.a, ranked.b))
    place = {row: position for position, row in enumerate(second)}
    links = [[position, place[row], 0] for position, row in enumerate(first) if row in place]
    links = [[place_a, place_b, number] for number, (place_a, place_b, _) in enumerate(links, 1)]
    at_a, at_b = ({link[side]: link for link in links} for side in (0, 1))
    return {
        "a": _cells(
            pair.collection, ranked.a, ranked.relevant_a, {p: (n, place_b) for p, (_, place_b, n) in at_a.items()}
        ),
        "b": _cells(
            pair.collection, ranked.b, ranked.relevant_b, {p: (n, place_a) for p, (place_a, _, n) in at_b.items()}
        ),
        "links": links,
        "names": {"A": pair.a, "B": "chance" if pair.by_chance else pair.b},
        "colors": {side: COLORS[side] for side in "AB"},
    }


def _cells(
    collection: Collection, hits: Hits, relevant: np.ndarray | None, shared: Mapping[int, tuple[int, int]]
) -> list[dict[str, Any]]:
    """The hits of one side; ``shared`` is position → number of the pair and position on the other side."""
    rows = hits.rows[0][: hits.counts[0]]
    records = collection.manifest.rows(rows, _COLUMNS)
    colors = palette.colors_of("modality", collection.manifest.codes("modality").values)
    seen, cells = seen_marks.seen_here(collection), []
    for position, record in enumerate(records.to_dict("records")):
        row, similarity = int(rows[position]), float(hits.similarities[0][position])
        cell: dict[str, Any] = {
            "row": row,
            "rank": position + 1,
            "image_id": record["image_id"],
            "link": state.link("compare", **_here(record["image_id"])),
            "modality": record["modality"] or "–",
            "color": colors.get(record["modality"], palette.NO_VALUE),
            "anatomy": record["anatomy"] or "not labeled",
            "pathology": ", ".join(record["pathologies"]) or "not labeled",
            "seen": seen_marks.said_of(seen, row),
            "seen_sign": seen_marks.sign_of(seen, row),
            "similarity": None if np.isnan(similarity) else f"{similarity:.3f}",
            "source": pictures.small(
                collection, row, [record["modality"], record["anatomy"], ", ".join(record["pathologies"])]
            ),
        }
        if relevant is not None:
            kind: palette.Agreement = "same" if relevant[position] else "other"
            word = "relevant" if relevant[position] else "not relevant"
            cell |= {"sign": palette.SIGNS[kind], "word": word, "mark": palette.AGREEMENT_COLORS[kind]}
        if position in shared:
            number, other = shared[position]
            cell |= {"number": number, "other": other + 1}
        cells.append(cell)
    return cells


def _here(image_id: str) -> dict[str, Any]:
    """The parameters of a link to the same comparison with another query."""
    kept = {name: state.get(name) for name in ("versus", "level", "k", "protocol", "divisor", "empty", "seen", "hits")}
    excluded = st.query_params.get_all("exclude")
    return {**kept, "exclude": excluded, "section": "rankings", "image": image_id}


def _nothing() -> None:
    """For events whose value is read after the run has started."""


_rankings = st.components.v2.component(
    "radcbir.rankings",
    html='<div class="rankings"></div>',
    css=(_HERE / "rankings.css").read_text(encoding="utf-8"),
    js=(_HERE / "rankings.js").read_text(encoding="utf-8"),
)
