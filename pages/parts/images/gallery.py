"""Images of a collection as a grid of cards, and one image opened large.

Owns how an image looks wherever it appears: thumbnail, rank, similarity, labels, and, beside a query, whether anatomy
and pathology agree. One grid is one component, so that fifty cards are one message to the browser and not two hundred.
The browser side (gallery.js) sets every label as text, never as markup.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import streamlit as st
from PIL import Image

from pages.parts.frame import palette, state
from pages.parts.frame.palette import Agreement
from pages.parts.frame.text import markup
from pages.parts.images import burned_marks, fact_order, pictures, review_marks, review_panel, seen_marks
from pages.parts.images.viewer import image_viewer
from pages.parts.images.viewer.session_files import SessionFile
from radcbir_core.collections.collection import Collection
from radcbir_core.evaluation.seen import Seen
from radcbir_core.images import DecodedImage
from radcbir_core.search.queries.query import MEASURES, Measure
from radcbir_core.search.queries.region import Box
from radcbir_core.search.queries.tile_grid import WHOLE, found_said
from radcbir_core.wording import counted

_HERE: Final = Path(__file__).parent
_CARD_COLUMNS: Final = ("image_id", "modality", "anatomy", "pathologies")
_AT: Final = "radcbir:large-at"
_VIEWER: Final = "radcbir:viewer"
_WORDS: Final[dict[Agreement, str]] = {
    "same": "same",
    "shared": "in part",
    "other": "other",
    "unknown": "not labeled",
}


@dataclass(frozen=True)
class Labels:
    """What hits are compared with: the labels of a query.

    Attributes:
        modality: Its modality; empty when not known.
        anatomy: Its anatomy; empty when not known.
        pathologies: Its pathologies; empty when not labeled.
    """

    modality: str
    anatomy: str
    pathologies: tuple[str, ...]


def labels_of(collection: Collection, row: int) -> Labels:
    """The labels of one image of the collection."""
    return _labels(collection.manifest.record(row, ["modality", "anatomy", "pathologies"]))


def said_of(labels: Labels) -> list[str]:
    """What a placeholder says of an image: modality, anatomy, pathologies."""
    return [labels.modality, labels.anatomy, ", ".join(labels.pathologies)]


def agreement(query: Sequence[str], hit: Sequence[str]) -> Agreement:
    """How the labels of a hit agree with those of the query; a single value is a list of one.

    ``same``: the same set; ``shared``: some, not all, in common; ``other``: none; ``unknown``: one side has none.

    >>> agreement(["edema", "effusion"], ["effusion"]), agreement(["normal"], ["edema"]), agreement([""], ["chest"])
    ('shared', 'other', 'unknown')
    """
    left, right = {value for value in query if value}, {value for value in hit if value}
    if not left or not right:
        return "unknown"
    if left == right:
        return "same"
    return "shared" if left & right else "other"


def show(
    collection: Collection,
    rows: Sequence[int] | np.ndarray,
    *,
    key: str,
    similarities: Sequence[float] | np.ndarray | None = None,
    measure: Measure = "similarity",
    query: Labels | None = None,
    per_page: int = 50,
    columns: int = 5,
    notes: Sequence[str] | None = None,
    boxes: Sequence[Box] = (),
    query_row: int | None = None,
    query_file: SessionFile | None = None,
    on_query: Callable[[str], None] | None = None,
    on_why: Callable[[str], None] | None = None,
    on_mark: Callable[[str, Literal["like", "unlike"]], None] | None = None,
) -> None:
    """A grid of images, page by page; each opens large and becomes the next query with one click.

    Args:
        collection: Where the images are.
        rows: (K,) rows of the manifest in the order to show; negative ones (padding) are left out. Any length: only
            the page shown is read.
        key: Unique on the page.
        similarities: (K,) similarity of each, shown with its rank; None shows neither.
        measure: What the similarities are.
        query: Labels to compare with; each card then says whether anatomy and pathology are the same.
        per_page: Cards a page.
        columns: Cards side by side on a wide screen; fewer where there is no room.
        notes: (K,) a line below each image.
        boxes: (K,) where in each image what was looked for was found, drawn on it and said; none where whole images
            were searched.
        query_row: The row of the query whose hits they are, where it is an image of the collection: what was said of a
            pair is shown, and can be said, as well.
        query_file: Its file, where it is in no collection.
        on_query: Called with the image_id before the page runs again, when "use as query" is clicked. By default the
            Retrieval page opens with that query.
        on_why: Called with the image_id when it is asked why an image is a hit. By default the Retrieval page opens
            with the pair, where the query is an image of the collection.
        on_mark: Called with the image_id before the page runs again, when a hit is marked as like what is sought or as
            unlike it; None draws no marks.
    """
    shown = np.asarray(rows, dtype=np.int64)
    kept = shown >= 0
    values = None if similarities is None else np.asarray(similarities, dtype=np.float64)[kept]
    said = None if notes is None else np.asarray(notes, dtype=object)[kept]
    found = [box for box, is_shown in zip(boxes, kept.tolist(), strict=True) if is_shown] if boxes else []
    shown = shown[kept]
    start = _page_start(key, shown)
    stop = min(start + per_page, len(shown))
    colors = palette.colors_of("modality", collection.manifest.codes("modality").values)
    records = collection.manifest.rows(shown[start:stop], _CARD_COLUMNS)
    seen, reviews = seen_marks.seen_here(collection), review_marks.reviews_here(collection)
    burned = burned_marks.burned_here(collection)
    asked = "" if query_row is None else _image_id(collection, query_row)
    cards = []
    for position, values_of_row in zip(range(start, stop), records.itertuples(index=False), strict=True):
        record = dict(zip(_CARD_COLUMNS, values_of_row, strict=True))
        card = _card(collection, int(shown[position]), record, query, seen)
        card["color"] = colors.get(card["modality"], palette.NO_VALUE)
        if values is not None:
            card |= {"rank": position + 1, measure: f"{values[position]:.3f}"}
        if said is not None:
            card["note"] = str(said[position])
        if found:
            box = found[position]
            card["found"] = found_said(box)
            card["box"] = sides_of(box)
        card["said"] = [
            *burned_marks.on_card(burned, int(shown[position])),
            *review_marks.on_card(reviews, record, query=asked),
        ]
        cards.append(card)

    def use() -> None:
        row = _clicked(st.session_state.get(f"{key}:grid"), "query", shown)
        if row is not None and on_query is not None:
            on_query(_image_id(collection, row))

    def marked(kind: Literal["like", "unlike"]) -> None:
        row = _clicked(st.session_state.get(f"{key}:grid"), kind, shown)
        if row is not None and on_mark is not None:
            on_mark(_image_id(collection, row), kind)

    result = _grid(
        key=f"{key}:grid",
        data={"cards": cards, "columns": columns, "marking": on_mark is not None},
        on_open_change=_nothing,
        on_query_change=use if on_query is not None else _nothing,
        on_like_change=lambda: marked("like"),
        on_unlike_change=lambda: marked("unlike"),
    )
    _page_controls(key, len(shown), start, stop, per_page)
    row = _clicked(result, "query", shown)
    if row is not None and on_query is None:
        open_as_query(collection, row)
    row = _clicked(result, "open", shown)
    if row is not None:
        position = int(np.flatnonzero(shown == row)[0])
        open_large(
            collection,
            shown,
            position,
            similarities=values,
            measure=measure,
            boxes=found,
            query_row=query_row,
            query_file=query_file,
            on_query=on_query,
            on_why=on_why,
        )


def show_pairs(
    collection: Collection,
    queries: Sequence[int] | np.ndarray,
    hits: Sequence[int] | np.ndarray,
    *,
    key: str,
    ranks: Sequence[int] | np.ndarray | None = None,
    similarities: Sequence[float] | np.ndarray | None = None,
    on_open: Callable[[str, str], None],
    notes: Sequence[str] | None = None,
    columns: int = 4,
) -> None:
    """Queries beside one hit each, as many pairs as are given; a click on either image opens the pair.

    Args:
        collection: Where the images are.
        queries: (P,) rows of the manifest.
        hits: (P,) rows of the manifest.
        key: Unique on the page.
        ranks: (P,) of each hit, where they are known.
        similarities: (P,) of each hit, where they are known.
        on_open: Called with the image_id of both before the page runs again.
        notes: (P,) a line below each pair.
        columns: Pairs side by side on a wide screen.
    """
    rows = np.column_stack([np.asarray(queries, dtype=np.int64), np.asarray(hits, dtype=np.int64)])
    colors = palette.colors_of("modality", collection.manifest.codes("modality").values)
    frame = collection.manifest.rows(rows.reshape(-1), _CARD_COLUMNS)
    records = [dict(zip(_CARD_COLUMNS, values, strict=True)) for values in frame.itertuples(index=False)]
    seen, reviews = seen_marks.seen_here(collection), review_marks.reviews_here(collection)
    pairs: list[list[dict[str, Any]]] = []
    for position, (query, hit) in enumerate(rows.tolist()):
        asked, given = records[2 * position : 2 * position + 2]
        both = (
            _card(collection, query, asked, None, seen)
            | {"role": "Query", "said": review_marks.on_card(reviews, asked)},
            _card(collection, hit, given, _labels(asked), seen)
            | {"said": review_marks.on_card(reviews, given, query=str(asked["image_id"]))}
            | ({"role": "Hit"} if ranks is None else {"rank": int(ranks[position])})
            | ({} if similarities is None else {"similarity": f"{similarities[position]:.3f}"}),
        )
        color = {card["row"]: colors.get(card["modality"], palette.NO_VALUE) for card in both}
        pairs.append([card | {"pair": position, "color": color[card["row"]]} for card in both])
        if notes is not None:
            pairs[-1][0]["note"] = notes[position]

    def opened() -> None:
        event = st.session_state.get(f"{key}:grid")
        at = event.get("pair") if isinstance(event, Mapping) else None
        if isinstance(at, int) and not isinstance(at, bool) and 0 <= at < len(pairs):
            on_open(*(str(card["image_id"]) for card in pairs[at]))

    result = _grid(
        key=f"{key}:grid",
        data={"cards": [], "pairs": pairs, "columns": columns},
        on_pair_change=opened,
        on_query_change=_nothing,
    )
    row = _clicked(result, "query", rows.reshape(-1))
    if row is not None:
        open_as_query(collection, row)


def sides_of(box: Box) -> list[int]:
    """A box as the browser is told of it; of the whole image nothing has to be framed."""
    return [] if box == WHOLE else [box.left, box.top, box.right, box.bottom]


def dialog_opens() -> bool:
    """Whether the click that began this run opens an image in large, over the page that is being drawn."""
    told = st.session_state.to_dict().values()
    return any(isinstance(said, Mapping) and said.get("open") is not None for said in told)


def picture(source: bytes | str, description: str, *, key: str) -> bool:
    """One image by itself, as wide as its column; True in the run after it was clicked, to be opened large.

    The image travels inside the page, not as a file of its own: ``st.image`` would serve it from an address that is
    gone again when the next run comes quickly, and would make a lossy JPEG of it.

    Args:
        source: A PNG, or an address that holds an image (see pictures.py).
        description: What it is, for those who cannot see it.
        key: Unique on the page.
    """
    address = source if isinstance(source, str) else pictures.inline(source, "image/png")
    result = _picture(key=key, data={"source": address, "description": description}, on_open_change=_nothing)
    return bool(result.get("open"))


def open_as_query(collection: Collection, row: int, **further: str) -> None:
    """Go to the Retrieval page with an image of the collection as query; ends this run.

    Args:
        collection: Which has it.
        row: Of the image.
        **further: URL parameters of that page.
    """
    image_id = _image_id(collection, row)
    kept = {name: v for name, v in state.left_at("retrieval").items() if name in {"k", "exclude", "where", "select"}}
    st.switch_page("pages/retrieval.py", query_params={**kept, **state.parameters_for(image=image_id, **further)})


def open_large(
    collection: Collection,
    rows: Sequence[int] | np.ndarray,
    position: int,
    *,
    similarities: Sequence[float] | np.ndarray | None = None,
    measure: Measure = "similarity",
    boxes: Sequence[Box] = (),
    query_row: int | None = None,
    query_file: SessionFile | None = None,
    on_query: Callable[[str], None] | None = None,
    on_why: Callable[[str], None] | None = None,
) -> None:
    """Open one of several images in the viewer, in a dialog, with all it is known by; previous and next.

    Call it at most once a run (Streamlit shows one dialog at a time).

    Args:
        collection: Where the images are.
        rows: (K,) rows of the manifest, none negative.
        position: Which of them to open first, from 0.
        similarities: (K,) similarity to a query, whose hits the rows are, best first.
        measure: What the similarities are.
        boxes: As in :func:`show`; framed on the image, and said above it.
        query_row: As in :func:`show`; the query is shown beside the image.
        query_file: As in :func:`show`, likewise.
        on_query: As in :func:`show`.
        on_why: As in :func:`show`.
    """
    # Another viewer each time, so that one that was closed has nothing to say.
    turn = st.session_state.get(_AT, (0, 0))[1] + 1
    st.session_state[_AT] = (position, turn)
    review_panel.use_new_fields()
    _dialog(
        collection,
        np.asarray(rows, dtype=np.int64),
        similarities,
        measure=measure,
        boxes=boxes,
        query=query_file if query_row is None else query_row,
        on_query=on_query,
        on_why=on_why,
    )


@st.dialog("Image", width="large")
def open_file(file: SessionFile, facts: Sequence[tuple[str, str]]) -> None:
    """Open an image that is in no collection, such as an upload, in the viewer, with its facts."""
    with st.container(key="radcbir-large"):
        image_viewer.show_file(file, facts, key=f"{_VIEWER}:file")


def facts_table(pairs: Sequence[tuple[str, str]]) -> None:
    """A table of names and values, word for word; empty values are left out."""
    body = "".join(f"<tr><th>{markup(name)}</th><td>{markup(value)}</td></tr>" for name, value in pairs if value)
    st.html(f'<table class="radcbir-facts">{body}</table>')


def image_facts(collection: Collection, row: int) -> list[tuple[str, str]]:
    """Everything the manifest says of one image, as names and values: the clinical ones first, digests last."""
    pairs = []
    for name, value in collection.manifest.record(row).items():
        if name == "duplicate_group":
            others = int((collection.manifest.groups("duplicate") == value).sum()) - 1 if value >= 0 else 0
            text = counted(others, "other file", "other files") + " with the same bytes" if others else ""
        elif name == "pathologies":
            text = ", ".join(value) or "not labeled"
        else:
            text = "" if value is None else str(value)
        pairs.append((name.replace("_", " "), text))
    return fact_order.in_clinical_order(pairs)


def window_text(image: DecodedImage) -> str:
    """How a decoded image got its gray values, in words; empty for formats without a window."""
    if image.window is None:
        return ""
    low, high = image.window.center - image.window.width / 2, image.window.center + image.window.width / 2
    return (
        f"center {image.window.center:g}, width {image.window.width:g} "
        f"({low:g} to {high:g}), from {image.window.source}"
    )


def frame_text(image: DecodedImage) -> str:
    """Which frame of a multi-frame file is shown, counted from 1; empty for a single frame."""
    return f"{image.frame + 1} of {image.frames}" if image.frame is not None and image.frames > 1 else ""


def png(pixels: np.ndarray) -> bytes:
    """Pixels (H, W) or (H, W, 3) uint8 as PNG bytes, lossless, packed quickly rather than small."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


