"""The 14 observations of the CheXpert labeler, which CheXpert and MIMIC-CXR share, and the policy for uncertain ones.

Owns their names, the meaning of their values (1 positive, 0 negative, -1 uncertain, empty not mentioned), and the
choice of what an uncertain one becomes. Source: Irvin et al., CheXpert, AAAI 2019, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.sources import Cell

Policy = Literal["not-positive", "positive", "own-label"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
"""What an uncertain observation becomes: nothing, as in Denner et al. and as a negative one; the finding; or a finding
of its own, "uncertain edema"."""

NO_FINDING = "No Finding"
SUPPORT_DEVICES = "Support Devices"
FINDINGS = (
    *("Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation"),
    *("Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture"),
)
OBSERVATIONS = (NO_FINDING, *FINDINGS, SUPPORT_DEVICES)

_VALUES = {"": "", "1": "1", "1.0": "1", "0": "0", "0.0": "0", "-1": "-1", "-1.0": "-1"}


def policy_named(word: str) -> Policy:
    """The policy of that name; "not-positive" for "".

    Raises:
        ManifestError: There is none.
    """
    if word not in {"", *POLICIES}:
        raise ManifestError(f"Expected a policy of {', '.join(POLICIES)}, but uncertain = {word!r}. Choose one.")
    return next((policy for policy in POLICIES if policy == word), "not-positive")


def findings_of(cells: Mapping[str, Cell], policy: Policy) -> list[str]:
    """The findings of a row, by the manifest's words. Support devices are no finding.

    Args:
        cells: Observation → its value; those that are missing are not mentioned.
        policy: What an uncertain one becomes.

    Raises:
        ManifestError: A value is none of 1, 0, -1 and empty.

    Example:
        >>> cells = {"Edema": "-1.0", "Fracture": "1.0", "No Finding": "", "Support Devices": "1.0"}
        >>> [findings_of(cells, policy) for policy in POLICIES]
        [['Fracture'], ['Edema', 'Fracture'], ['uncertain Edema', 'Fracture']]
    """
    findings = []
    for name in OBSERVATIONS:
        text = str(cells.get(name, "")).strip()
        value = _VALUES.get(text)
        if value is None:
            raise ManifestError(f"Expected 1, 0, -1 or nothing, but {name} = {text[:40]!r}. Correct the table.")
        if name == SUPPORT_DEVICES:
            continue
        word = "normal" if name == NO_FINDING else name
        if value == "1" or (value == "-1" and policy == "positive"):
            findings.append(word)
        elif value == "-1" and policy == "own-label":
            findings.append(f"uncertain {word}")
    return findings


def policy_note(policy: Policy) -> str:
    """One sentence that says what was made of uncertain labels."""
    became = {"not-positive": "no label", "positive": "a positive one", "own-label": "labels of their own"}[policy]
    return f"Uncertain observations (-1) became {became} (uncertain = {policy}); the columns of the source keep them."
