"""Where a person says what they see: tags by click or key, notes, and which label would be right.

Owns the panel, in the dialog of an image and beside a pair, and that all of it can be done with the keyboard: the tags
that are offered have the number keys with Shift, the fields are reached with Tab and left with Enter or Ctrl+Enter.
Viewers read it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal

import streamlit as st

from pages.parts.frame import loaders, rights, shell, state
from pages.parts.frame.text import literal, markup
from pages.parts.images import review_marks
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.corrections import SEPARATOR
from radcbir_core.collections.reviews.review_log import CORRECTED, LONGEST_NOTE, LONGEST_TAG, Entry
from radcbir_core.collections.reviews.review_state import Review, Reviews, Subject
from radcbir_core.collections.reviews.reviewing import (
    said_now,
    write_correction_of,
    write_note,
    write_tag,
    write_withdrawals,
)
from radcbir_core.errors import RadcbirError
from radcbir_core.vocabulary import MODALITIES

Place = Literal["dialog", "page"]

KEYS: Final = "123456789"
_MODIFIER: Final = "Shift+"
"""The plain number keys are the viewer's windows."""
_ERROR: Final = "radcbir:review-error"
_TURN: Final = "radcbir:review-turn"
_WRITTEN: Final = "radcbir:review-written"
_OF: Final = "radcbir:review-of"
_SAID_OF: Final = {"image": "This image", "pair": "Query and this hit"}


def draw_in_dialog(collection: Collection, image_id: str, *, query: str = "") -> None:
    """Draw the panel of an image; of a hit, also that of the pair, one of the two at a time.

    Args:
        collection: Where the image is.
        image_id: Of the image.
        query: The image_id of the query that it is a hit of; "" where it is none.
    """
    subject = (image_id, "")
    if query and query != image_id:
        of = st.segmented_control(
            "What is reviewed",
            list(_SAID_OF),
            default="image",
            key=_OF,
            format_func=_SAID_OF.__getitem__,
            label_visibility="collapsed",
            required=True,
        )
        if of == "pair":
            subject = (query, image_id)
    draw(collection, subject, place="dialog")


def draw(collection: Collection, subject: Subject, *, place: Place, has_keys: bool = True) -> None:
    """Draw the panel of an image or a pair.

    Args:
        collection: Where the images are.
        subject: The image_id and ``""``, or those of a query and its hit.
        place: Where it is drawn.
        has_keys: Whether it hears keys. A dialog stands over a page, and only one of the two may.
    """
    if error := st.session_state.pop(_ERROR, ""):
        shell.show_error(error)
    try:
        reviews = loaders.reviews(collection)
    except RadcbirError as broken:
        shell.show_error(broken)
        return
    review = reviews.of(*subject)
    _turn_fields(subject, place)
    with st.container(gap="small", key=f"radcbir-review-{place}"):
        if rights.may("editor"):
            _tag_buttons(collection, reviews, review, place, has_keys=has_keys)
            _notes(collection, review, place=place)
            _fields(collection, subject, place)
            if not subject[1]:
                _corrections(collection, review, place)
        elif review.entries:
            st.html("".join(f'<span class="radcbir-tag">{markup(name)}</span>' for name in review.tag_names))
            _notes(collection, review)
            _proposed(collection, review)


def use_new_fields() -> None:
    """Let the next fields be new ones: call it where a panel opens that may have been open before.

    A browser keeps what was typed into a field by the field's name. Where a field goes in the very moment in which it
    was written, the browser never hears that it is empty, and would have it written again when it comes back.
    """
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    st.session_state.pop(_WRITTEN, None)


def _turn_fields(subject: Subject, place: Place) -> None:
    written = st.session_state.pop(_WRITTEN, None)
    if written is not None and written not in (_field("tag", subject, place), _field("note", subject, place)):
        use_new_fields()


