"""Last step of the import: a name, the encoders to build, and the start.

Owns these questions. What is started is ``radcbir_core.jobs``'s business, and goes on without the page.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

import streamlit as st

from pages.parts.collections.wizard import dicom_source
from pages.parts.collections.wizard.draft import ARCHIVE, Draft
from pages.parts.frame import loaders, shell
from pages.parts.frame.text import literal
from pages.parts.jobs import controls
from radcbir_core.collections.layout import check_name
from radcbir_core.encoders import encoder_id_of
from radcbir_core.encoders.usable import Usable
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild

FAVORITE: Final = "radcbir-mini"
_STRANGE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def draw(draft: Draft) -> None:
    """Draw the step."""
    embeddings, archive = draft.format_name == "embeddings", draft.format_name == ARCHIVE
    taken = loaders.collection_names()
    if archive:
        st.markdown(
            "Recognized as **an archive of a collection**, by its collection.json. It is checked as it is opened."
        )
    left, right = st.columns(2, gap="medium")
    with left:
        name = draft.keep(
            "name",
            st.text_input(
                "Name",
                key=draft.key("name", suggested_name(draft.paths[0].stem if draft.paths else "studies", taken)),
                max_chars=64,
                help="Letters, digits, '.', '_' and '-'; it stands in URLs.",
            ),
        ).strip()
    title = ""
    if not archive:
        with right:
            title = draft.keep(
                "title",
                st.text_input("Title", key=draft.key("title", ""), placeholder="what people call it", max_chars=200),
            ).strip()
    add = name in taken and not embeddings and not archive and _add(draft, name)
    encoders = () if embeddings else _encoders(draft, chosen_first=not archive)
    if embeddings:
        st.caption("The vectors are the embeddings; index, neighbors, evaluation and map are built from them.")
    elif not encoders and not archive:
        st.caption("Without an encoder, the collection is imported only; one can be built later.")
    st.caption(
        "The work runs on its own: this page, the browser or the server may be closed, and it can be stopped and gone "
        "on with. The source is only read."
    )
    if draft.wanted.studies:
        st.caption(
            "Which studies these are is written nowhere: stopped, it can go on as long as this dashboard runs. Later "
            "it is begun anew under the same name, and asks for the rest only."
        )
    if st.button("Start", type="primary", icon=":material/play_arrow:"):
        with shell.errors_shown():
            check_name(name)
            request = _request(draft, name, title=title, add=add, encoders=encoders)
            unwritten = {**dicom_source.credentials(), **request.unwritten()} if draft.server else {}
            request = replace(request, told=tuple(unwritten))
            controls.begin(request, action="add to" if add else "import", unwritten=unwritten)
            draft.started = True


def _request(draft: Draft, name: str, *, title: str, add: bool, encoders: tuple[str, ...]) -> ImportAndBuild:
    if draft.format_name == ARCHIVE:
        return ImportAndBuild(name, encoders=encoders, archive=draft.paths[0])
    imports = replace(draft.request(name, title=title or None), add=add)
    return ImportAndBuild(name, imports, draft.format_name or None, encoders)


def _add(draft: Draft, name: str) -> bool:
    """Whether what is new goes into the collection that has the name."""
    return bool(
        draft.keep(
            "add",
            st.toggle(
                f"Add what is new to **{literal(name)}**, which is there already",
                key=draft.key("add", default=False),
                help="Images that it has keep their place and their embeddings; new ones come after them.",
            ),
        )
    )


def _encoders(draft: Draft, *, chosen_first: bool) -> tuple[str, ...]:
    usable = {encoder.spec: encoder for encoder in loaders.usable_encoders()}
    first = ([FAVORITE] if FAVORITE in usable else ["pixels"]) if chosen_first else []
    chosen = st.multiselect(
        "Encoders to build",
        list(usable),
        key=draft.key("encoders", first, options=list(usable)),
        format_func=lambda spec: _named(usable[spec]),
        help="Those that can be used on this machine now. One after the other.",
    )
    draft.keep("encoders", chosen)
    for spec in chosen:
        st.caption(f"{literal(usable[spec].title)}: {literal(usable[spec].note)}")
    other = draft.keep(
        "other encoder",
        st.text_input(
            "Another encoder",
            key=draft.key("other encoder", ""),
            placeholder="biomedclip, hf:OWNER/NAME, a folder, …",
            help="Any encoder that the command line knows; its weights are fetched if this machine may.",
        ),
    ).strip()
    if other:
        with shell.errors_shown():
            st.caption(f"It will be called {literal(encoder_id_of(other))}.")
            return tuple(dict.fromkeys((*chosen, other)))
    return tuple(chosen)


def _named(encoder: Usable) -> str:
    return f"{encoder.title}{' · images and texts' if encoder.supports_text else ''}"


def suggested_name(text: str, taken: list[str]) -> str:
    """A name for a collection, made of a folder's, that none has yet.

    Example:
        >>> suggested_name("My scans (2024)", []), suggested_name("a", ["a", "a-2"]), suggested_name("_", [])
        ('My-scans-2024', 'a-3', 'images')
    """
    name = _STRANGE.sub("-", text).strip("-._")[:60].rstrip("-._") or "images"
    if name not in taken:
        return name
    return next(f"{name}-{number}" for number in range(2, len(taken) + 3) if f"{name}-{number}" not in taken)
