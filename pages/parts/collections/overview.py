"""What a collection is: its counts and sizes, its encoders, its problems, and where it comes from.

Owns the look of these four parts of the Collections page. Nothing here changes a collection; the build that it can
begin runs in a process of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from pages.parts.collections import burned_panel, sizes
from pages.parts.frame import counts as count_tables
from pages.parts.frame import downloads, encoder_states, loaders, problem_table, rights, server_paths, shell, state
from pages.parts.frame.csv_text import csv_bytes
from pages.parts.frame.downloads import Table
from pages.parts.frame.text import literal, markup
from pages.parts.jobs import controls
from radcbir_core import jobs
from radcbir_core.collections.artifacts import ARTIFACTS, INDEX, NEIGHBORS
from radcbir_core.collections.changes import images_found
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.corrections import corrected_cells, read_corrections
from radcbir_core.collections.encoder_data.store import IMPORTED
from radcbir_core.collections.records.record import ARCHIVED
from radcbir_core.encoders import encoder_id_of, known_encoders
from radcbir_core.encoders.usable import Usable
from radcbir_core.errors import RadcbirError
from radcbir_core.jobs.kinds import collection_place
from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
from radcbir_core.search.backend import Recall
from radcbir_core.wording import counted

_ROWS: Final = 1000
_CORRECTIONS: Final = 200
_PART_NAMES: Final = {
    "manifest": "table of images",
    "images": "images in its folder",
    **{artifact.name: artifact.title for artifact in ARTIFACTS},
}


def overview(collection: Collection) -> None:
    """Counts, and room on disk part by part."""
    counts = loaders.counts(collection)
    room = loaders.sizes(collection)
    labeled = counts.images - counts.unlabeled
    numbers = [
        ("Images", f"{counts.images:,}", counted(len(counts.datasets), "data set")),
        (
            "Patients",
            f"{counts.patients:,}" if counts.patients else "none",
            f"known of {counted(counts.with_patient, 'image')}" if counts.patients else "not known of any image",
        ),
        ("Pathologies", f"{len(counts.pathologies):,}", f"on {counted(labeled, 'image')}"),
        ("Labels", f"{counts.labels:,}", "modality/anatomy/pathology"),
        ("On disk", sizes.said(room.total), "its images too" if room.parts["images"] else "without source images"),
    ]
    tiles = "".join(
        f"<div><span>{markup(name)}</span><b>{markup(number)}</b><small>{markup(note)}</small></div>"
        for name, number, note in numbers
    )
    st.html(f'<div class="radcbir-tiles">{tiles}</div>')
    left, middle, right = st.container(key="radcbir-overview").columns(3, gap="medium")
    with left:
        sizes.table({_PART_NAMES.get(part, part): size for part, size in room.parts.items()}, title="Room on disk")
        if room.encoders:
            sizes.table(room.encoders, title="Of that, by encoder")
    with middle:
        count_tables.bars("Modality", counts.modalities, column="modality")
        count_tables.bars("Split", counts.splits)
        count_tables.bars("Dataset", counts.datasets, rows=7)
    with right:
        count_tables.bars("Anatomy", counts.anatomies, column="anatomy", rows=7)
        count_tables.bars("Pathology", counts.pathologies, rows=9)


def encoders(collection: Collection) -> None:
    """How far each encoder is, the commands that complete them, and a build that can be begun here."""
    busy = jobs.at_work_at(collection_place(collection.name))
    if collection.encoder_ids():
        encoder_states.table(collection)
    elif busy is None:
        st.caption("None is built yet. Retrieval, Pathology and Map open once one is.")
    unfinished = []
    for encoder_id in collection.encoder_ids():
        with shell.errors_shown():
            store = collection.store(encoder_id)
            if not store.is_current():
                unfinished.append(store.spec)
                shell.say_command(
                    f"**{literal(encoder_id)}** is not complete. This command goes on where it stopped.",
                    *("build", collection.name, "--encoder", store.spec),
                )
    if busy is not None:
        st.info("Work on this collection is going on: see the top of this page.", icon=":material/hourglass_top:")
        return
    if rights.may("owner"):
        _offer_build(collection, unfinished)


def _offer_build(collection: Collection, unfinished: Sequence[str]) -> None:
    looked = bool(st.session_state.get(_ALL))
    options = _buildable(collection, unfinished)
    st.html('<h4 class="radcbir-part">Build an encoder</h4>')
    if options:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            spec = st.selectbox(
                "Encoder",
                list(options),
                key=f"radcbir:build-{collection.name}",
                format_func=lambda one: options.get(one, one),
                width=460,
            )
            st.button(
                "Build",
                key="radcbir:build",
                icon=":material/play_arrow:",
                type="primary",
                on_click=_begin_build,
                args=(collection.name, spec),
                disabled=spec is None,
                help="Runs by itself; a closed browser does not end it.",
            )
    elif collection.without_images and not images_found(collection)[0]:
        st.caption("Its images are not at hand: say where they are under Rename or remove.")
    else:
        st.caption("All encoders that need no download are built." if looked else "Those of RadCBIR are built.")
    if not looked:
        st.button(
            "Look for further encoders on this machine",
            key="radcbir:build-look",
            icon=":material/search:",
            type="tertiary",
            on_click=_look_for_all,
            help="Kits in data/encoders, and what was fetched before. Takes some seconds.",
        )
    if (error := st.session_state.pop(_BUILD_ERROR, None)) is not None:
        shell.show_error(str(error))
    st.caption("Others are fetched, or made a kit of, in a terminal: `encoders` lists them, `build` builds with one.")
    st.code(f"{shell.COMMAND} build {shlex.quote(collection.name)} --encoder biomedclip", language="bash")


def _buildable(collection: Collection, unfinished: Sequence[str]) -> dict[str, str]:
    """The specs that can be built here without a network and what they are called, those begun first."""
    built = set(collection.encoder_ids())
    offered = {spec: f"{spec.removeprefix(IMPORTED)} · go on" for spec in unfinished if spec.startswith(IMPORTED)}
    if collection.without_images and not images_found(collection)[0]:
        return offered
    usable = loaders.usable_encoders() if st.session_state.get(_ALL) else _with_radcbir()
    offered |= {one.spec: f"{one.title} · go on" for one in usable if one.spec in unfinished}
    for one in usable:
        try:
            new = encoder_id_of(one.spec) not in built
        except RadcbirError:
            continue  # a folder whose name can be no encoder's
        if new:
            offered[one.spec] = one.title
    return offered


def _with_radcbir() -> list[Usable]:
    """The encoders that come with RadCBIR: known without loading the libraries that know whether others are here."""
    return [
        Usable(entry.encoder_id, entry.title, entry.supports_text, entry.note)
        for entry in known_encoders()
        if entry.demonstration or entry.family == "pixels"
    ]


def _look_for_all() -> None:
    st.session_state[_ALL] = True


def _begin_build(name: str, spec: str) -> None:
    try:
        controls.begin(ImportAndBuild(name, encoders=(spec,)), action=f"build {spec}")
    except RadcbirError as error:
        st.session_state[_BUILD_ERROR] = str(error)


_ALL: Final = "radcbir:build-all"
_BUILD_ERROR: Final = "radcbir:build-error"


def problems(collection: Collection) -> None:
    """What could not be imported or decoded, searchable, and as a file."""
    with shell.errors_shown():
        burned_panel.draw(collection)
    table = loaders.problems(collection)
    problem_table.draw_notes(collection)
    if not len(table):
        st.caption("None: every row could be read.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            "Search",
            value=state.get("find") or "",
            key="radcbir:problems-find",
            placeholder="path, image or reason",
            on_change=lambda: state.update(find=st.session_state["radcbir:problems-find"] or None),
            width=320,
        )
        downloads.offer(
            Table(len(table), partial(loaders.problems, collection)),
            file_name=f"{collection.name}-problems.csv",
            about="All of them",
        )
    shown = table
    if text:
        hit = table["reason"].str.contains(text, case=False, regex=False)
        for column in ("path", "image_id", "source"):
            hit |= table[column].str.contains(text, case=False, regex=False)
        shown = table[hit]
    more = f", the first {_ROWS:,} are listed" if len(shown) > _ROWS else ""
    st.caption(
        f"{counted(len(shown), 'row')} of {len(table):,}{more}. They are not in the collection, have no embedding, or "
        "show text: the reason says which. Everything else works all the same."
    )
    if len(shown):
        problem_table.draw(shown.head(_ROWS), height=420, key="problems")


def provenance(collection: Collection) -> None:
    """Sources, licences, what was changed and checked, digests, and the versions that made it."""
    record = collection.record
    left, right = st.columns([6, 5], gap="medium")
    with left:
        sources = [one for one in _list(record.get("sources")) if isinstance(one, Mapping)]
        _rows(
            "Sources",
            ["where", "dataset", "rows", "images"],
            [
                [one.get("origin", ""), one.get("dataset", ""), one.get("rows", ""), one.get("images", "")]
                for one in sources
            ],
        )
        licences = record.get("licences")
        _rows("Licenses", ["license", "images"], licences.items() if isinstance(licences, Mapping) else [])
        changes = [one for one in _list(record.get("changes")) if isinstance(one, Mapping)]
        _rows(
            "Words that were changed",
            ["column", "in the source", "in the table", "rows"],
            [
                [one.get("column", ""), one.get("from") or "(empty)", one.get("to") or "(empty)", one.get("rows", "")]
                for one in changes
            ],
        )
        with shell.errors_shown():
            _corrections(collection)
        if notes := problem_table.notes_of(collection):
            _rows("Notes", ["what has to be known about its numbers"], [[note] for note in notes])
    with right:
        present, looked_for = images_found(collection)
        facts = [
            ["name", collection.name],
            ["made", record.get("created", "")],
            ["checked at import", _CHECKED.get(str(record.get("checked", "")), str(record.get("checked", "")))],
            ["images", f"{collection.image_root}"],
            ["of these found", f"{present:,} of {looked_for:,} looked for"],
            ["exact copies", f"{record.get('duplicates', 0):,} in {record.get('duplicate_groups', 0):,} groups"],
            ["manifest", f"SHA-256 {collection.digest}"],
            ["schema", record.get("schema_version", "")],
        ]
        archive = record.get(ARCHIVED)
        if isinstance(archive, Mapping):
            facts.append(
                ["archive", f"of {archive.get('name')}, exported {archive.get('made')}, opened {archive.get('opened')}"]
            )
        _rows("This collection", None, facts)
        for encoder_id in collection.encoder_ids():
            with shell.errors_shown():
                _encoder(collection, encoder_id)


def _corrections(collection: Collection) -> None:
    """Which labels were corrected since the import, the latest first; nothing where none was."""
    if not corrected_cells(collection):
        return
    history = read_corrections(collection).iloc[::-1]
    shown = history.head(_CORRECTIONS)
    more = f", the latest {len(shown):,} of {len(history):,}" if len(history) > len(shown) else ""
    _rows(
        f"Corrected labels{more}",
        ["when", "by", "image", "column", "from", "to"],
        [
            [when[:10], by, image_id, column, before or "(empty)", after or "(empty)"]
            for when, by, _, image_id, column, before, after in shown.itertuples(index=False, name=None)
        ],
    )
    st.download_button(
        "All corrections as CSV",
        lambda: csv_bytes(history),
        file_name=f"{collection.name}-corrections.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _encoder(collection: Collection, encoder_id: str) -> None:
    store = collection.store(encoder_id)
    record, index = store.record, store.facts(INDEX)
    versions = record.get("versions")
    facts = [
        ["spec", record.get("spec", "")],
        ["weights", f"SHA-256 {record['weights_digest']}" if record.get("weights_digest") else "none"],
        ["fingerprint", record.get("fingerprint", "")],
        ["dimension", f"{record.get('dimension', '')}, {record.get('dtype', '')}"],
        ["made on", record.get("device", "")],
        ["without embedding", counted(len(record.get("failed_rows", [])), "image")],
        [
            "index",
            ", ".join(filter(None, [index.get("engine"), Recall.of_facts(index).said()])) if index else "",
        ],
        ["neighbor graph", _graph(store.facts(NEIGHBORS))],
        ["libraries", ", ".join(f"{k} {v}" for k, v in versions.items()) if isinstance(versions, Mapping) else ""],
    ]
    _rows(f"Encoder {encoder_id}", None, [fact for fact in facts if fact[1] not in {"", ", "}])


def _graph(facts: Mapping[str, Any]) -> str:
    """How it was made, and how much of the exact first hits it has where it is approximate."""
    shares = ((k, facts.get(f"recall_at_{k}")) for k in (1, 10, 100))
    told = (f"recall@{k} {share:.4f}" for k, share in shares if share is not None)
    return ", ".join([str(facts.get("method", "")), *told])


def _rows(title: str, head: Sequence[str] | None, rows: Iterable[Sequence[Any]]) -> None:
    """A table of words; without a head, the first column names the others."""
    lines = "".join(
        "<tr>" + "".join(f"<td>{markup(server_paths.shown(_number(cell)))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    above = f"<tr>{''.join(f'<th>{markup(word)}</th>' for word in head)}</tr>" if head else ""
    body = f"<table>{above}{lines}</table>" if lines else "<p>None.</p>"
    kind = "" if head else " pairs"
    st.html(
        f'<section class="radcbir-rows{kind}"><h4>{markup(title)}</h4>'
        f'<div class="scroll" tabindex="0">{body}</div></section>'
    )


def _number(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


_CHECKED: Final = {
    "decode": "each image was read and decoded",
    "bytes": "each file was read, none decoded",
    "exists": "only whether each file is there",
    "": "not recorded",
}
