"""The controls of a protocol: what has to agree, how many hits count, which queries, and what they may not return.

Owns these widgets and their URL parameters (``level``, ``k``, ``protocol``, ``exclude``, ``divisor``,
``empty``, ``seen``), and what is said where a collection lacks what a protocol needs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from pages.parts.frame import loaders, shell, state
from pages.parts.frame.shell import Opened
from pages.parts.frame.text import EXCLUSION_NAMES, literal
from radcbir_core.collections.groups import NEAR_DUPLICATE
from radcbir_core.collections.manifests.manifest import LEVELS, Level
from radcbir_core.evaluation import FIXED, KS, PROTOCOLS, Protocol
from radcbir_core.evaluation.metrics.precision_at_k import DIVISORS, EMPTY_RULES
from radcbir_core.evaluation.protocol import SEEN_RULES, SeenRule

LEVEL_NAMES: Final[dict[Level, str]] = {"modality": "Modality", "anatomy": "Anatomy", "label": "Full label"}


@dataclass(frozen=True)
class Chosen:
    """What the controls say.

    Attributes:
        level: What has to agree for a hit to be relevant.
        k: Of P@k.
        protocol: Which queries and gallery.
    """

    level: Level
    k: int
    protocol: Protocol

    @property
    def level_name(self) -> str:
        """The level in words."""
        return LEVEL_NAMES[self.level].lower()


def choose_level(bar: Any, *, what: str = "") -> Level:
    """Draw the choice of a level into a row of controls; the level chosen.

    Args:
        bar: The row.
        what: What the level is for, a sentence.
    """
    chosen = state.choice(
        bar.segmented_control,
        "Level",
        list(LEVELS),
        name="level",
        default="label",
        clears=["label", "page"],
        format_func=LEVEL_NAMES.get,
        help=f"{what} The full label is modality/anatomy/pathology, of images with exactly one pathology.".strip(),
    )
    return next(x for x in LEVELS if x == chosen)


def choose(
    opened: Opened,
    *,
    hidden: Collection[str] = (),
    clears: Sequence[str] = (),
    fixed_ks: Sequence[int] = KS,
) -> Chosen:
    """Draw the controls in one line.

    A fixed protocol, as the paper's, has no choices but k: its other controls are left out, and what is fixed is said.

    Args:
        opened: The open collection.
        hidden: URL parameters whose controls would change nothing now; what they say still holds, and is kept.
        clears: URL parameters that mean nothing under other choices.
        fixed_ks: The k's that are offered under a fixed protocol; none, where such are not offered.
    """
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="radcbir-controls")
    offered_protocols = [*PROTOCOLS, *(FIXED if fixed_ks else [])]
    asked_protocol = state.get("protocol")
    fixed = FIXED.get(str(asked_protocol)) if asked_protocol in offered_protocols else None
    ks = [str(value) for value in (fixed_ks if fixed else KS)]

    def one(label: str, options: Sequence[str], *, name: str, default: str, **arguments: Any) -> str:
        if name in hidden:
            asked = state.get(name)
            return asked if asked is not None and asked in options else default
        return state.choice(controls.segmented_control, label, options, name=name, default=default, **arguments)

    level = "label"
    if not fixed:
        level = one(
            "Level",
            list(LEVELS),
            name="level",
            default="label",
            clears=["label", *clears],
            format_func=LEVEL_NAMES.get,
            help="What has to agree for a hit to count. The full label is modality/anatomy/pathology, and is given to "
            "images with exactly one pathology.",
        )
    chosen = one("k", ks, name="k", default=str(state.DEFAULT_K), clears=clears)
    # What only one of the protocols knows goes when another is chosen.
    gone = ["label", *clears, *(["k"] if chosen not in {str(value) for value in KS} else [])]
    name = one(
        "Protocol",
        offered_protocols,
        name="protocol",
        default=PROTOCOLS[0],
        clears=gone if fixed else clears,
        format_func=lambda word: FIXED[word].title.split(":")[0] if word in FIXED else word,
        help="Leave-one-out: every image is a query against all others. Split: the queries are the images of split "
        "test, and the hits come from split train. The paper's: the same, evaluated in every detail as by Denner et "
        "al.",
    )
    if fixed:
        controls.html(f'<p class="radcbir-fixed">{_FIXED}</p>')
        return Chosen(fixed.levels[0], int(chosen), fixed)
    offered = loaders.offered_exclusions(opened.collection, opened.encoder_id, always=("duplicate", "patient"))
    store = loaders.store(opened.collection, opened.encoder_id)
    exclude: Sequence[str] = Protocol.of(name).suited(store).exclude
    if "exclude" not in hidden:
        exclude = state.choices(
            controls.pills,
            "Leave out the query's",
            offered,
            name="exclude",
            default=exclude,
            selection_mode="multi",
            format_func=EXCLUSION_NAMES.get,
            help="The query image itself is always left out.",
        )
    elif st.query_params.get_all("exclude"):
        exclude = [x for x in state.get_all("exclude") if x in offered]
    divisor = one(
        "Divided by",
        list(DIVISORS),
        name="divisor",
        default=DIVISORS[0],
        format_func={"k": "k", "available": "available"}.get,
        help="k: relevant hits ÷ k. Available: relevant hits ÷ min(k, relevant images that there are), as in the "
        "paper of Denner et al.",
    )
    empty = one(
        "Nothing to find",
        list(EMPTY_RULES),
        name="empty",
        default=EMPTY_RULES[0],
        format_func={"skip": "left out", "zero": "counts 0"}.get,
        help="Queries for which the gallery has no relevant image that they may be given: no encoder could answer "
        "them. Left out, they are in no mean; or they count 0.",
    )
    seen = choose_seen(opened, controls) if "seen" not in hidden else kept_seen()
    protocol = Protocol.of(name, exclude=exclude, divisor=divisor, empty=empty, seen=seen)
    return Chosen(next(x for x in LEVELS if x == level), int(chosen), protocol)


def choose_seen(opened: Opened, bar: Any, *, clears: Sequence[str] = ()) -> SeenRule:
    """Draw the choice of what becomes of queries that an encoder has seen in training, where one has seen any.

    Args:
        opened: The open collection.
        bar: The row of controls.
        clears: URL parameters that mean nothing under another choice.
    """
    if not any(loaders.seen(opened.collection, name).number for name in encoders_shown(opened)):
        return kept_seen()
    chosen = state.choice(
        bar.segmented_control,
        "Seen in training",
        list(SEEN_RULES),
        name="seen",
        default=SEEN_RULES[0],
        clears=["page", *clears],
        format_func={"skip": "left out", "count": "count"}.get,
        help="Queries that the encoder was trained on: of these a figure says how well it remembers, and not what it "
        "would find in images that it has never seen. They stay in the gallery in any case.",
    )
    return next(rule for rule in SEEN_RULES if rule == chosen)


def kept_seen() -> SeenRule:
    """What the URL says of queries that were seen in training, where nothing would change by it."""
    asked = state.get("seen")
    return next((rule for rule in SEEN_RULES if rule == asked), SEEN_RULES[0])


def encoders_shown(opened: Opened) -> list[str]:
    """The open encoder, and the one that it is compared with, where there is one."""
    versus = state.get("versus")
    return [opened.encoder_id, *([versus] if versus in opened.collection.encoder_ids() else [])]


def can_run(opened: Opened, protocol: Protocol) -> bool:
    """Whether the collection has the two sides that a protocol needs; else says what to do."""
    if not protocol.split:
        return True
    splits = loaders.facts(opened.collection).splits
    if {"train", "test"} <= set(splits):
        return True
    name = protocol.title.split(":")[0] if protocol.fixed else f"the {protocol.name}"
    say_no_split(opened, f"{name[0].upper()}{name[1:]} protocol")
    return False


def say_no_split(opened: Opened, what: str, *, instead: str = "Choose leave-one-out above, or fill") -> None:
    """Say that something needs a split into train and test that the collection has not, and what would change that.

    Args:
        opened: The open collection.
        what: Needs it, with its article.
        instead: What to do, up to the column that is to be filled.
    """
    splits = loaders.facts(opened.collection).splits
    there = ", ".join(f"{count:,} of {name}" for name, count in splits.items()) or "no split at all"
    shell.say_command(
        f"{what} needs images of split train and of split test, but this collection has {literal(there)}. "
        f"{instead} its column `split` by a table that names images by image_id. What was computed of the images "
        "stays.",
        *("relabel", opened.collection.name, "TABLE.csv"),
    )


def leaks(opened: Opened, protocol: Protocol) -> list[str]:
    """What was chosen that makes figures too favorable, a sentence each; mostly nothing."""
    if protocol.split or "patient" in protocol.exclude:
        return []
    if "patient" not in loaders.facts(opened.collection).known_groups:
        if NEAR_DUPLICATE in protocol.exclude:
            return []
        return [
            "No patient is known, and other files of the query's picture are not left out: figures are too favorable."
        ]
    return ["Images of the query's own patient are not left out: they look alike, and figures are too favorable."]


def has_labels(opened: Opened, level: Level) -> bool:
    """Whether any image that the encoder could embed has a label at a level; else says what to do."""
    store = loaders.store(opened.collection, opened.encoder_id)
    if ((opened.collection.manifest.labels(level).codes >= 0) & store.valid).any():
        return True
    say_no_labels(opened, level)
    return False


def say_no_labels(opened: Opened, level: Level) -> None:
    """Say that nothing can be evaluated at a level, and what would change that."""
    what = "full label" if level == "label" else level
    if (opened.collection.manifest.labels(level).codes >= 0).any():
        st.info(
            f"No query of **{literal(opened.collection.name)}** has anything to find: none with a known {what} could "
            "be given another image of the same. Choose another level or protocol, leave out less, or add images.",
            icon=":material/info:",
        )
        return
    needs = {
        "modality": "a column `modality`",
        "anatomy": "a column `anatomy`",
        "label": "the columns `modality`, `anatomy` and `pathology`, with one pathology an image",
    }[level]
    shell.say_command(
        f"No query of **{literal(opened.collection.name)}** has a known {what}, so there is no P@k at this level. "
        f"Choose another level, or fill {needs} by a table that names images by image_id. What was computed of the "
        "images stays.",
        *("relabel", opened.collection.name, "TABLE.csv"),
    )


_FIXED: Final = (
    "Fixed by the paper: full labels of images with one pathology, gallery train, queries test, nothing left out, "
    "exact search, divided by min(k, available)."
)