def _tag_buttons(
    collection: Collection, reviews: Reviews, review: Review, place: Place, *, has_keys: bool = True
) -> None:
    """Tags to switch on and off; those that are on are filled and have a check."""
    given = {name.casefold() for name in review.tag_names}
    offered = reviews.offered_tags()
    first = offered[: len(KEYS)]
    further = [name for name in review.tag_names if name.casefold() not in {tag.casefold() for tag in first}]
    with st.container(horizontal=True, gap="xsmall"):
        for number, tag in enumerate([*first, *further]):
            is_on = tag.casefold() in given
            take_back = partial(_withdraw, collection, review.tagged(tag))
            give = partial(_give_tag, collection, review.subject, tag, _encoder())
            st.button(
                literal(tag),
                key=f"{_key(review.subject, place)}:tag:{tag}",
                type="primary" if is_on else "secondary",
                icon=":material/check:" if is_on else None,
                on_click=take_back if is_on else give,
                shortcut=f"{_MODIFIER}{KEYS[number]}" if has_keys and number < len(first) else None,
            )


def _fields(collection: Collection, subject: Subject, place: Place) -> None:
    tag, note = _field("tag", subject, place), _field("note", subject, place)
    st.text_input(
        "Another tag",
        key=tag,
        max_chars=LONGEST_TAG,
        placeholder="Another tag, then Enter",
        label_visibility="collapsed",
        on_change=partial(_say_typed, collection, "tag", subject, tag, _encoder()),
    )
    st.text_area(
        "A note",
        key=note,
        max_chars=LONGEST_NOTE,
        height=68,
        placeholder="A note; Ctrl+Enter, or leaving the field, writes it",
        label_visibility="collapsed",
        on_change=partial(_say_typed, collection, "note", subject, note, _encoder()),
    )


def _notes(collection: Collection, review: Review, *, place: Place | None = None) -> None:
    """The notes; with a place, each can be taken back there."""
    for entry in review.notes:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            lines = "<br>".join(markup(line) for line in entry.text.split("\n"))
            st.html(f'<p class="radcbir-note">{lines}<small>{markup(_who(entry))}</small></p>', width="stretch")
            if place:
                _take_back(collection, entry, place)


def _corrections(collection: Collection, review: Review, place: Place) -> None:
    """The corrections that there are, and the form of another one."""
    _proposed(collection, review, place=place)
    manifest = collection.manifest
    record = manifest.record(manifest.row_of(review.subject[0]))
    shown = {column: said_now(record, column) for column in CORRECTED}
    shown |= {entry.column: entry.text for entry in review.corrections}
    # Another correction makes another form: fields keep what is in them for as long as they have a name.
    last = review.corrections[-1].id if review.corrections else ""
    key = f"{_field('label', review.subject, place)}:{last}:{collection.digest}"
    pathologies = [word for word in shown["pathologies"].split(SEPARATOR) if word]
    with st.expander("Correct the label"), st.form(key, border=False):
        modalities = ["", *MODALITIES]
        st.selectbox(
            "Modality",
            modalities,
            index=modalities.index(shown["modality"]) if shown["modality"] in modalities else 0,
            key=f"{key}:modality",
            format_func=_or_not_known,
        )
        anatomies = list(dict.fromkeys(["", *sorted(manifest.codes("anatomy").values), shown["anatomy"]]))
        st.selectbox(
            "Anatomy",
            anatomies,
            index=anatomies.index(shown["anatomy"]),
            key=f"{key}:anatomy",
            format_func=_or_not_known,
            accept_new_options=True,
        )
        st.multiselect(
            "Pathologies",
            list(dict.fromkeys([*sorted(manifest.pathology_counts), *pathologies])),
            default=pathologies,
            key=f"{key}:pathologies",
            placeholder="not known; choose or write",
            accept_new_options=True,
            select_all=False,
        )
        st.form_submit_button(
            "Write the correction", icon=":material/edit:", on_click=partial(_correct, collection, review, key)
        )
        st.caption("It changes no label and no figure until it is applied: the page Review says how.")


