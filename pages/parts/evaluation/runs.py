"""Evaluations on a page: read where they are kept, computed at once where that is quick, and else on a click.

Owns the decision between these, the work that computes, and how that is shown: a bar with what is done, what is left,
and a button to stop. Keeping results on disk is the core's; here they are also kept in memory, under names and digests.
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import Final

import streamlit as st

from pages.parts.evaluation.shelf import Shelf
from pages.parts.frame import loaders
from pages.parts.frame.text import literal
from pages.parts.jobs import controls, stages
from pages.parts.jobs.job_words import words_of
from pages.parts.jobs.waiting import POLL_SECONDS
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.evaluation import Evaluation, Result
from radcbir_core.jobs import Job, Status, job_at
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from radcbir_core.jobs.status import START

QUICK_IMAGES: Final = 4000
"""Up to so many images an evaluation is made without asking: it takes a second or two on two cores."""
QUICKER: Final = {
    **{"precision": 5, "paper": 5, "space": 5, "comparison": 25, "neighborhoods": 40},
    **{"confusion": 50, "failures": 30, "hubness": 12},
    **{"leakage": 2, "subgroups": 5, "scale": 25, "calibration": 12},
    # Its queries are read from their files and embedded again, which is no matter of a second for any collection.
    "robustness": 0,
}
"""So many times as many for those that take less: the neighbor graph answers most of them without a search."""
QUICKER_EXACT: Final = {"comparison": 2}
"""The same where they search exactly instead."""
UNKEPT_SECONDS: Final = 300.0
"""So long a result that could not be kept is remembered; then it is computed, and tried to be kept, anew."""


def result(
    collection: Collection, encoder_id: str, evaluation: Evaluation, *, what: str = "This evaluation"
) -> Result | None:
    """The result, or None after drawing how to get it: a button, or how far the work is.

    Args:
        collection: The open collection.
        encoder_id: One that it was built with.
        evaluation: With its choices.
        what: What it is, with its article, as the subject of a sentence.

    Raises:
        EvaluationError: The collection lacks what it needs.
        StaleError: What it needs is missing or was made of something else.
        RadcbirError: Where it is computed at once, what goes wrong then.
    """
    store = loaders.store(collection, encoder_id)
    kept = kept_result(collection, encoder_id, evaluation)
    if kept is not None:
        return kept
    if len(collection) <= quick_images(evaluation):
        with st.spinner(f"{literal(what)} …"):
            return _made(collection, encoder_id, evaluation)
    evaluation.check_current(store)
    _check_labels(key_of(collection, encoder_id, evaluation), evaluation, store)
    request = EvaluateEncoder(collection.name, encoder_id, evaluation)
    job = job_at(request.place)
    status = None if job is None else job.status()
    if job is not None and status is not None and not status.ended:
        _running(what, request, job)
        return None
    if status is not None and status.state == "done":
        kept = evaluation.kept(store)  # it may have ended a moment ago
        if kept is not None:
            return kept
        status = None  # done, but no longer kept: it was deleted since
    _offer(what, request, status)
    return None


def at_hand(collection: Collection, encoder_id: str, evaluation: Evaluation) -> Result | None:
    """The result if it is kept or quickly computed, else None; nothing is drawn, and no work begins.

    For what another evaluation says beside the one that is shown.

    Raises:
        RadcbirError: As :func:`result`.
    """
    kept = kept_result(collection, encoder_id, evaluation)
    if kept is not None or len(collection) > quick_images(evaluation):
        return kept
    return _made(collection, encoder_id, evaluation)


def quick_images(evaluation: Evaluation) -> int:
    """Up to how many images an evaluation is made without asking."""
    times = QUICKER.get(evaluation.kind, 1)
    if "embeddings" in evaluation.needs:
        times = QUICKER_EXACT.get(evaluation.kind, times)
    return times * QUICK_IMAGES


def _offer(what: str, request: EvaluateEncoder, ended: Status | None) -> None:
    """The button that begins the work, and how the last one ended."""
    controls.say_error()
    if ended is not None and ended.state == "failed":
        controls.say_failure(ended)
    stopped = ended is not None and ended.state in {"stopped", "interrupted"}
    how = f"was {ended.state}" if ended is not None and stopped else "has not been computed yet"
    st.info(
        f"{literal(what)} {how} for these choices. The work goes on while you look at other pages and can be "
        "stopped; its result is kept, and the next visit is instant.",
        icon=":material/calculate:",
    )
    controls.button(
        "Compute again" if stopped else "Compute",
        partial(controls.begin, request, action="evaluate"),
        icon=":material/play_arrow:",
        type="primary",
        key="radcbir:compute",
    )


@st.fragment(run_every=POLL_SECONDS)
def _running(what: str, request: EvaluateEncoder, job: Job) -> None:
    status = job.status()
    if status.ended:
        st.rerun()
    st.markdown(f"**{literal(what)} is being computed.**")
    stages.show_bar(status, "Reading the collection" if status.stage == START else "")
    controls.stop(job, status, says=words_of(request).once_stopped)


def kept_result(collection: Collection, encoder_id: str, evaluation: Evaluation) -> Result | None:
    """What is kept of it, in memory or on disk; nothing is drawn or computed.

    Raises:
        StaleError: What it needs is missing or was made of something else.
    """
    key, shelf = key_of(collection, encoder_id, evaluation), _shelf()
    kept = shelf.get(key)
    if kept is None:
        kept = evaluation.kept(loaders.store(collection, encoder_id))
        if kept is not None:
            shelf.put(key, kept)
    return kept


def key_of(collection: Collection, encoder_id: str, evaluation: Evaluation) -> Hashable:
    """What a result, and what is made of it, is cached by."""
    store = loaders.store(collection, encoder_id)
    return (loaders.encoder_key(collection, encoder_id), evaluation, *evaluation.made_of(store))


def _made(collection: Collection, encoder_id: str, evaluation: Evaluation) -> Result:
    """The result, computed and kept; only what could not be kept is remembered beside what is read of the disk."""
    key, store = key_of(collection, encoder_id, evaluation), loaders.store(collection, encoder_id)
    made = _computed(key, evaluation, store)
    kept = kept_result(collection, encoder_id, evaluation)
    if kept is None:
        return made
    _computed.clear(key, evaluation, store)
    return kept


@st.cache_resource(max_entries=8, ttl=UNKEPT_SECONDS, show_spinner=False)
def _computed(key: Hashable, _evaluation: Evaluation, _store: EncoderStore) -> Result:  # noqa: ARG001 - the key is the cache's
    """In memory: where nothing can be written, it is all that there is of it, and a page is drawn at every click."""
    return _evaluation.run(_store)


@st.cache_resource(max_entries=64, show_spinner=False)
def _check_labels(key: Hashable, _evaluation: Evaluation, _store: EncoderStore) -> None:  # noqa: ARG001 - the key is the cache's
    """Refuse what the collection lacks; looked at once for what there is, since some look at all images for it."""
    _evaluation.check(_store)


@st.cache_resource(show_spinner=False)
def _shelf() -> Shelf:
    return Shelf()
