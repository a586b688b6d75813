"""What the Compare page says in figures, as HTML: the headline, who is right, what two rankings or graphs share.

Owns these pieces and the page's style sheet. Every label is escaped.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from pages.parts.compare import comparator, difference_tables
from pages.parts.compare.difference_figures import difference_text
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.frame.text import counted, markup
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.reports.comparison import labels_of, verdict
from radcbir_core.evaluation.reports.disagreements import Disagreements, RankedPair


def headline(found: Result, chosen: Chosen) -> str:
    """Micro and macro P@k of both at one level and k, and what one has to know to read them."""
    means = found.table[found.table["averaging"] != "label"]
    here = means[(means["level"] == chosen.level) & (means["k"] == chosen.k)]
    tiles = []
    for row in here.to_dict("records"):
        over = (
            counted(int(row["n_queries"]), "query", "queries")
            if row["averaging"] == "micro"
            else counted(len(labels_of(found, chosen.level, chosen.k)), "label")
        )
        tiles.append(
            f"<div><span>{row['averaging'].capitalize()} P@{chosen.k}, {markup(chosen.level_name)}, mean over "
            f"{markup(over)}</span><p>{comparator.badge('A')} <b>{row['a']:.3f}</b> &emsp;{comparator.badge('B')} "
            f"<b>{row['b']:.3f}</b></p><small>B − A {difference_text(row['difference'], row['low'], row['high'])} "
            f"&ensp;{comparator.said(verdict(row['low'], row['high']))}</small></div>"
        )
    rule = difference_tables.rule_of(found, chosen).split(": ")[1]
    notes = [f"{chosen.protocol.describe().capitalize()}: {rule}.", *found.notes]
    said = "".join(f"<li>{markup(note)}</li>" for note in notes)
    return f'<div class="radcbir-pair">{"".join(tiles)}<ul tabindex="0">{said}</ul></div>'


def pair_summary(found: RankedPair, chosen: Chosen) -> str:
    """What two rankings have in common and how often each is right, as HTML."""
    depth = max(int(found.a.counts[0]), int(found.b.counts[0]))
    if not depth:
        return "No image is left to be a hit."
    parts = [f"<b>{found.shared} of {depth}</b> hits shared", f"rank-biased overlap <b>{found.overlap:.2f}</b>"]
    if found.relevant_a is None or found.relevant_b is None:
        parts.append(f"the query has no {markup(chosen.level_name)}, so nothing is relevant or not")
    else:
        parts.append(
            f'<span style="white-space:nowrap">relevant ({markup(chosen.level_name)}): '
            f"{comparator.badge('A')} <b>{int(found.relevant_a.sum())}</b> "
            f"&ensp;{comparator.badge('B')} <b>{int(found.relevant_b.sum())}</b></span>"
        )
    help_text = "0: nothing shared; 1: identical. The first ten ranks carry 86 % of the weight (p = 0.9)."
    return f'<span title="{markup(help_text)}">{" &emsp; ".join(parts)}</span>'


def two_by_two(found: Disagreements) -> str:
    """How many queries both, one, or none of the two get right."""

    def cell(rows: np.ndarray, kind: str) -> str:
        share = 100 * len(rows) / found.n_queries
        return f'<td class="{kind}"><b>{len(rows):,}</b> <small>{share:.1f} %</small></td>'

    head = f"<tr><th></th><th>{comparator.badge('B')} ✓ right</th><th>{comparator.badge('B')} ✗ wrong</th></tr>"
    first = f"<tr><th>{comparator.badge('A')} ✓ right</th>{cell(found.both, 'same')}{cell(found.only_a, 'a')}</tr>"
    second = f"<tr><th>{comparator.badge('A')} ✗ wrong</th>{cell(found.only_b, 'b')}{cell(found.neither, 'same')}</tr>"
    return f'<table class="radcbir-cells">{head}{first}{second}</table>'


def agreement_table(table: pd.DataFrame, near: int) -> str:
    """The agreement of neighborhoods at each k, beside that of random ones; ``near`` is the k set off."""
    lines = []
    for row in table.itertuples():
        times = f"{row.agreement / row.random:,.0f}× random" if row.agreement > 0 else ""
        chosen = ' class="chosen"' if row.k == near else ""
        lines.append(
            f'<tr{chosen}><td>{row.k} nearest</td><td class="bar">{_bar(row.agreement)}'
            f"</td><td>{_percent(row.agreement)}</td><td>{_percent(row.random)}</td><td>{times}</td></tr>"
        )
    head = "<tr><th></th><th></th><th>shared</th><th>random</th><th></th></tr>"
    return f'<table class="radcbir-agreement">{head}{"".join(lines)}</table>'


def agreement_bars(table: pd.DataFrame, title: str) -> str:
    """The agreement of each label's images, as ``neighborhoods.agreement_by_label`` gives it."""
    if not len(table):
        return '<p class="radcbir-said">No image has a label at this level.</p>'
    lines = "".join(
        f'<tr><td class="name" title="{markup(row.label)}">{markup(row.label)}</td><td class="bar">'
        f"{_bar(row.agreement)}</td><td>{_percent(row.agreement)}</td><td>{row.n_images:,}</td></tr>"
        for row in table.itertuples()
    )
    head = "<tr><th></th><th></th><th>shared</th><th>images</th></tr>"
    return (
        f'<h3 class="radcbir-label">{markup(title)}</h3><div class="radcbir-scroll" tabindex="0">'
        f'<table class="radcbir-agreement">{head}{lines}</table></div>'
    )


