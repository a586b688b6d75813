"""Third step of the import: the dry run.

Owns how a dry run is shown. What is looked at, and how much of it, is ``radcbir_core.importers.preview``'s business.
Nothing is written, and no patient is shown.
"""

from __future__ import annotations

import base64
from typing import Any, Final

import pandas as pd
import streamlit as st

from pages.parts.collections.wizard import dicom_source
from pages.parts.collections.wizard.draft import Draft
from pages.parts.frame import counts, rights, shell
from pages.parts.frame.csv_text import csv_bytes
from pages.parts.frame.text import literal, message
from radcbir_core.images.thumbnailing import media_type_of
from radcbir_core.importers.preview import Preview, preview
from radcbir_core.wording import counted

COLUMNS: Final = {
    "picture": st.column_config.ImageColumn("", width="small"),
    "image_id": st.column_config.TextColumn("image", width="medium"),
    "path": st.column_config.TextColumn("path", width="medium"),
    "pathologies": st.column_config.ListColumn("pathologies", width="medium"),
    "problem": st.column_config.TextColumn("problem", width="large"),
}
_TITLES: Final = {"modality": "Modality", "anatomy": "Anatomy", "pathology": "Pathology"}


def draw(draft: Draft) -> None:
    """Draw the step."""
    if draft.server:
        _of_server(draft)
        _next(draft)
        return
    if draft.looked is None or draft.looked[0] != draft.identity:
        with st.spinner("Looking at the first images, nothing is written…", show_time=True):
            seen = rights.do(
                "owner", "dry run", draft.source_name, lambda: preview(draft.request(), format_name=draft.format_name)
            )
            draft.looked = (draft.identity, seen)
    dry_run = draft.looked[1]
    st.markdown(f"**{literal(_summary(dry_run))}** :gray[{literal(_looked(dry_run))}]")
    if dry_run.refusal:
        shell.show_error(dry_run.refusal)
    elif dry_run.looked_at and dry_run.files_refused == dry_run.looked_at:
        st.warning("None of the files looked at can be used; see why below.", icon=":material/warning:")
    for note in dry_run.notes:
        st.caption(message(note))
    _rows(dry_run)
    _labels(dry_run)
    _changes(dry_run)
    _problems(dry_run)
    columns = ", ".join(dry_run.further[:40]) + (" …" if len(dry_run.further) > 40 else "")
    if columns:
        st.caption(f"Further columns, kept as they are: {literal(columns)}")
    _next(draft, disabled=bool(dry_run.refusal))


def _next(draft: Draft, *, disabled: bool = False) -> None:
    st.button(
        "Next",
        type="primary",
        icon=":material/arrow_forward:",
        icon_position="right",
        on_click=draft.go,
        args=(3,),
        disabled=disabled,
    )


def _of_server(draft: Draft) -> None:
    """What a server says that it has; nothing of it is fetched for this."""
    number = counted(sum(draft.on_server.values()), "image")
    st.markdown(f"**{number} there** :gray[Nothing was fetched: they come, and are checked, with the import.]")
    dicom_source.say_notes(draft)
    with st.columns([3, 7], gap="medium")[0]:
        counts.bars("Modality", dict(sorted(draft.on_server.items())))


def _summary(dry_run: Preview) -> str:
    parts = [f"{'' if dry_run.complete else 'about '}{counted(dry_run.about, 'row')}"]
    rows = dry_run.problem_count - dry_run.files_refused
    if rows:
        parts.append(f"{rows:,} of {counted(dry_run.read, 'row')} read cannot be used")
    if dry_run.files_refused:
        parts.append(f"{dry_run.files_refused:,} of {counted(dry_run.looked_at, 'file')} looked at cannot be used")
    elif not rows:
        parts.append("no problem" if dry_run.complete else "no problem so far")
    if dry_run.patients:
        parts.append(f"{counted(dry_run.patients, 'patient')}")
    if len(dry_run.sources) > 1:
        parts.append(f"{len(dry_run.sources)} tables or folders")
    return " · ".join(parts)


def _looked(dry_run: Preview) -> str:
    """How much was looked at, plainly."""
    rows = "all rows" if dry_run.complete else f"the first {counted(dry_run.read, 'row')}"
    if dry_run.looked_at:
        return f"Counted over {rows}; the files of {dry_run.looked_at:,} were looked at."
    return f"Counted over {rows}; no file was looked at yet."


def _rows(dry_run: Preview) -> None:
    table = dry_run.table.copy()
    table.insert(0, "picture", [_data_url(picture) for picture in dry_run.thumbnails])
    if not any(dry_run.thumbnails):
        table = table.drop(columns="picture")
    # What no row has is left out, so that what there is has room.
    empty = [name for name in table if name not in {"image_id", "picture"} and not _has_any(table[name])]
    if "path" in table and "path" not in empty:
        empty.append("image_id")  # which is the path, or is made of it, unless the source says otherwise
    st.dataframe(
        table.drop(columns=empty),
        hide_index=True,
        width="stretch",
        height=min(56 * len(table) + 40, 330),
        row_height=56 if "picture" in table else None,
        column_config=COLUMNS,
    )


def _has_any(column: pd.Series[Any]) -> bool:
    return any(bool(len(value)) if isinstance(value, list | str) else value is not None for value in column)


def _labels(dry_run: Preview) -> None:
    boxes = st.columns([3, 3, 4], gap="medium")
    for box, (name, title) in zip(boxes, _TITLES.items(), strict=True):
        with box:
            without = dry_run.unlabeled if name == "pathology" else 0
            note = f"{counted(without, 'image')} without" if without else ""
            counts.bars(title, dry_run.counts[name], column="" if name == "pathology" else name, note=note, rows=6)
    few = [
        f"{name}s: " + ", ".join(f"{value} {count:,}" for value, count in list(dry_run.counts[name].items())[:8])
        for name in ("dataset", "split")
        if dry_run.counts[name]
    ]
    if few:
        st.caption(literal(" · ".join(few)))


def _changes(dry_run: Preview) -> None:
    if dry_run.changes:
        with st.expander(f"Words that are changed ({len(dry_run.changes):,})"):
            st.dataframe(
                pd.DataFrame(dry_run.changes).rename(columns={"from": "in the source", "to": "in the manifest"}),
                hide_index=True,
                width="stretch",
                height=min(36 * len(dry_run.changes) + 38, 250),
            )


def _problems(dry_run: Preview) -> None:
    if not len(dry_run.problems):
        return
    st.markdown(f"**Problems** :gray[{literal(counted(dry_run.problem_count, 'row'))} that the import would leave out]")
    reasons = dry_run.problems["reason"].value_counts()
    for reason, count in list(reasons.items())[:3]:
        st.caption(f"{count:,} × {message(str(reason))}")
    st.dataframe(
        dry_run.problems,
        hide_index=True,
        width="stretch",
        height=min(36 * len(dry_run.problems) + 38, 220),
        column_order=("path", "line", "reason", "source"),
    )
    st.download_button(
        "Problems as CSV",
        csv_bytes(dry_run.problems),
        file_name="problems.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _data_url(picture: bytes | None) -> str | None:
    if picture is None:
        return None
    return f"data:{media_type_of(picture)};base64,{base64.b64encode(picture).decode('ascii')}"
