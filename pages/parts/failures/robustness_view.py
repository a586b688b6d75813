"""The view Robustness: what becomes of P@k and of the hits when the queries are changed a little.

Owns this view and its URL parameters ``sample`` and ``perturbation``, the one whose queries are shown.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import streamlit as st

from pages.parts.evaluation import label_chart, protocol_choice, runs, tiles
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.evaluation.patients import counted_patients
from pages.parts.evaluation.protocol_choice import Chosen
from pages.parts.evaluation.tiles import Tile
from pages.parts.frame import figures, paging, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import gallery
from radcbir_core.evaluation import Result
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.robustness import UNCHANGED, Robustness, check_changeable, worst_said
from radcbir_core.images.perturbations import Step
from radcbir_core.wording import counted

IMAGES_A_PAGE: Final = 24
SAMPLES: Final = ("200", "500", "2000")
_SAID: Final = (
    "A sample of queries is changed as a person would look past, embedded anew, and searched with; the gallery stays. "
    "What an encoder finds then says what it goes by: the body, or the frame, the gray levels and the letters on it."
)
_TO_RETRIEVAL: Final = "radcbir:perturbed-to-retrieval"


def show(opened: Opened) -> None:
    """Draw the view."""
    chosen = protocol_choice.choose(opened, clears=["page"], fixed_ks=())
    tiles.explain(_SAID)
    if not (protocol_choice.can_run(opened, chosen.protocol) and protocol_choice.has_labels(opened, chosen.level)):
        return
    check_changeable(opened.collection.store(opened.encoder_id))
    sample = state.choice(
        st.segmented_control,
        "Queries, at most",
        SAMPLES,
        name="sample",
        clears=["page"],
        help="Drawn at random, the same each time. Each is embedded a dozen times, so that many take a while.",
        width="content",
    )
    evaluation = Robustness(chosen.protocol, chosen.level, sample=int(sample))
    result = runs.result(opened.collection, opened.encoder_id, evaluation, what="The robustness of this encoder")
    if result is None:
        return
    _headline(opened, result, chosen)
    words = _table(opened, result, chosen)
    said = state.get("perturbation")
    if said is None:
        st.caption("Click a change in the chart or in the table to see the queries that lose most by it.")
    elif said not in words:
        state.report("perturbation", said, list(words), then="None is opened")
    else:
        _queries(opened, result, chosen, words[said])


def _headline(opened: Opened, result: Result, chosen: Chosen) -> None:
    micro = result.table[(result.table["averaging"] == "micro") & (result.table["perturbation"] == UNCHANGED)]
    shown = []
    for row in lines_of(micro[micro["k"].isin({1, chosen.k})]):
        lines = [tiles.interval(row.low, row.high), f"chance {tiles.number(row.chance)}"]
        lines.append(
            f"{counted(row.n_queries, 'query', 'queries')} of {counted_patients(opened.collection, row.n_patients)}"
        )
        shown.append(Tile(f"Micro P@{row.k}, unchanged", tiles.number(row.precision), tuple(lines)))
    tiles.headline(shown, result, first=[f"{chosen.protocol.describe().capitalize()}."])
    st.markdown(f":material/search_insights: {literal(worst_said(result.table, k=chosen.k).replace('-', '−'))}")


def _table(opened: Opened, result: Result, chosen: Chosen) -> dict[str, str]:
    """Every change as a dot and as a row, in the order in which they are done; their names → their words."""
    k, table = chosen.k, result.table
    micro = table[(table["averaging"] == "micro") & (table["k"] == k)].reset_index(drop=True)
    overall = float(micro.loc[micro["perturbation"] == UNCHANGED, "precision"].iloc[0])
    micro = micro[micro["perturbation"] != UNCHANGED].reset_index(drop=True)
    words = {Step.of(word).said: word for word in micro["perturbation"]}
    first = table[(table["averaging"] == "micro") & (table["k"] == 1) & (table["perturbation"] != UNCHANGED)]
    micro = micro.assign(
        label=list(words),
        interval=[tiles.bounds(row.low, row.high) for row in lines_of(micro)],
        change=[_change(row) for row in lines_of(micro)],
        first=first["precision"].to_numpy(),
        change_of_first=[_change(row) for row in lines_of(first)],
        stay=100 * micro["overlap"],
        stay_interval=[tiles.bounds(row.overlap_low, row.overlap_high) for row in lines_of(micro)],
    )
    bar = st.container(horizontal=True, vertical_alignment="center", gap="medium")
    bar.caption(
        f"Micro P@{k}. Dots: with their 95 % interval over patients; │ by chance; the dotted line: unchanged. Changes "
        "are paired: of the very same queries, less what they had unchanged."
    )
    label_chart.download(
        lambda: table,
        file_name=f"robustness-{opened.collection.name}-{opened.encoder_id}-{chosen.protocol.name}-{chosen.level}.csv",
        about="Every change at every k, micro, macro and by label, with intervals",
        box=bar,
    )
    about = "Less P@k of the same queries unchanged, with the 95 % interval over patients"
    columns: dict[str, Any] = {
        "precision": figure_column(f"P@{k}", width=52),
        "interval": st.column_config.TextColumn("95 %", width=80, help="Of P@k, over patients"),
        "change": st.column_config.TextColumn("Change", width=148, help=about),
        "first": figure_column("P@1", width=52),
        "change_of_first": st.column_config.TextColumn("Change of P@1", width=148, help=about),
        "stay": label_chart.percent_column("Stay", width=58, about=f"Of the first {k} hits, how many they had before"),
        "stay_interval": st.column_config.TextColumn("95 %", width=80, help="Of what stays, over patients"),
        "n_queries": figure_column("Queries", format_text="localized", width=56),
        "n_patients": figure_column("Patients", format_text="localized", width=58, about="Behind the intervals"),
    }
    if k == 1:
        del columns["first"], columns["change_of_first"]
    label_chart.pair(
        figures.interval_dots(micro, k=k, overall=overall),
        micro,
        columns,
        label=state.get("perturbation"),
        alt=f"Dots: P@{k} under {len(micro)} changes of the queries, with intervals; unchanged {overall:.2f}",
        label_width=160,
        widths=(1, 2),
        name="perturbation",
        heading="Change",
    )
    return words


def _change(row: Any) -> str:
    """A paired difference and its interval.

    >>> from types import SimpleNamespace
    >>> _change(SimpleNamespace(difference=-0.25, difference_low=-0.5, difference_high=0.0))
    '−0.250 (−0.500 to +0.000)'
    """
    if np.isnan(row.difference):
        return "–"
    return f"{row.difference:+.3f} ({row.difference_low:+.3f} to {row.difference_high:+.3f})".replace("-", "−")


def _queries(opened: Opened, result: Result, chosen: Chosen, word: str) -> None:
    """The queries that lose most by one change; a click searches with one, changed."""
    k, queries = chosen.k, result.tables["queries"]
    step = Step.of(word)
    label_chart.title(step.said, f"{step.kind.about} The queries that lose most first.", name="perturbation")
    both = queries[queries["perturbation"] == word].merge(
        queries[queries["perturbation"] == UNCHANGED][["row", f"p@{k}"]], on="row", suffixes=("", " before")
    )
    lost = both[f"p@{k} before"] - both[f"p@{k}"]
    both = both.iloc[np.lexsort((both["row"], both["similarity"], -lost))].reset_index(drop=True)
    shown = paging.shown(len(both), IMAGES_A_PAGE, what="queries", title="Queries by what they lose")
    part = both.iloc[shown]
    notes = [
        f"P@{k} {before:.2f} → {after:.2f}, {stay:.0%} of {k} stay, similarity to itself {near:.3f}"
        for before, after, stay, near in zip(
            part[f"p@{k} before"], part[f"p@{k}"], part[f"overlap@{k}"], part["similarity"], strict=True
        )
    ]
    st.caption(
        "“Query” opens Retrieval with the changed image, where the hits that stay and those that are new are told."
    )
    gallery.show(
        opened.collection,
        part["row"].to_numpy(),
        key="perturbed",
        columns=8,
        per_page=IMAGES_A_PAGE,
        notes=notes,
        on_query=lambda image_id: st.session_state.update({_TO_RETRIEVAL: image_id}),
    )
    image_id = st.session_state.pop(_TO_RETRIEVAL, None)
    if image_id is not None:
        st.switch_page("pages/retrieval.py", query_params=state.parameters_for(image=image_id, perturb=word))
