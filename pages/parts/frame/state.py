"""What is shown now, kept in the URL, so that every state worth showing someone has a link.

Owns the names of the URL parameters, the helpers that tie a widget to one, and the memory of where each page was left.
The URL is the truth: a widget starts from it and writes back to it. Streamlit's own ``bind="query-params"`` is not used
because it drops a value it does not know without a word; here a value that does not fit is reported beside the widget.

Parameters shared by all pages: ``collection``, ``encoder``; and ``tour``, the stop of the guided tour, which no page
remembers. On Retrieval, among Mined failures and on the Map:
``select`` (what is selected on the map, repeated; ``box:x,y,x,y``, ``lasso:x,y,…`` or ``image:ID``, with a minus where
it takes away, and ``ENCODER@``, ``/MAP@`` or ``ENCODER/MAP@`` before an outline on another map than the open encoder's
first one). On Retrieval: ``image`` or ``text``, ``source``, ``upload`` (``several``),
``k``, ``exclude`` (repeated), ``where`` (repeated,
``column=value`` as on the command line), ``read`` (repeated, ``written=read as``, of the words of a sentence),
``phrasings`` (``several`` of a sentence), ``scores`` (``labels`` by text), ``find``, ``browse`` (as ``where``),
``perturb`` (repeated, ``rotate:10``),
``add`` (repeated, what is added to the query: ``like:ID``, ``unlike:ID``, ``image:WEIGHT:ID``, ``text:WEIGHT:WORDS``),
``rocchio`` (α,β,γ: how much the query and the marks ``like`` and ``unlike`` count), ``region`` (of the query image:
left, top, right, bottom in thousandths), ``whole`` (how much the whole image counts beside its region), ``among``
(``regions`` of the images are searched),
``within`` (``anatomy``), ``series`` (``whole``: its whole series asks), ``votes`` (how its slices' are counted),
``one`` (hit a patient, study or series), ``least`` (similarity), ``rest`` (``all`` of theirs), ``lane`` (of the query's
patient), ``hubness`` (the order of hits), ``beside`` (the hit that is explained) and ``why`` (by which
method, there and wherever a pair is open in large). On Pathology: ``view``, ``level``, ``k``, ``protocol``,
``exclude``, ``divisor``, ``empty``, ``seen``, ``find``, ``labels`` (``all``), ``label``, ``page`` (of its queries),
``against`` (a numeric column), ``rule``, ``metric``, ``ap`` (of ranking metrics), ``method`` (of probes), ``pairs`` (of
one patient), ``step`` (of leakage), ``column``, ``cuts`` and ``value`` (of subgroups), ``sample`` (of approximate
search), ``place`` (of chances).
On Failures: ``view``, ``level``, ``k``, ``protocol``, ``exclude``, ``empty``, ``seen``, ``weight`` (of ranks),
``figure`` (of cells), ``find``, ``pairs`` (``all``), ``label`` and ``hit`` (of the open cell), ``order`` (of its
pairs), ``kind`` (of mined failures), ``sort`` and ``where`` (of these), ``divisor`` and ``labels`` (of hubness),
``among`` and ``slice`` (of slices), ``sample`` and ``perturbation`` (of robustness), ``page``, ``image`` and ``beside``
(the pair in large). On the Map: ``map`` (its name), ``color``, ``level`` and ``k`` (of P@k), ``where``, ``image``,
``text`` or ``query`` (the query: ``session`` for one that only the session holds that asked it), ``beside`` (the second
map: ``encoder:ID``, ``map:NAME`` or ``color:COLUMN``), ``only`` (repeated; the categories shown alone), ``count`` (the
labels counted in the selection) and ``values`` (``all`` of these). On Compare: ``versus`` (the second encoder, or
``chance``), ``section``, ``level``, ``k``, ``protocol``, ``exclude``, ``divisor``, ``empty``, ``seen``, ``label``,
``filter`` and ``first`` (of labels), ``image`` (the query), ``hits``, ``near`` (of neighborhoods). On Collections:
``show`` (the one in full), ``part`` (of it), ``find`` (in its problems). On Review: ``part``
(``studies``), ``kind`` (images, pairs, corrections or gone), ``tag``, ``by``, ``standing`` (of corrections), ``where``,
``page``, ``image`` and ``beside`` (the case in large). On Reading: ``study`` and ``reader``. On
Presentation: ``step``, ``image`` (the case), ``cases`` (which of those offered), ``failure`` (which), ``text`` and
``from`` (the page that it was opened on, with its parameters: a session that begins with it goes back there).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

import streamlit as st

from pages.parts.frame.text import literal
from radcbir_core.wording import parted_condition

SHARED: Final = ("collection", "encoder")
FROM: Final = "from"
DEFAULT_K: Final = 10
"""How many hits are shown, and how many P@k is of, where nobody has chosen: the same on every page."""

NOTHING: Final = "none"
"""The value of a repeated parameter whose list was emptied on purpose (a missing parameter means its default)."""

_VISITS: Final = "radcbir:visits"
_PAGE: Final = "radcbir:page"
_QUERY: Final = "radcbir:query"
_BEFORE: Final = "radcbir:page-before"


def get(name: str) -> str | None:
    """The (last) value of a URL parameter, or None where it is absent or empty."""
    return st.query_params.get(name) or None


def get_all(name: str) -> list[str]:
    """All values of a repeated URL parameter, in order; ``[]`` where it is absent or says ``none``."""
    return [value for value in st.query_params.get_all(name) if value and value != NOTHING]


def update(**parameters: str | int | Sequence[str] | None) -> None:
    """Write URL parameters; None or an empty list removes one; the others stay as they are.

    Works in callbacks and in the page's body. The browser's Back button returns to the state before.
    """
    now = _now()
    then = now | {name: _texts(value) for name, value in parameters.items()}
    then = {name: values for name, values in then.items() if values}
    if then != now:
        # All at once: each change of the URL is one step of the browser's history.
        _write(then)
    _remember()


def enter(page: str) -> None:
    """Note which page runs now; :func:`pages.parts.frame.shell.begin` calls this."""
    if st.session_state.get(_PAGE) != page:
        # After a page link the browser can still show the parameters of the page before, while this run has the right
        # ones; writing them again, unchanged, tells the browser.
        _write(_now())
        st.session_state[_BEFORE] = st.session_state.get(_PAGE)
    st.session_state[_PAGE] = page
    _remember()


def came_from() -> str | None:
    """The page that was open before this one; of the first of a session what the URL says, or None."""
    before: str | None = st.session_state.get(_BEFORE)
    return before or (get(FROM) or "").partition("?")[0] or None


def here(page: str) -> str:
    """This page as it is shown now, for :data:`FROM` in the URL of another, where it outlives a reload."""
    own = {name: values for name, values in _now().items() if name not in (*SHARED, "tour")}
    return f"{page}?{urlencode(own, doseq=True)}" if own else page


def left_at(page: str) -> dict[str, list[str]]:
    """The URL parameters to open another page with: where it was left, with the collection and encoder open now.

    A session that begins with a page that was opened on another knows that one by :data:`FROM`.
    """
    came, _, parameters = (get(FROM) or "").partition("?")
    if came == page and page not in _visits():
        return {**parse_qs(parameters), **{name: st.query_params.get_all(name) for name in SHARED if get(name)}}
    memory = {name: values for name, values in _visits().get(page, {}).items() if name not in (*SHARED, "tour")}
    now = {name: st.query_params.get_all(name) for name in SHARED if get(name)}
    if now.get("collection") != _visits().get(page, {}).get("collection"):
        memory = {}
    return {**now, **memory}


def link(page: str, **parameters: str | int | Sequence[str] | None) -> str:
    """A relative URL that opens a page (``"retrieval"``; ``""`` is Home) with the collection and encoder open now.

    For ``href`` attributes; to go there from Python, use ``st.switch_page`` with :func:`parameters_for`.
    """
    return f"{page or './'}?{urlencode(parameters_for(**parameters), doseq=True)}"


def parameters_for(**parameters: str | int | Sequence[str] | None) -> dict[str, list[str]]:
    """URL parameters as ``st.switch_page`` and ``st.page_link`` take them: the shared ones and those given."""
    shared = {name: st.query_params.get_all(name) for name in SHARED if get(name)}
    return {**shared, **{name: _texts(value) for name, value in parameters.items() if _texts(value)}}


def set_query(collection: str, **parameters: str) -> None:
    """Remember the current query across pages (the Map marks it).

    Args:
        collection: Where it was asked.
        **parameters: How the Map's URL names it: ``image``, ``text`` or ``query``, one of them; none forgets it.
    """
    st.session_state[_QUERY] = (collection, parameters)


def query(collection: str) -> dict[str, str]:
    """How the Map's URL names the query that was asked last in this collection; empty where there is none."""
    kept, parameters = st.session_state.get(_QUERY, ("", {}))
    return dict(parameters) if kept == collection else {}


