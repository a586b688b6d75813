"""Reviews as tables: out for others and for corrections to be applied, and back in.

Owns the buttons. What the tables hold is the core's. Whoever may look may have them, as the other tables of pages.
"""

from __future__ import annotations

import shlex
from functools import partial
from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.frame import rights, shell
from pages.parts.frame.text import message
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reviews.review_log import Entry
from radcbir_core.collections.reviews.review_state import Reviews
from radcbir_core.collections.reviews.review_table import Imported, csv_of, import_reviews, review_table
from radcbir_core.collections.reviews.reviewing import corrections_table
from radcbir_core.errors import RadcbirError
from radcbir_core.wording import counted

_DONE: Final = "radcbir:review-import"
_FILE: Final = "radcbir:review-file"
_SHOWN: Final = 200


def draw(box: st.delta_generator.DeltaGenerator, collection: Collection, shown: list[Entry], reviews: Reviews) -> None:
    """Draw the buttons.

    Args:
        box: Where, in a row of controls.
        collection: Whose reviews.
        shown: What is on the page, all pages of it.
        reviews: All that holds.
    """
    server = address_of_server()
    box.download_button(
        "CSV",
        lambda: csv_of(review_table(collection, shown, server=server)),
        file_name=f"reviews-{collection.name}.csv",
        mime="text/csv",
        icon=":material/download:",
        help="What is shown, all pages of it: who said what of which image, when, and the address that opens the case",
        on_click="ignore",
        disabled=not shown,
        key="radcbir:reviews-csv",
    )
    table = corrections_table(collection, reviews)
    with box.popover(f"Apply corrections ({len(table):,})", icon=":material/rule:", disabled=not len(table)):
        st.caption(
            f"{counted(len(table), 'image')} with a label that somebody would have otherwise. Download the table, look "
            "at it, and give it to this command; it says first what it would change. The history of the collection "
            "then names who corrected each."
        )
        file = f"corrections-{collection.name}.csv"
        st.download_button(
            "Table of corrections",
            lambda: csv_of(table),
            file_name=file,
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="radcbir:corrections-csv",
        )
        st.code(
            f"{shell.COMMAND} relabel {shlex.quote(collection.name)} {shlex.quote(file)} --dry-run", language="bash"
        )
    if rights.may("editor"):
        with box.popover("Import", icon=":material/upload:"):
            _bring_in(collection)


def say_imported() -> None:
    """Say what became of a table that was brought in, once."""
    done = st.session_state.pop(_DONE, None)
    if isinstance(done, str):
        st.error(message(done), icon=":material/error:")
    if not isinstance(done, Imported):
        return
    st.success(
        f"{counted(done.added, 'entry', 'entries')} added; {done.known:,} were there already; "
        f"{counted(len(done.refused), 'row')} left out.",
        icon=":material/check_circle:",
    )
    if done.refused:
        st.dataframe(
            pd.DataFrame(done.refused[:_SHOWN], columns=["line", "reason"]),
            hide_index=True,
            column_config={
                "line": st.column_config.NumberColumn("Line", width=60),
                "reason": st.column_config.TextColumn("Left out, because"),
            },
        )


def address_of_server() -> str:
    """Where the browser has this dashboard; "" where that is not known, and addresses are relative then."""
    url = st.context.url
    return url.rsplit("/", 1)[0] if url and url.startswith("http") and url.count("/") > 2 else ""


def _bring_in(collection: Collection) -> None:
    st.caption(
        "A table as CSV has it here, or one with the columns `kind` (tag, note or correction), `text` and `image_id`; "
        "`hit_id` for a pair, `column` for a correction. What is there already is not doubled."
    )
    st.file_uploader("Table of reviews", type=["csv"], key=_FILE, label_visibility="collapsed")
    st.button(
        "Import it",
        key="radcbir:bring-in",
        disabled=st.session_state.get(_FILE) is None,
        on_click=partial(_import, collection),
    )


def _import(collection: Collection) -> None:
    file = st.session_state.get(_FILE)
    if file is None:
        return
    content, who = file.getvalue(), rights.visitor().name
    try:
        st.session_state[_DONE] = rights.do(
            "editor", "review-import", collection.name, partial(import_reviews, collection, content, by=who)
        )
    except RadcbirError as error:
        st.session_state[_DONE] = str(error)
