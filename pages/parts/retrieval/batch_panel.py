"""The right column of Retrieval for several uploads: how to search, how far it is, and one table of all hits.

The files stay in the memory of their session, which is why this is no job: what a job works on lies on the disk. The
page itself goes through them, for a part of a second at a time, so that it can be stopped at any time and other pages
answer meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from pages.parts.frame import downloads, loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import message
from pages.parts.images import filters, gallery, map_selection
from pages.parts.images.gallery import Labels
from pages.parts.retrieval import batch_uploads, hits_panel, query_panel, upload, upload_text
from pages.parts.retrieval.batch_uploads import Batch
from radcbir_core.batch.batch_search import TOGETHER, FileQuery, files_embedded, hits_of
from radcbir_core.wording import counted

if TYPE_CHECKING:
    import pandas as pd

_TABLE: Final = "radcbir:batch-table"
_POLL_SECONDS: Final = 0.3
_TURN_SECONDS: Final = 0.7


def show(opened: Opened) -> None:
    """Draw the controls, how far the batch is, and what was found so far or in all."""
    batch = batch_uploads.kept_batch()
    if batch is None:
        st.session_state.pop(_TABLE, None)
        st.info(
            f"Upload several images on the left, or a ZIP archive of up to {batch_uploads.MOST_FILES:,}: each is a "
            "query, and one table has the hits of all. They stay in the memory of this session and are never written "
            "to disk. More are the business of the command `query --images`.",
            icon=":material/upload:",
        )
        return
    collection = opened.collection
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls")
    k = state.number(controls.number_input, "Hits", 1, hits_panel.MOST_HITS, name="k", default=state.DEFAULT_K)
    exclude = hits_panel.choose_exclusions(controls, opened, FileQuery())
    where = filters.choose(controls, collection)
    selection = map_selection.choose(controls, opened, what="Only hits")
    order = hits_panel.choose_order(controls, FileQuery())
    with shell.errors_shown():
        made_with = (collection.name, loaders.encoder_key(collection, opened.encoder_id), collection.digest)
        if batch.made_with != made_with:
            batch.made_with, batch.asked, batch.stopped = made_with, [], False
            loaders.encoder(collection, opened.encoder_id)  # here it is said that it is being loaded
        if not batch.is_done and not batch.stopped:
            _going_on(opened, batch)
            return
        retriever = loaders.retriever(collection, opened.encoder_id)
        search = partial(
            retriever.search,
            k=k,
            where=where,
            among=None if selection is None else selection.rows,
            exclude=exclude,
            order=order,
        )
        texts = () if selection is None else selection.texts
        table = _table(batch, search, key=(made_with, k, where, tuple(exclude), order, texts))
        _show_table(opened, batch, table, controls)
        _show_one(opened, batch, search)


@st.fragment(run_every=_POLL_SECONDS)
def _going_on(opened: Opened, batch: Batch) -> None:
    """Go through more files, and say how far it is; the page runs anew once all have had their turn."""
    with shell.errors_shown():
        retriever = loaders.retriever(opened.collection, opened.encoder_id)
        end = time.monotonic() + _TURN_SECONDS
        while not batch.is_done and not batch.stopped:
            done = len(batch.asked)
            some = batch.files.files[done : done + TOGETHER]
            batch.asked += list(files_embedded(some, retriever, remark=upload_text.said_of))
            if time.monotonic() > end:
                break
    if batch.is_done or batch.stopped:
        st.rerun()
    done, total = len(batch.asked), len(batch.files.files)
    st.progress(done / total, f"{done:,} of {counted(total, 'image')}")
    st.button("Stop", on_click=_stop, args=(batch,), icon=":material/stop:")


def _table(batch: Batch, search: Callable[..., Any], *, key: tuple[Any, ...]) -> pd.DataFrame:
    """The hits of all files that had their turn, kept until something is asked otherwise."""
    import pandas as pd

    key = (batch.ids, len(batch.asked), *key)
    kept = st.session_state.get(_TABLE)
    if kept is None or kept[0] != key:
        tables = [hits_of(one, search) for one in batch.asked]
        kept = (key, pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"query": [], "problem": []}))
        st.session_state[_TABLE] = kept
    table: pd.DataFrame = kept[1]
    return table


def _show_table(opened: Opened, batch: Batch, table: pd.DataFrame, controls: Any) -> None:
    """What became of each file, its first hit, and the way to all rows."""
    failed = table[table["problem"] != ""]
    if batch.stopped and not batch.is_done:
        left = len(batch.files.files) - len(batch.asked)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(f"Stopped: {counted(left, 'image')} left.")
            st.button("Go on", on_click=_go_on, args=(batch,), icon=":material/play_arrow:")
    said = f"Hits of {counted(len(batch.asked) - len(failed), 'image')}"
    st.caption(
        f"{said}; {counted(len(failed), 'file')} without, with the reason in the table." if len(failed) else said
    )
    downloads.offer(
        downloads.Table(len(table), lambda: table),
        file_name=f"hits-of-many-{opened.collection.name}-{opened.encoder_id}.csv",
        about="The hits of every image, a row each; files that cannot be read are rows with the reason",
        box=controls,
    )
    remarks = {one.name: one.remark for one in batch.asked if one.remark}
    if remarks:
        st.warning(
            f"Text seems to be burned into {counted(len(remarks), 'image')} of these. It may name somebody; the table "
            "says of which.",
            icon=":material/abc:",
        )
    if unseen := upload_text.not_looked():
        st.caption(message(unseen))
    # A reason is a sentence, and read where there is room for it; without one its column says nothing.
    shown = (
        "query",
        *(["problem"] if len(failed) else []),
        *(["text in pixels"] if remarks else []),
        "image_id",
        "similarity",
        "modality",
        "anatomy",
        "pathologies",
    )
    first = table.assign(**{"text in pixels": table["query"].map(remarks).fillna("")}) if remarks else table
    columns = [name for name in shown if name in first]
    first = first if "rank" not in table else first[(table["rank"] == 1) | (table["problem"] != "")]
    st.dataframe(
        first[columns].rename(columns={"image_id": "first hit"}),
        hide_index=True,
        height=min(38 * (len(first) + 1), 300),
        column_config={"similarity": st.column_config.NumberColumn(format="%.3f")},
    )


def _show_one(opened: Opened, batch: Batch, search: Callable[..., Any]) -> None:
    """The hits of one of the files as pictures, and the way to it as the query of this session."""
    usable = {place: one for place, one in enumerate(batch.asked) if one.query is not None}
    if not usable:
        return
    row = st.container(horizontal=True, vertical_alignment="bottom")
    place = row.selectbox(
        "Hits of", list(usable), format_func=lambda place: usable[place].name, key="radcbir:batch-one", width=420
    )
    row.button(
        "Open as the query",
        on_click=_open,
        args=(batch, place),
        icon=":material/search:",
        help="With its picture, its frames, perturbations and the map; it stays in memory",
    )
    answer = search(usable[place].query)
    hits: Sequence[Labels] = [gallery.labels_of(opened.collection, int(hit)) for hit in answer.rows()]
    st.html(f'<p class="radcbir-summary">{hits_panel.summary(None, hits)}</p>')
    gallery.show(
        opened.collection,
        answer.rows(),
        key="batch-hits",
        similarities=answer.similarities(),
        per_page=hits_panel.MOST_HITS,
        on_query=query_panel.use_image,
        notes=hits_panel.hit_notes(answer, None),
    )


def _open(batch: Batch, place: int) -> None:
    file = batch.files.files[place]
    content = file.read()
    if isinstance(content, bytes):
        upload.take(file.name, content)
        state.update(upload=None)


def _stop(batch: Batch) -> None:
    batch.stopped = True


def _go_on(batch: Batch) -> None:
    batch.stopped = False