def _proposed(collection: Collection, review: Review, *, place: Place | None = None) -> None:
    """The corrections and how each stands; with a place, each can be taken back there."""
    if not review.corrections:
        return
    record = collection.manifest.record(collection.manifest.row_of(review.subject[0]))
    waiting = review_marks.open_corrections(review, record)
    latest = {entry.column: entry for entry in review.corrections}
    for entry in review.corrections:
        if entry in waiting.values():
            standing = "not applied yet"
        else:
            standing = "applied" if latest[entry.column] is entry else "superseded"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            before, after = (markup(review_marks.label_said(text)) for text in (entry.before, entry.text))
            st.html(
                f'<p class="radcbir-note">{markup(entry.column)}: <s>{before}</s> → <b>{after}</b> ({standing})'
                f"<small>{markup(_who(entry))}</small></p>",
                width="stretch",
            )
            if place:
                _take_back(collection, entry, place)


def _take_back(collection: Collection, entry: Entry, place: Place) -> None:
    st.button(
        "Take back",
        key=f"radcbir:take-back:{place}:{entry.id}",
        type="tertiary",
        help=f"Take this {entry.kind} back",
        on_click=partial(_withdraw, collection, (entry,)),
    )


def _who(entry: Entry) -> str:
    brought = f", brought in by {entry.imported_by}" if entry.imported_by else ""
    return f"{entry.by}{brought}, {entry.when[:16].replace('T', ' ')} UTC"


def _or_not_known(text: str) -> str:
    return text or "not known"


def _key(subject: Subject, place: Place) -> str:
    return f"radcbir:review:{place}:{subject[0]}:{subject[1]}"


def _field(kind: str, subject: Subject, place: Place) -> str:
    return f"{_key(subject, place)}:{kind}:{st.session_state.get(_TURN, 0)}"


def _encoder() -> str:
    """The open encoder's encoder_id, which goes into an entry; "" where there is none."""
    return state.get("encoder") or ""


def _say_typed(collection: Collection, kind: str, subject: Subject, key: str, encoder: str) -> None:
    # A look at the session's state ends a callback where the next run has been asked for, as by whoever closes the
    # dialog in the same moment, and what was typed is not told again. So one look, the first, comes before the writing.
    text = st.session_state[key]
    if text.strip() and _say(collection, kind, subject, text, encoder):
        st.session_state[key] = ""
        st.session_state[_WRITTEN] = key


def _give_tag(collection: Collection, subject: Subject, tag: str, encoder: str) -> None:
    _say(collection, "tag", subject, tag, encoder)


def _say(collection: Collection, kind: str, subject: Subject, text: str, encoder: str) -> bool:
    return _done(kind, collection, partial(_write_said, collection, kind, subject, text, encoder))


def _write_said(collection: Collection, kind: str, subject: Subject, text: str, encoder: str) -> None:
    write = write_tag if kind == "tag" else write_note
    write(collection, subject, text, by=rights.visitor().name, encoder=encoder)


def _withdraw(collection: Collection, entries: tuple[Entry, ...]) -> None:
    _done("take back", collection, partial(_write_withdrawn, collection, entries))


def _write_withdrawn(collection: Collection, entries: tuple[Entry, ...]) -> None:
    write_withdrawals(collection, entries, by=rights.visitor().name)


def _correct(collection: Collection, review: Review, key: str) -> None:
    labels = {column: st.session_state[f"{key}:{column}"] for column in CORRECTED}
    _done("correct", collection, partial(_write_labels, collection, review, labels))


def _write_labels(collection: Collection, review: Review, labels: dict[str, str]) -> None:
    write_correction_of(collection, review.subject[0], labels, by=rights.visitor().name, review=review)


def _done(action: str, collection: Collection, what: Callable[[], object]) -> bool:
    """Do it if whoever looks may; what went wrong is said where the panel is drawn next."""
    try:
        rights.do("editor", action, collection.name, what)
    except RadcbirError as error:
        st.session_state[_ERROR] = str(error)
        return False
    return True
