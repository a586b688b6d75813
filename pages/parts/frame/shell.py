"""The frame around every page: title, navigation, open collection and encoder, notices.

Owns the sidebar and the messages for what is not there yet. A page calls :func:`begin` before anything else; where the
page can do without an encoder or a collection (Home), :func:`choose`. Nothing here computes; errors of the core are
shown as one line and leave the rest working.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

import streamlit as st
from starlette.formparsers import MultiPartParser
from streamlit.delta_generator import DeltaGenerator

from pages.parts.frame import garbage, loaders, remedies, rights, server_paths, state, stylesheet
from pages.parts.frame.guide import page_help, skip_link, tour
from pages.parts.frame.text import literal, markup, message
from pages.parts.jobs import first_start, stages, waiting
from radcbir_core.collections.collection import Collection
from radcbir_core.encoders import known_encoders
from radcbir_core.errors import RadcbirError
from radcbir_core.jobs import Job

ROOT: Final = Path(__file__).resolve().parents[3]
PAGES: Final = (
    ("Home", "app.py", ":material/home:"),
    ("Retrieval", "pages/retrieval.py", ":material/image_search:"),
    ("Pathology", "pages/pathology.py", ":material/bar_chart:"),
    ("Failures", "pages/failures.py", ":material/troubleshoot:"),
    ("Review", "pages/review.py", ":material/rate_review:"),
    ("Map", "pages/map.py", ":material/scatter_plot:"),
    ("Compare", "pages/compare.py", ":material/compare_arrows:"),
    ("Collections", "pages/collections.py", ":material/database:"),
)
PRESENTATION: Final = "pages/presentation.py"
"""Not among the pages: it shows what is open to others, and is left again."""
COMMAND: Final = "python -m radcbir_core"


@dataclass(frozen=True)
class Choice:
    """What the sidebar says: a collection and one of its encoders, as far as there are any."""

    collection: Collection | None
    encoder_id: str | None


@dataclass(frozen=True)
class Opened:
    """An open collection and an encoder that is built for it."""

    collection: Collection
    encoder_id: str


def begin(title: str, *steps: str) -> Opened:
    """Draw the frame of a page that needs a collection and an encoder; stops the page where one is missing.

    Args:
        title: The page's name as in :data:`PAGES`, shown as its heading and in the browser's tab.
        *steps: Artifacts that the page reads, by name (``"index"``, ``"neighbors"``, ``"projection"``). Where one
            is missing or stale, the page says the command that makes it, and stops.

    Returns:
        The open collection and the encoder chosen.
    """
    chosen = choose(title)
    if chosen.collection is None:
        st.stop()
    job = first_start.wanted_job()
    if chosen.encoder_id is None:
        bare = chosen.collection
        if not bare.encoder_ids() and job is not None and first_start.concerns(job, bare.name):
            first_start.show(job, ready=lambda: bool(bare.encoder_ids()))
        elif not bare.encoder_ids() and not waiting.wait_for(bare.name, lambda: bool(bare.encoder_ids())):
            say_command(
                f"No encoder is built for the collection **{literal(chosen.collection.name)}** yet. "
                "Build one, then reload this page.",
                *("build", chosen.collection.name, "--encoder", "pixels"),
            )
        st.stop()
    opened = Opened(chosen.collection, chosen.encoder_id)
    try:
        states = loaders.artifact_states(opened.collection, opened.encoder_id)
        for step in steps:
            if states.get(step) != "current":
                if job is not None and first_start.concerns(job, opened.collection.name, opened.encoder_id):
                    _wait_for(job, opened, step)
                elif not waiting.wait_for(opened.collection.name, partial(_is_current, opened, step)):
                    say_not_built(opened, step)
                st.stop()
    except RadcbirError as error:
        show_error(error)
        st.stop()
    if job is not None:
        with st.sidebar:
            first_start.show_small(job)
    return opened


def choose(title: str) -> Choice:
    """Draw the frame of any page and return what is open; says what to do next where nothing is.

    A collection or an encoder that the URL names and that does not exist is reported with those that do; the sidebar
    goes on working. Where there is no collection at all, the demonstration is begun and its progress shown, whichever
    page is opened first.
    """
    _begin_page(title, sidebar=250)
    with st.sidebar:
        links = st.container(gap="xxsmall")
        choices = st.container(gap="small")
        presenting = st.container(gap="xxsmall")
        person = st.container(gap="xxsmall")
        st.html('<div class="radcbir-notice">Research use only. Not for diagnosis.</div>')
    skip_link.draw(title)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="radcbir-title"):
        st.header(title, anchor=False, width="content")
        page_help.draw(title)
    try:
        _let_in(person)
    except RadcbirError as error:
        show_error(error)
        st.stop()
    chosen = Choice(None, None)
    with errors_shown():
        chosen = _choose(choices, title)
        tour.show(title, chosen.collection, chosen.encoder_id)
    for label, path, icon in pages_there():
        links.page_link(path, label=label, icon=icon, width="stretch", query_params=state.left_at(label.lower()))
    if chosen.encoder_id is not None and (ROOT / PRESENTATION).is_file():
        presenting.page_link(
            PRESENTATION,
            label="Present",
            icon=":material/slideshow:",
            width="stretch",
            help="These images and this encoder as a story in six slides, for a room and a projector",
            query_params=state.parameters_for(image=state.get("image"), **{state.FROM: state.here(title.lower())}),
        )
    return chosen


def begin_alone(title: str) -> None:
    """Draw the frame of a page that stands alone: no sidebar, no way to other pages, no collection to choose.

    Stops the page for who has to log in first.
    """
    _begin_page(title, sidebar="collapsed")
    person = st.container(horizontal=True, horizontal_alignment="right", key="radcbir-alone")
    person.html('<div class="radcbir-notice">Research use only. Not for diagnosis.</div>', width="content")
    try:
        _let_in(person)
    except RadcbirError as error:
        show_error(error)
        st.stop()


def _begin_page(title: str, *, sidebar: int | Literal["collapsed"]) -> None:
    """What every page begins with."""
    st.set_page_config(
        page_title="RadCBIR" if title == "Home" else f"{title} · RadCBIR",
        page_icon=_ICON,
        layout="wide",
        initial_sidebar_state=sidebar,
        menu_items={"About": "RadCBIR: content-based retrieval of radiological images. Research use only."},
    )
    keep_uploads_in_memory()
    garbage.leave_out_modules()
    st.logo(_LOGO, size="large", icon_image=_ICON)
    stylesheet.draw()
    state.enter(title.lower())


def _let_in(sidebar: DeltaGenerator) -> None:
    """Say who this is and what they may; stops the page for who has to log in first."""
    if rights.has_login():
        who = rights.visitor()
        if not st.user.is_logged_in:
            st.info("Log in to see this page.", icon=":material/lock:")
            st.button("Log in", type="primary", icon=":material/login:", on_click=st.login)
            st.stop()
        sidebar.html(f'<div class="radcbir-person">{markup(who.name)} · {who.role}</div>')
        sidebar.button("Log out", key="radcbir:log-out", type="tertiary", icon=":material/logout:", on_click=st.logout)
    elif rights.is_open_to_others():
        role = rights.visitor().role
        may = {
            "viewer": "look and query",
            "editor": "look, query, review images and read studies",
            "owner": "do everything",
        }[role]
        st.warning(
            f"Whoever reaches this server may {may}: it is open to others and has no login. "
            "An owner can set one up; docs/security.md says how.",
            icon=":material/lock_open:",
        )


def pages_there() -> list[tuple[str, str, str]]:
    """The pages that exist: label, path from the main script, icon."""
    return [page for page in PAGES if (ROOT / page[1]).is_file()]


@contextmanager
def errors_shown() -> Iterator[None]:
    """Show an error of the core as one line, leave out the rest of the ``with`` block, and go on after it."""
    try:
        yield
    except RadcbirError as error:
        show_error(error)


def show_error(error: RadcbirError | str) -> None:
    """One line that says what was expected, what was found, and what to do, word for word; and a link to where."""
    st.error(message(str(error)), icon=":material/error:")
    if isinstance(error, RadcbirError):
        remedies.link(error.remedy)


def say_command(text: str, *arguments: str) -> None:
    """Say what to do next and the command that does it, ready to copy.

    Args:
        text: One sentence, Markdown.
        *arguments: What follows ``python -m radcbir_core`` on the command line; quoted where needed.
    """
    st.info(text, icon=":material/terminal:")
    words = (shlex.quote(server_paths.shown(argument)) for argument in arguments)
    st.code(f"{COMMAND} {' '.join(words)}", language="bash")


def say_not_built(opened: Opened, step: str) -> None:
    """Say that an artifact of the open encoder is missing or stale and why, and the command that makes it."""
    store = opened.collection.store(opened.encoder_id)
    standing = store.standings()[step]
    what = "has not been made yet" if standing.state == "missing" else f"is not current: {literal(standing.reason)}"
    say_command(
        f"The step **{literal(step)}** of the encoder **{literal(opened.encoder_id)}** {what}. "
        "This command makes it; then reload this page.",
        "build",
        opened.collection.name,
        "--encoder",
        str(store.record.get("spec", opened.encoder_id)),
    )


def keep_uploads_in_memory() -> None:
    """Make sure that no byte of an upload touches the disk.

    Streamlit keeps uploads in memory, but the form parser below it (Starlette) moves any part above 1 MiB to a
    temporary file while it arrives. Its limit is raised above the largest upload allowed, before any page can offer
    to upload.
    """
    largest = (int(st.get_option("server.maxUploadSize")) + 1) * 1024 * 1024
    MultiPartParser.spool_max_size = max(MultiPartParser.spool_max_size, largest)


def _is_current(opened: Opened, step: str) -> bool:
    # Of the collection as it is now: while a page waits, images are added to it.
    now = loaders.collection(opened.collection.name)
    return loaders.artifact_states(now, opened.encoder_id).get(step) == "current"


def _wait_for(job: Job, opened: Opened, step: str) -> None:
    """Show how far the job is until it has made ``step``, then run the page."""
    what = literal(stages.DEMONSTRATION[step].lower())
    first_start.show(
        job,
        ready=partial(_is_current, opened, step),
        waiting_for=f"This page opens by itself as soon as one step of the build is done: **{what}**.",
    )


def _choose(sidebar: DeltaGenerator, title: str) -> Choice:
    names = loaders.collection_names()
    if not names:
        job = first_start.wanted_job()
        if title == "Collections":
            return Choice(None, None)  # this page imports one itself, and lists all jobs
        if job is not None:
            first_start.show(job, ready=lambda: bool(loaders.collection_names()))
        say_command(
            "There is no collection yet. Import your own from a folder or a table of images "
            "(`manifest.csv` with a column `path`), build an encoder for it, then reload this page.",
            *("import", "FOLDER_OR_MANIFEST_CSV", "--name", "NAME"),
        )
        st.code(f"{COMMAND} build NAME --encoder pixels", language="bash")
        st.page_link(
            "pages/collections.py",
            label="Or import and build on the Collections page, step by step",
            icon=":material/database:",
        )
        return Choice(None, None)
    name = _pick(sidebar, "collection", names)
    if name is None:
        return Choice(None, None)
    collection = loaders.collection(name)
    built = sorted(collection.encoder_ids())
    if built:
        built = _best_first(collection, built)
        encoder_id = _pick(sidebar, "encoder", built)
        for entry in known_encoders():
            if entry.demonstration and entry.encoder_id == encoder_id:
                sidebar.caption(literal(entry.note))
        state.update(collection=name, encoder=encoder_id or state.get("encoder"))
        return Choice(collection, encoder_id)
    sidebar.caption("No encoder is built yet.")
    if (asked := state.get("encoder")) and not waiting.is_being_made(name):
        show_error(f"Expected an encoder built for this collection, but encoder = {asked!r}. None is built yet.")
    state.update(collection=name)
    return Choice(collection, None)


def _best_first(collection: Collection, built: list[str]) -> list[str]:
    """The encoders, the best first, where nobody has chosen one; else as they are: nothing has to be read then."""
    if state.get("encoder") or st.session_state.get("radcbir:last-encoder") in built:
        return built
    return loaders.best_encoders(collection)


def _pick(sidebar: DeltaGenerator, name: str, options: list[str]) -> str | None:
    """The collection or encoder: what the URL says, else the last one of this session, else the first there is."""
    memory = f"radcbir:last-{name}"
    asked = state.get(name)
    last = st.session_state.get(memory)
    chosen = asked if asked else (last if last in options else options[0])
    key = f"radcbir:sidebar-{name}"
    valid = chosen in options
    st.session_state[key] = chosen if valid else None

    def keep() -> None:
        if name == "collection":  # what else the URL says is about images and labels of the other collection
            st.query_params.from_dict({name: st.session_state[key]})
        else:
            state.update(**{name: st.session_state[key]})

    sidebar.selectbox(
        name.capitalize(),
        options,
        index=0 if valid else None,
        key=key,
        on_change=keep,
        placeholder=f"Choose {'a collection' if name == 'collection' else 'an encoder'}",
    )
    if not valid:
        show_error(
            f"Expected {'a collection' if name == 'collection' else 'an encoder'} that exists, "
            f"but {name} = {chosen!r}. There are: {', '.join(options)}. Choose one in the sidebar."
        )
        return None
    st.session_state[memory] = chosen
    return chosen


_ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#12161D"/>'
    '<circle cx="14" cy="14" r="7.5" fill="none" stroke="#4FB3D9" stroke-width="3"/>'
    '<path d="M19.5 19.5 27 27" stroke="#4FB3D9" stroke-width="3.5" stroke-linecap="round"/>'
    '<circle cx="14" cy="14" r="2.5" fill="#E69F00"/></svg>'
)

_LOGO: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32">'
    '<circle cx="14" cy="15" r="8.5" fill="none" stroke="#4FB3D9" stroke-width="3"/>'
    '<path d="M20.2 21.2 27 28" stroke="#4FB3D9" stroke-width="3.5" stroke-linecap="round"/>'
    '<circle cx="14" cy="15" r="2.7" fill="#E69F00"/>'
    '<text x="38" y="23" font-family="Source Sans, sans-serif" font-size="22" fill="#B9C3D0">Rad'
    '<tspan fill="#4FB3D9" font-weight="700">CBIR</tspan></text></svg>'
)
