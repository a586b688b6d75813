"""What can be changed of a collection: its name and title, where its images are, and whether it is there at all.

Owns the questions that are asked before, and what is said after. Refusing what must not happen is the core's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import streamlit as st

from pages.parts.collections import sizes
from pages.parts.collections.wizard import server_folders
from pages.parts.frame import loaders, rights, shell, state
from pages.parts.frame.text import literal
from radcbir_core import jobs
from radcbir_core.collections.changes import images_found, relocate_images, remove_collection, rename_collection
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.reader_studies.study_definition import list_studies
from radcbir_core.errors import CollectionError, RadcbirError
from radcbir_core.wording import counted

_SAID: Final = "radcbir:collections-said"


def say_what_was_done() -> None:
    """Say what the last change did, once."""
    if (text := st.session_state.pop(_SAID, None)) is not None:
        st.success(text, icon=":material/check:")


def draw(collection: Collection) -> None:
    """Draw all that can be changed."""
    left, right = st.columns(2, gap="large")
    with left:
        _rename(collection)
        _relocate(collection)
    with right:
        offer_removal(collection.name, collection)


def offer_removal(name: str, collection: Collection | None) -> None:
    """Say what would be lost, ask for the name, and remove; a damaged collection too."""
    st.html('<h4 class="radcbir-part">Remove</h4>')
    lost = "its folder, as far as it is there"
    kept = "Source images outside that folder stay where they are."
    if collection is not None:
        room = loaders.sizes(collection)
        built = ", ".join(collection.encoder_ids())
        lost = f"{sizes.said(room.total)}: its table of {counted(len(collection), 'image')}, thumbnails"
        lost += f", and all that was computed with {built}" if built else ""
        if list_studies(collection.folder):
            lost += ", its reader studies with all that readers have answered"
        if room.parts["images"]:
            lost += f", and the images themselves, {sizes.said(room.parts['images'])}, which are in its folder"
        elif not collection.image_root.is_relative_to(collection.folder):
            kept = f"The source images in {collection.image_root} are not touched."
    st.markdown(f"This removes {literal(lost)}. {literal(kept)} It cannot be undone.")
    if [name] == loaders.collection_names():
        st.caption("It is the only one: without any, the demonstration collection is drawn when a page is next opened.")
    typed = st.text_input(f"To remove it, type its name: {literal(name)}", key=f"radcbir:remove-name-{name}")
    if st.button(
        "Remove for good",
        key=f"radcbir:remove-{name}",
        icon=":material/delete_forever:",
        disabled=typed.strip() != name,
    ):
        _carry_out("remove", name, lambda: remove_collection(name), then=None, said=f"**{literal(name)}** was removed.")


def _rename(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">Rename</h4>')
    name = st.text_input(
        "Name",
        value=collection.name,
        key=f"radcbir:rename-name-{collection.name}",
        max_chars=64,
        help="Letters, digits, '.', '_', '-'. It stands in URLs and commands: links with the old name will say that it "
        "is gone.",
    )
    title = st.text_input(
        "Title", value=collection.title, key=f"radcbir:rename-title-{collection.name}-{collection.title}", max_chars=200
    )
    new = name.strip() or collection.name
    same = new == collection.name and title.strip() == collection.title
    if st.button("Rename", key="radcbir:rename", icon=":material/edit:", disabled=same):
        _carry_out(
            "rename",
            collection.name,
            lambda: rename_collection(collection.name, new, title=None if title.strip() == collection.title else title),
            then=new,
            said=f"**{literal(collection.name)}** is now called **{literal(new)}**."
            if new != collection.name
            else f"The title of **{literal(new)}** is now **{literal(title.strip())}**.",
        )


def _relocate(collection: Collection) -> None:
    st.html('<h4 class="radcbir-part">Where its images are</h4>')
    with shell.errors_shown():
        present, looked_for = images_found(collection)
        where = "are there" if present else "is there: thumbnails are shown, and no image can be opened large"
        st.caption(
            f"{literal(str(collection.image_root))}: {present:,} of {looked_for:,} looked for {where}.",
        )
    folder = st.text_input(
        "Folder on the server",
        key=f"radcbir:relocate-{collection.name}",
        placeholder="/data/images",
        help="What the paths in its table start from, after the images were moved or an archive was opened without "
        "them.",
    )
    if st.button("Look there", key="radcbir:relocate", icon=":material/folder_open:", disabled=not folder.strip()):
        _carry_out(
            "relocate",
            collection.name,
            lambda: relocate_images(collection.name, server_folders.allowed(folder)),
            then=collection.name,
            said=f"The images of **{literal(collection.name)}** were found in {literal(folder.strip())}.",
        )


def _carry_out(action: str, name: str, change: Callable[[], object], *, then: str | None, said: str) -> None:
    """Make a change, unless work on the collection is going on; show the error, or begin the page anew."""

    def done() -> None:
        if jobs.at_work_on(name) is not None:
            raise CollectionError(
                f"Expected a collection that nothing is being done with, but work on {name} is going on. "
                "Wait until it has finished, or stop it."
            )
        change()
        if then != name:
            # Ended work that could go on, or links to what it has made, would be about a name that is gone.
            for ended in [one for one in jobs.list_jobs() if one.name == name]:
                ended.dismiss()

    try:
        rights.do("owner", action, name, done)
    except RadcbirError as error:
        shell.show_error(error)
        return
    st.session_state[_SAID] = said
    opened = state.get("collection")
    if opened == name and then != name:
        state.update(collection=then, encoder=None)
    state.update(show=then, **({} if then else {"part": None}))
    st.rerun()