def choice(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    *,
    name: str,
    default: str | None = None,
    clears: Sequence[str] = (),
    **arguments: Any,
) -> str:
    """One of several options, kept in the URL parameter ``name``.

    Args:
        widget: ``st.selectbox``, ``st.segmented_control``, ``st.radio``, or the same method of a container.
        label: The widget's label.
        options: What can be chosen, at least one; the first is the default unless ``default`` names another.
        name: URL parameter. The default is written to the URL only once another was chosen.
        default: The option chosen while the URL says nothing.
        clears: URL parameters that mean nothing under another choice, and go when it changes.
        **arguments: Further arguments of the widget.

    Returns:
        The chosen option. A URL value that is no option is reported, with what there is, and the default is used.
    """
    fallback = default if default is not None and default in options else options[0]
    asked = get(name)
    chosen = asked if asked is not None and asked in options else fallback
    key = _key(name)
    st.session_state[key] = chosen

    def keep() -> None:
        # A segmented control can be switched off by a second click; nothing chosen means "as it was".
        value = st.session_state[key] or chosen
        update(**(dict.fromkeys(clears) if value != chosen else {}), **{name: value})

    widget(label, options, key=key, on_change=keep, **arguments)
    if asked is not None and asked != chosen:
        report(name, asked, options, then=f"{chosen} is used instead")
    return chosen