@st.dialog("Image", width="large", on_dismiss="rerun")  # what was said meanwhile is then on the cards
def _dialog(
    collection: Collection,
    rows: np.ndarray,
    similarities: Sequence[float] | np.ndarray | None,
    *,
    measure: Measure,
    boxes: Sequence[Box],
    query: int | SessionFile | None,
    on_query: Callable[[str], None] | None,
    on_why: Callable[[str], None] | None,
) -> None:
    def said(at: int) -> str:
        if similarities is None:
            return f"Image {at + 1:,} of {len(rows):,}"
        return f"Rank {at + 1:,} of {len(rows):,}, {MEASURES[measure]} {similarities[at]:.3f}"

    began, turn = st.session_state[_AT]
    key = f"{_VIEWER}:{turn}"
    position = image_viewer.place_of(key, began, len(rows))
    row = int(rows[position])
    query_row = query if isinstance(query, int) else None
    is_hit = query is not None and (similarities is not None or query_row != row)
    wide, narrow = st.container(key="radcbir-large").columns([7, 2], gap="medium")
    with wide:
        image_viewer.show(
            collection,
            rows,
            position,
            key=key,
            said=said,
            names=("Query", ""),
            query=query if is_hit else None,
            boxes=[sides_of(box) for box in boxes],
            places=[found_said(box) for box in boxes],
        )
    with narrow, st.container(key="radcbir-beside-viewer"):
        used = st.button("Use as query", icon=":material/image_search:", type="primary", width="stretch")
        able = (query_row not in {None, row} or on_why is not None) and not collection.without_images
        why = able and st.button("Why these two?", icon=":material/network_intelligence:", width="stretch")
        asked = "" if query_row is None else _image_id(collection, query_row)
        review_panel.draw_in_dialog(collection, _image_id(collection, row), query=asked)
    if why and on_why is not None:
        on_why(_image_id(collection, row))
        st.rerun()
    elif why and query_row is not None:
        open_as_query(collection, query_row, beside=_image_id(collection, row), why="auto")
    if used and on_query is None:
        open_as_query(collection, row)
    elif used and on_query is not None:
        on_query(_image_id(collection, row))
        st.rerun()