def _bar(share: float) -> str:
    return f'<div style="width:{max(100 * share, 0.6):.1f}%"></div>'


def _percent(share: Any) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.3f} %"


STYLE: Final = """<style>
.st-key-radcbir-versus { margin-bottom: -.35rem; }
.radcbir-pair { display: grid; grid-template-columns: minmax(0, 19rem) minmax(0, 19rem) 1fr; gap: 10px; }
.radcbir-pair > div { background: #171C24; border: 1px solid #2A313C; border-radius: 6px; padding: .45rem .75rem; }
.radcbir-pair span { font-size: .82rem; }
.radcbir-pair > div > span { color: #98A3B3; display: block; }
.radcbir-pair p { margin: .1rem 0 .15rem; line-height: 1.4; }
.radcbir-pair b { font-size: 1.3rem; font-weight: 600; }
.radcbir-pair small { color: #B9C3D0; font-size: .82rem; line-height: 1.3; display: block; }
.radcbir-pair ul { color: #98A3B3; font-size: .78rem; line-height: 1.35; margin: 0; padding: 0 0 0 1.1rem;
  max-height: 6.1rem; overflow-y: auto; scrollbar-width: thin; }
.radcbir-pair li { margin: 0 0 .15rem; padding: 0; font-size: .78rem; }
@media (min-width: 900px) {
  .st-key-radcbir-pair-of-rankings > div > [data-testid="stHorizontalBlock"] { flex-wrap: nowrap; }
  .st-key-radcbir-pair-of-rankings > div > div > [data-testid="stColumn"]:first-child {
    flex: 0 0 max(11.5rem, 17%); min-width: 0; }
  .st-key-radcbir-pair-of-rankings > div > div > [data-testid="stColumn"]:last-child { flex: 1 1 0; min-width: 0; }
}
@media (max-width: 1180px) {
  .radcbir-pair { grid-template-columns: 1fr 1fr; }
  .radcbir-pair ul { grid-column: 1 / -1; }
}
.st-key-radcbir-figures [data-testid="stHorizontalBlock"], .st-key-radcbir-labels [data-testid="stHorizontalBlock"] {
  flex-wrap: wrap; }
.st-key-radcbir-figures [data-testid="stColumn"], .st-key-radcbir-labels [data-testid="stColumn"] { min-width: 26rem; }
.radcbir-label { font-size: 1.05rem; margin: 0; padding: 0; font-weight: 600; overflow-wrap: anywhere; }
.radcbir-label small { color: #98A3B3; font-weight: 400; font-size: .87rem; }
.radcbir-said { font-size: .92rem; line-height: 1.55; margin: 0; }
.radcbir-cells { border-collapse: separate; border-spacing: 4px; font-size: .92rem; }
.radcbir-cells th { font-weight: 400; border: 0; padding: 4px 8px; text-align: center; white-space: nowrap; }
.radcbir-cells td { border: 1px solid #2A313C; border-radius: 6px; background: #171C24; padding: 7px 16px;
  text-align: center; white-space: nowrap; font-variant-numeric: tabular-nums; }
.radcbir-cells td b { font-size: 1.15rem; font-weight: 600; }
.radcbir-cells small { color: #98A3B3; }
.radcbir-cells td.a { border-color: #56B4E9; }
.radcbir-cells td.b { border-color: #E69F00; }
.radcbir-agreement { width: 100%; border-collapse: collapse; font-size: .9rem; }
.radcbir-agreement th { color: #98A3B3; font-weight: 400; font-size: .8rem; text-align: right; border: 0;
  padding: 0 0 2px; position: sticky; top: 0; background: #0E1116; }
.radcbir-agreement td { border: 0; padding: 4px 0 4px 10px; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.radcbir-agreement td:first-child { text-align: left; padding-left: 0; }
.radcbir-agreement td.name { white-space: normal; overflow-wrap: anywhere; line-height: 1.3; }
.radcbir-agreement td.bar { width: 38%; }
.radcbir-agreement td.bar div { height: .62em; border-radius: 2px; background: #2FBF9B; }
.radcbir-agreement tr.chosen td { background: #1F2733; }
.radcbir-scroll { max-height: 46rem; overflow-y: auto; scrollbar-width: thin; padding-right: 6px; }
</style>"""