def choices(
    widget: Callable[..., Any],
    label: str,
    options: Sequence[str],
    *,
    name: str,
    default: Sequence[str] = (),
    **arguments: Any,
) -> list[str]:
    """Several of several options, kept in the repeated URL parameter ``name``.

    As :func:`choice`, with ``st.multiselect`` or ``st.pills(selection_mode="multi")``. A list emptied on purpose is
    kept as ``none``, so that it differs from "not said", which means the default. Values that are no options are
    reported and left out; where no other remains, the default holds.
    """
    asked = get_all(name)
    chosen = [value for value in asked if value in options]
    if not chosen and NOTHING not in st.query_params.get_all(name):
        chosen = [value for value in default if value in options]
    key = _key(name)
    st.session_state[key] = chosen

    def keep() -> None:
        update(**{name: list(st.session_state[key]) or NOTHING})

    widget(label, options, key=key, on_change=keep, **arguments)
    for value in asked:
        if value not in options:
            report(name, value, options, then="It is left out")
    return chosen


def number(
    widget: Callable[..., Any], label: str, low: int, high: int, *, name: str, default: int, **arguments: Any
) -> int:
    """A whole number from ``low`` to ``high``, kept in the URL parameter ``name``; for ``st.slider`` and the like.

    A URL value outside the range, or no number, is reported and the default is used.
    """
    asked = get(name)
    fits = asked is not None and re.fullmatch(r"[0-9]{1,9}", asked) is not None and low <= int(asked) <= high
    chosen = int(asked) if asked is not None and fits else min(max(default, low), high)
    key = _key(name)
    st.session_state[key] = chosen

    def keep() -> None:
        update(**{name: st.session_state[key]})

    widget(label, min_value=low, max_value=high, key=key, on_change=keep, **arguments)
    if asked is not None and not fits:
        st.warning(
            f"Expected {name} from {low} to {high}, but {name} = {literal(asked[:80])}. {chosen} is used instead."
        )
    return chosen


def conditions(name: str, columns: Sequence[str]) -> dict[str, list[str]]:
    """Filters in a repeated URL parameter of ``column=value`` texts, as ``{column: [values]}``.

    A text without ``=`` is reported and left out. A column of ``columns`` may have ``=`` in its name.
    """
    conditions: dict[str, list[str]] = {}
    for text in get_all(name):
        column, sign, value = parted_condition(text, columns)
        if not sign or not column:
            st.warning(f"Expected {name} as column=value, but {name} = {literal(text[:80])}. It is left out.")
            continue
        conditions.setdefault(column, []).append(value)
    return conditions


def set_conditions(name: str, where: Mapping[str, Sequence[str]]) -> None:
    """Write filters to a repeated URL parameter, the inverse of :func:`conditions`."""
    update(**{name: [f"{column}={value}" for column, values in where.items() for value in values]})


def report(name: str, value: str, options: Sequence[str], *, then: str) -> None:
    """Say that a URL value does not exist, what was done about it, and what there is."""
    shown = ", ".join(options[:12]) + (f" and {len(options) - 12} more" if len(options) > 12 else "")
    st.warning(
        f"Expected {name} to be one of those there are, but {name} = {literal(value[:80])}. "
        f"{literal(then)}. There are: {literal(shown)}."
    )


def _texts(value: str | int | Sequence[str] | None) -> list[str]:
    if value is None or value == "":
        return []
    return [str(value)] if isinstance(value, str | int) else [str(item) for item in value]


def _now() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _write(parameters: Mapping[str, Sequence[str]]) -> None:
    st.query_params.from_dict({name: texts if len(texts) > 1 else texts[0] for name, texts in parameters.items()})


def _key(name: str) -> str:
    return f"radcbir:{st.session_state.get(_PAGE, '')}:{name}"


def _visits() -> dict[str, dict[str, list[str]]]:
    visits: dict[str, dict[str, list[str]]] = st.session_state.setdefault(_VISITS, {})
    return visits


def _remember() -> None:
    page = st.session_state.get(_PAGE)
    if page is not None:
        _visits()[page] = _now()
