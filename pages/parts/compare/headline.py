"""What the Compare page says in figures, as HTML: the headline, who is right, what two rankings or graphs share.

Owns these pieces and the page's style sheet. Every label is escaped.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from pages.parts.compare import comparator, difference_tables
from pages.parts.compare.difference_figures import difference_text
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.frame.text import markup, percent
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.comparison import labels_of, verdict
from radcbir_core.evaluation.reports.disagreements import Disagreements, RankedPair
from radcbir_core.wording import counted


def headline(result: Result, chosen: Chosen) -> str:
    """Micro and macro P@k of both at one level and k, and what one has to know to read them."""
    means = result.table[result.table["averaging"] != "label"]
    at_level = means[(means["level"] == chosen.level) & (means["k"] == chosen.k)]
    tiles = []
    for row in at_level.to_dict("records"):
        over = (
            counted(int(row["n_queries"]), "query", "queries")
            if row["averaging"] == "micro"
            else counted(len(labels_of(result, chosen.level, chosen.k)), "label")
        )
        tiles.append(
            f"<div><span>{row['averaging'].capitalize()} P@{chosen.k}, {markup(chosen.level_name)}, mean over "
            f"{markup(over)}</span><p>{comparator.badge('A')} <b>{row['a']:.3f}</b> &emsp;{comparator.badge('B')} "
            f"<b>{row['b']:.3f}</b></p><small>B − A {difference_text(row['difference'], row['low'], row['high'])} "
            f"&ensp;{comparator.said(verdict(row['low'], row['high']))}</small></div>"
        )
    rule = difference_tables.rule_of(result, chosen).split(": ")[1]
    notes = [f"{chosen.protocol.describe().capitalize()}: {rule}.", *result.notes]
    said = "".join(f"<li>{markup(note)}</li>" for note in notes)
    return f'<div class="radcbir-pair">{"".join(tiles)}<ul>{said}</ul></div>'


_OVERLAP: Final = (
    "Rank-biased overlap: how far both lists name the same images in the same order, from 0 (no image in common) to 1 "
    "(the same list). The first ranks weigh most: the first ten carry 86 % of the weight (p = 0.9)."
)


def pair_summary(ranked: RankedPair, chosen: Chosen) -> str:
    """What two rankings have in common and how often each is right, as HTML."""
    depth = max(int(ranked.a.counts[0]), int(ranked.b.counts[0]))
    if not depth:
        return "No image is left to be a hit."
    parts = [f"<b>{ranked.shared} of {depth}</b> hits shared", f"rank-biased overlap <b>{ranked.overlap:.2f}</b>"]
    if ranked.relevant_a is None or ranked.relevant_b is None:
        parts.append(f"the query has no {markup(chosen.level_name)}, so nothing is relevant or not")
    else:
        parts.append(
            f'<span style="white-space:nowrap">relevant ({markup(chosen.level_name)}): '
            f"{comparator.badge('A')} <b>{int(ranked.relevant_a.sum())}</b> "
            f"&ensp;{comparator.badge('B')} <b>{int(ranked.relevant_b.sum())}</b></span>"
        )
    return f"{' &emsp; '.join(parts)}<br><small>{markup(_OVERLAP)}</small>"


def two_by_two(disagreements: Disagreements) -> str:
    """How many queries both, one, or none of the two get right."""

    def cell(rows: np.ndarray, kind: str) -> str:
        share = markup(percent(len(rows) / disagreements.n_queries))
        return f'<td class="{kind}"><b>{len(rows):,}</b> <small>{share}</small></td>'

    head = f"<tr><th></th><th>{comparator.badge('B')} ✓ right</th><th>{comparator.badge('B')} ✗ wrong</th></tr>"
    right = f"{cell(disagreements.both, 'same')}{cell(disagreements.only_a, 'a')}"
    wrong = f"{cell(disagreements.only_b, 'b')}{cell(disagreements.neither, 'same')}"
    first = f"<tr><th>{comparator.badge('A')} ✓ right</th>{right}</tr>"
    second = f"<tr><th>{comparator.badge('A')} ✗ wrong</th>{wrong}</tr>"
    return f'<table class="radcbir-cells">{head}{first}{second}</table>'


def agreement_table(table: pd.DataFrame, near: int) -> str:
    """The agreement of neighborhoods at each k, beside that of random ones; ``near`` is the k set off."""
    lines = []
    for row in lines_of(table):
        times = f"{row.agreement / row.random:,.0f}× random" if row.agreement > 0 else ""
        chosen = ' class="chosen"' if row.k == near else ""
        lines.append(
            f'<tr{chosen}><td>{row.k} nearest</td><td class="bar">{_bar(row.agreement)}'
            f"</td><td>{markup(percent(row.agreement))}</td><td>{markup(percent(row.random))}</td><td>{times}</td></tr>"
        )
    head = "<tr><th></th><th></th><th>shared</th><th>random</th><th></th></tr>"
    return f'<table class="radcbir-agreement">{head}{"".join(lines)}</table>'


def agreement_bars(table: pd.DataFrame, title: str) -> str:
    """The agreement of each label's images, as ``neighborhoods.agreement_by_label`` gives it."""
    if not len(table):
        return '<p class="radcbir-said">No image has a label at this level.</p>'
    lines = "".join(
        f'<tr><td class="name" title="{markup(row.label)}">{markup(row.label)}</td><td class="bar">'
        f"{_bar(row.agreement)}</td><td>{markup(percent(row.agreement))}</td><td>{row.n_images:,}</td></tr>"
        for row in lines_of(table)
    )
    head = "<tr><th></th><th></th><th>shared</th><th>images</th></tr>"
    return (
        f'<h3 class="radcbir-label">{markup(title)}</h3><div class="radcbir-scroll" tabindex="0">'
        f'<table class="radcbir-agreement">{head}{lines}</table></div>'
    )


def _bar(share: float) -> str:
    return f'<div style="width:{max(100 * share, 0.6):.1f}%"></div>'