def agreement_words(query: Labels, hit: Labels) -> list[tuple[str, Agreement, str]]:
    """How the labels of a hit agree with those of the query: of what, how, and in words."""
    lines: list[tuple[str, Agreement, str]] = []
    for name, mine, theirs in (
        ("anatomy", [query.anatomy], [hit.anatomy]),
        ("pathology", query.pathologies, hit.pathologies),
    ):
        kind = agreement(mine, theirs)
        words = f"{_WORDS[kind]} as the query" if kind in {"same", "shared"} else _WORDS[kind]
        lines.append((name, kind, words if any(mine) else "the query is not labeled"))
    return lines


def _labels(record: Mapping[str, Any]) -> Labels:
    return Labels(record["modality"] or "", record["anatomy"] or "", tuple(record["pathologies"]))


def _image_id(collection: Collection, row: int) -> str:
    return collection.manifest.image_id(row)


def _card(
    collection: Collection, row: int, record: Mapping[str, Any], query: Labels | None, seen: Mapping[str, Seen]
) -> dict[str, Any]:
    """What the browser gets of one image: text and a thumbnail, nothing that could be markup."""
    labels = _labels(record)
    lines = []
    for name, value, mine, theirs in (
        ("anatomy", labels.anatomy, [query.anatomy] if query else [], [labels.anatomy]),
        ("pathology", ", ".join(labels.pathologies), query.pathologies if query else (), labels.pathologies),
    ):
        line = {"name": name, "value": value or "not labeled", "known": bool(value)}
        if any(mine):  # beside a query without that label, nothing agrees or disagrees
            kind = agreement(mine, theirs)
            line |= {"sign": palette.SIGNS[kind], "word": _WORDS[kind], "color": palette.AGREEMENT_COLORS[kind]}
        lines.append(line)
    return {
        "row": row,
        "image_id": record["image_id"],
        "link": state.link("retrieval", image=record["image_id"]),
        "modality": labels.modality,
        "lines": lines,
        "source": pictures.small(collection, row, said_of(labels)),
        "seen": seen_marks.said_of(seen, row),
        "seen_sign": seen_marks.sign_of(seen, row),
    }


