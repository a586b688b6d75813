"""The view Near-duplicates: groups of files that show one picture, those that do not fit together first.

Owns this view and its URL parameter ``conflict``. The groups are the evaluation's.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from pages.parts.evaluation import runs, tiles
from pages.parts.frame import downloads, paging, state
from pages.parts.frame.downloads import Table
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import literal
from pages.parts.images import gallery
from radcbir_core.evaluation.evaluation import lines_of
from radcbir_core.evaluation.reports.duplicate_groups import DuplicateGroups
from radcbir_core.wording import counted

GROUPS_A_PAGE: Final = 8
MOST_IMAGES: Final = 10
KINDS: Final = {
    "any": "Any conflict",
    "labels": "Other labels",
    "patients": "Other patients",
    "splits": "Train and test",
    "all": "All groups",
}


def show(opened: Opened) -> None:
    """Draw the view."""
    result = runs.result(opened.collection, opened.encoder_id, DuplicateGroups(), what="This list")
    if result is None:
        return
    tiles.explain(
        "Files that show one picture: scaled, compressed again, cropped a little, in another window, flipped or "
        "inverted, or neighboring slices that hardly differ. Radiographs of one patient that were taken "
        "shortly after each other can be among them. Where files of one picture have other labels or other patients, "
        "look: one of them may be wrong, or they only look the same. Where one is in train and one in test, figures "
        "are too favorable."
    )
    table = result.table
    masks = {kind: _mask(table, kind) for kind in KINDS}
    bar = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls")
    kind = state.choice(
        bar.segmented_control,
        "Groups",
        list(KINDS),
        name="conflict",
        default="any" if masks["any"].any() else "all",
        clears=["page"],
        format_func=lambda name: f"{KINDS[name]} ({int(masks[name].sum()):,})",
    )
    with bar:
        downloads.offer(
            Table(len(table), lambda: result.table, opened.collection.manifest.with_image_ids),
            file_name=f"near-duplicates-{opened.collection.name}-{opened.encoder_id}.csv",
            about="All groups",
        )
    st.caption(
        f"{counted(len(result.tables['images']), 'image')} of {len(opened.collection):,} are in "
        f"{counted(len(table), 'group')}. {' '.join(map(literal, result.notes))}"
    )
    shown = table[masks[kind]]
    if not len(shown):
        st.info("There is no such group.", icon=":material/check_circle:")
        return
    part = shown.iloc[paging.shown(len(shown), GROUPS_A_PAGE, what="groups")]
    images = result.tables["images"]
    groups, rows = images["group"].to_numpy(), images["row"].to_numpy()
    for group in lines_of(part):
        said = f"{counted(int(group.n_images), 'image')}{f': {group.values}' if group.values else ''}"
        st.markdown(f"**Group {group.group}** &ensp;{literal(said)}")
        members = rows[groups == group.group]
        gallery.show(opened.collection, members, key=f"group-{group.group}", columns=5, per_page=MOST_IMAGES)


def _mask(table: pd.DataFrame, kind: str) -> np.ndarray:
    if kind == "all":
        return np.ones(len(table), dtype=bool)
    column = table["conflicts"] > 0 if kind == "any" else table[kind]
    return column.to_numpy(dtype=bool)
