"""Findings that a table is not sure of, -1 or U, and what becomes of them.

Owns the choice, which is the same for every table: Irvin et al., CheXpert, AAAI 2019, section 3, compare what can be
made of them.
"""

from __future__ import annotations

from typing import Literal, get_args

from radcbir_core.errors import ManifestError

Policy = Literal["not-positive", "positive", "own-label"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
"""What an uncertain observation becomes: nothing, as in Denner et al. and as a negative one; the finding; or a finding
of its own, "uncertain edema"."""

UNCERTAIN = frozenset({"-1", "-1.0", "u", "uncertain"})
"""How tables write it, in lower case."""


def policy_named(word: str) -> Policy:
    """The policy of that name; "not-positive" for "".

    Raises:
        ManifestError: There is none.
    """
    if word not in {"", *POLICIES}:
        raise ManifestError(f"Expected a policy of {', '.join(POLICIES)}, but uncertain = {word!r}. Choose one.")
    return next((policy for policy in POLICIES if policy == word), "not-positive")


def uncertain_finding(name: str, policy: Policy) -> list[str]:
    """The findings that an uncertain one becomes.

    Example:
        >>> [uncertain_finding("edema", policy) for policy in POLICIES]
        [[], ['edema'], ['uncertain edema']]
    """
    return {"not-positive": [], "positive": [name], "own-label": [f"uncertain {name}"]}[policy]


def policy_note(policy: Policy, *, kept: bool = True) -> str:
    """One sentence that says what was made of uncertain labels, and whether the source's columns are kept."""
    became = {"not-positive": "no label", "positive": "a positive one", "own-label": "labels of their own"}[policy]
    keep = "the columns of the source keep them" if kept else "which they were stands in the source alone"
    return f"Uncertain observations (-1) became {became} (uncertain = {policy}); {keep}."