def _clicked(result: Any, event: str, shown: np.ndarray) -> int | None:
    """The row an event of the grid names, if it is one of those shown; the browser's word is not taken for more."""
    value = result.get(event) if isinstance(result, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and bool((shown == value).any()) else None


def _nothing() -> None:
    """For events whose value is read after the run has started."""


def _page_start(key: str, shown: np.ndarray) -> int:
    """The first position of the page shown; the first page again when other images are shown than last time."""
    these = (len(shown), int(shown[0]), int(shown[-1])) if len(shown) else (0, -1, -1)
    if st.session_state.get(f"{key}:these") != these:
        st.session_state[f"{key}:these"] = these
        st.session_state[f"{key}:start"] = 0
    return int(st.session_state[f"{key}:start"])


def _page_controls(key: str, count: int, start: int, stop: int, per_page: int) -> None:
    if count <= per_page:
        return

    def go(to: int) -> None:
        st.session_state[f"{key}:start"] = to

    last = (count - 1) // per_page * per_page
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, icon, to in (
            ("First page", "first_page", 0),
            ("Previous page", "chevron_left", max(start - per_page, 0)),
            ("Next page", "chevron_right", min(start + per_page, last)),
            ("Last page", "last_page", last),
        ):
            st.button(
                label, icon=f":material/{icon}:", key=f"{key}:{label}", on_click=go, args=(to,), disabled=to == start
            )
        st.caption(f"{start + 1:,} to {stop:,} of {count:,}")


_grid = st.components.v2.component(
    "radcbir.gallery",
    html='<ol class="grid"></ol>',
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js=(_HERE / "gallery.js").read_text(encoding="utf-8"),
)

_picture = st.components.v2.component(
    "radcbir.picture",
    html='<button type="button" class="open" title="Open large"><img></button>',
    css=(_HERE / "gallery.css").read_text(encoding="utf-8"),
    js="""export default function ({ parentElement, data, setTriggerValue }) {
  const button = parentElement.querySelector("button")
  button.setAttribute("aria-label", `Open large: ${data.description}`)
  button.style.aspectRatio = "auto"
  button.onclick = () => setTriggerValue("open", true)
  const image = button.querySelector("img")
  image.alt = data.description
  image.src = data.source
}
""",
)
