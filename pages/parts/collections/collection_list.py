"""The collections there are, in a table; one of them in full.

Owns the table and which collection and which part of it is shown. What a part shows is in ``overview.py``,
``changes.py`` and ``exports.py``. Only the collection shown is read further than its record and a few
columns, so that twenty collections of millions of images are listed as quickly as one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import streamlit as st

from pages.parts.collections import changes, exports, overview, sizes
from pages.parts.frame import encoder_states, loaders, rights, server_paths, shell, state
from pages.parts.frame.text import literal, markup
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.inventory import Listed, listed
from radcbir_core.errors import RadcbirError

PARTS: Final = {
    "overview": "Overview",
    "encoders": "Encoders",
    "problems": "Problems",
    "provenance": "Provenance",
    "export": "Export",
    "change": "Rename or remove",
}
OWNERS_PARTS: Final = ("export", "change")
_SEGMENTS: Final = 8


def draw() -> None:
    """Draw the list, and the collection chosen in it."""
    entries = listed()
    st.subheader("Collections here", anchor=False)
    changes.say_what_was_done()
    if not entries:
        st.caption("There is none yet. Import one above; it will be listed here.")
        return
    _table(entries)
    names = [one.name for one in entries]
    opened = state.get("collection")
    few: Callable[..., Any] = st.segmented_control
    many: Callable[..., Any] = st.selectbox
    chosen = state.choice(
        few if len(names) <= _SEGMENTS else many,
        "Shown below",
        names,
        name="show",
        default=opened if opened in names else names[0],
    )
    shown = next(one for one in entries if one.name == chosen)
    if shown.collection is None:
        _damaged(shown)
        return
    _whole(shown.collection, is_open=chosen == opened)


def _whole(collection: Collection, *, is_open: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        name = "" if collection.title == collection.name else f" :gray[{literal(collection.name)}]"
        st.markdown(f"**{literal(collection.title)}**{name}", width="stretch")
        st.button(
            "Open here and on all pages" if not is_open else "Open on all pages",
            key="radcbir:open",
            icon=":material/folder_open:" if not is_open else ":material/check:",
            disabled=is_open,
            on_click=_open,
            args=(collection.name,),
            type="primary",
        )
    part = state.choice(
        st.segmented_control,
        "Part",
        list(PARTS) if rights.may("owner") else [part for part in PARTS if part not in OWNERS_PARTS],
        name="part",
        format_func=PARTS.__getitem__,
        label_visibility="collapsed",
    )
    with shell.errors_shown():
        {
            "overview": overview.overview,
            "encoders": overview.encoders,
            "problems": overview.problems,
            "provenance": overview.provenance,
            "export": exports.draw,
            "change": changes.draw,
        }[part](collection)


def _damaged(shown: Listed) -> None:
    shell.show_error(shown.error)
    if rights.may("owner"):
        changes.offer_removal(shown.name, None)


def _open(name: str) -> None:
    """Make a collection that of the sidebar; what the URL says of another one's images and encoder goes."""
    state.update(collection=name, encoder=None, show=None)


def _table(entries: list[Listed]) -> None:
    opened = state.get("collection")
    rows = "".join(_row(one, is_open=one.name == opened) for one in entries)
    head = "".join(
        f"<th{kind}>{word}</th>"
        for word, kind in (
            ("collection", ""),
            ("images", _NUMBER),
            ("patients", _NUMBER),
            ("labels", _NUMBER),
            ("modalities", ""),
            ("splits", ""),
            ("encoders complete", ""),
            ("problems", _NUMBER),
            ("on disk", _NUMBER),
            ("made", _NUMBER),
        )
    )
    st.html(f'<table class="radcbir-collections"><tr>{head}</tr>{rows}</table>')


def _row(one: Listed, *, is_open: bool) -> str:
    sign = ' <b class="open">● open</b>' if is_open else ""
    error = one.error
    if one.collection is not None:
        try:
            return _cells(one.collection, sign)
        except RadcbirError as failure:
            error = str(failure)
    return (
        f'<tr><td class="name">{markup(one.name)}{sign}</td>'
        f'<td colspan="9" class="damaged"><b>! damaged</b> {markup(server_paths.shown(error))}</td></tr>'
    )


def _cells(collection: Collection, sign: str) -> str:
    counts = loaders.counts(collection)
    complete, total = encoder_states.complete(collection)
    kind = "current" if total and complete == total else "stale" if total else "missing"
    built = f"{complete} of {total}" if total else "none"
    without = counts.images - sum(counts.splits.values())
    splits = counts.splits | ({"none": without} if without and counts.splits else {})
    number = loaders.problem_count(collection)
    cells = [
        (f"{counts.images:,}", _NUMBER),
        (f"{counts.patients:,}" if counts.patients else "–", _NUMBER),
        (f"{counts.labels:,}", _NUMBER),
        (_joined(counts.modalities), ""),
        (_joined(splits), ""),
        (f"{encoder_states.SIGNS[kind]} {built}", f' style="color:{encoder_states.COLORS[kind]};white-space:nowrap"'),
        (f"{number:,}", _NUMBER),
        (sizes.said(loaders.sizes(collection).total), _NUMBER),
        (str(collection.record.get("created", ""))[:10], _NUMBER),
    ]
    body = "".join(f"<td{attributes}>{markup(text)}</td>" for text, attributes in cells)
    title = "" if collection.title == collection.name else f"<small>{markup(collection.title)}</small>"
    return f'<tr><td class="name">{markup(collection.name)}{sign}{title}</td>{body}</tr>'


def _joined(counts: Mapping[str, int]) -> str:
    """Values with their counts; a line breaks between them only."""
    return " · ".join(f"{name}\u00a0{count:,}" for name, count in counts.items()) or "–"


_NUMBER: Final = ' class="number"'
