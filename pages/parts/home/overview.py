"""Home: which collection is open, what is in it, and where to go next."""

from __future__ import annotations

import streamlit as st

from pages.parts.frame import counts, encoder_states, loaders, problem_table, server_paths, shell, state
from pages.parts.frame.guide import tour
from pages.parts.frame.text import literal, markup
from pages.parts.home import encoder_figures
from pages.parts.images import gallery
from pages.parts.jobs import first_start, waiting
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.manifests.counting import Counts
from radcbir_core.synthetic import demonstration
from radcbir_core.wording import counted

INVITATIONS = {
    "Retrieval": "Search with an image or a sentence",
    "Pathology": "See what is retrieved well, and what is not",
    "Failures": "See what is taken for what, and the images behind it",
    "Map": "Look at all images at once",
    "Compare": "See what a second encoder does better",
    "Collections": "Import, export, rename or remove collections",
}


def page() -> None:
    """Draw the page."""
    chosen = shell.choose("Home")
    collection = chosen.collection
    if collection is None:
        return
    with shell.errors_shown():
        if (job := first_start.wanted_job()) is not None:
            if first_start.concerns(job, collection.name):
                before = steps_of_demo()
                first_start.show(job, ready=lambda: steps_of_demo() != before)
            else:
                first_start.show_small(job)
        facts = loaders.facts(collection)
        problems = loaders.problems(collection)
        overview(collection, facts, problems=len(problems))
        if collection.encoder_ids():  # thumbnails come with the first encoder
            gallery.show(collection, loaders.samples(collection, 10), key="samples", columns=10)
        left, right = st.container(key="radcbir-home").columns([5, 4], gap="large")
        with left:
            show_counts(facts)
        with right:
            show_encoders(collection)
            next_steps(collection, chosen.encoder_id)
            show_origins(facts)
        if len(problems):
            st.html('<h4 class="radcbir-part">What could not be read</h4>')
            st.caption(
                "These rows are not in the collection, or have no embedding; everything else works without them."
            )
            problem_table.draw(problems, height=320)
            problem_table.draw_notes(collection)


def overview(collection: Collection, facts: Counts, *, problems: int) -> None:
    """Title, and the size of the collection in numbers."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"**{literal(collection.title)}** \u2002:gray[{literal(_provenance(collection))}]", width="content")
        if collection.encoder_ids():
            tour.offer("New here? Take the tour")
    known = f"known of {counted(facts.with_patient, 'image')}" if facts.patients else "not known of any image"
    copies = (
        f"images in {counted(facts.duplicate_groups, 'group')}" if facts.duplicate_groups else "no file is there twice"
    )
    numbers = [
        ("Images", f"{facts.images:,}", f"{counted(len(facts.datasets), 'data set')}"),
        ("Patients", f"{facts.patients:,}" if facts.patients else "none", known),
        ("Pathologies", f"{len(facts.pathologies):,}", f"{counted(facts.unlabeled, 'image')} not labeled"),
        ("Several labels", f"{facts.multi_label:,}", "images with two or more"),
        ("Exact copies", f"{facts.duplicate_images:,}", copies),
        ("Problems", f"{problems:,}", "listed below" if problems else "every row could be read"),
    ]
    tiles = "".join(
        f"<div><span>{markup(name)}</span><b>{markup(number)}</b><small>{markup(note)}</small></div>"
        for name, number, note in numbers
    )
    st.html(f'<div class="radcbir-numbers">{tiles}</div>')


def steps_of_demo() -> dict[str, str]:
    """How far the demonstration is; empty while its encoder has nothing yet. The page is drawn anew when it changes."""
    if demonstration.NAME not in loaders.collection_names():
        return {}
    collection = loaders.collection(demonstration.NAME)
    if demonstration.ENCODER not in collection.encoder_ids():
        return {}
    return dict(loaders.artifact_states(collection, demonstration.ENCODER))


def show_counts(facts: Counts) -> None:
    """Counts by modality, anatomy and pathology."""
    first, second = st.columns(2, gap="medium")
    with first:
        counts.bars("Modality", facts.modalities, column="modality")
        counts.bars("Anatomy", facts.anatomies, column="anatomy", rows=10)
    with second:
        counts.bars("Pathology", facts.pathologies, rows=17)


def show_origins(facts: Counts) -> None:
    """Counts by data set and split."""
    first, second = st.columns([3, 2], gap="medium")
    without = facts.images - sum(facts.splits.values())
    with first:
        counts.bars("Data set", facts.datasets)
    with second:
        counts.bars("Split", facts.splits, note=f"{counted(without, 'image')} without" if without else "")


def show_encoders(collection: Collection) -> None:
    """Each encoder and how far it is built, in signs and words."""
    st.html('<h4 class="radcbir-part">Encoders</h4>')
    if collection.encoder_ids():
        encoder_figures.table(collection)
        encoder_states.table(collection)
    else:
        st.caption("None is built yet.")


def next_steps(collection: Collection, encoder_id: str | None) -> None:
    """What to do next: the command that is missing, or the page to open."""
    st.html('<h4 class="radcbir-part">Next</h4>')
    busy = waiting.is_being_made(collection.name)
    by_itself = first_start.concerns(first_start.wanted_job(), collection.name)
    if busy and by_itself and not collection.encoder_ids():
        st.caption("The encoder is being built, see above.")
        return
    if busy and not by_itself:
        st.page_link("pages/collections.py", label="It is being built: see how far it is", icon=":material/database:")
        if not collection.encoder_ids():
            return
    if not collection.encoder_ids():
        shell.say_command(
            "Build an encoder, to search, evaluate and map this collection. `pixels` needs no weights and is the "
            "baseline that every other has to beat.",
            *("build", collection.name, "--encoder", "pixels"),
        )
        st.page_link(
            "pages/collections.py",
            label="Or begin it on the Collections page",
            icon=":material/database:",
            query_params=state.parameters_for(part="encoders"),
        )
        return
    for built in collection.encoder_ids():
        with shell.errors_shown():
            store = collection.store(built)
            unfinished = not store.is_current()
            if unfinished and not busy:
                shell.say_command(
                    f"**{literal(built)}** is not complete. This command goes on where it stopped.",
                    *("build", collection.name, "--encoder", store.spec),
                )
    if encoder_id is not None:
        for label, path, icon in shell.pages_there():
            if label in INVITATIONS:
                st.page_link(
                    path,
                    label=INVITATIONS[label],
                    icon=icon,
                    query_params=state.left_at(label.lower()),
                    width="stretch",
                )
    if demonstration.NAME not in loaders.collection_names():
        # A caption, because it is an offer and must not push what is in the collection off the screen.
        st.caption(f"To try everything on synthetic images, text queries included: `{shell.COMMAND} demo`")


def _provenance(collection: Collection) -> str:
    created = str(collection.record.get("created", ""))[:10]
    if collection.image_root.is_relative_to(collection.folder):
        return f"made {created}"  # by RadCBIR itself
    root = server_paths.shown(str(collection.image_root))
    return f"imported {created} from {root}" if created else root
