"""The 14 observations of the CheXpert labeler, which CheXpert and MIMIC-CXR share.

Owns their names and the meaning of their values (1 positive, 0 negative, -1 uncertain, empty not mentioned). What an
uncertain one becomes is rows/uncertain.py's. Source: Irvin et al., CheXpert, AAAI 2019, sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping

from radcbir_core.errors import ManifestError
from radcbir_core.importers.rows.sources import Cell
from radcbir_core.importers.rows.uncertain import Policy

NO_FINDING = "No Finding"
SUPPORT_DEVICES = "Support Devices"
FINDINGS = (
    *("Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema", "Consolidation"),
    *("Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture"),
)
OBSERVATIONS = (NO_FINDING, *FINDINGS, SUPPORT_DEVICES)

_VALUES = {"": "", "1": "1", "1.0": "1", "0": "0", "0.0": "0", "-1": "-1", "-1.0": "-1"}


def findings_of(cells: Mapping[str, Cell], policy: Policy) -> list[str]:
    """The findings of a row, by the manifest's words. Support devices are no finding.

    Args:
        cells: Observation → its value; those that are missing are not mentioned.
        policy: What an uncertain one becomes.

    Raises:
        ManifestError: A value is none of 1, 0, -1 and empty.

    Example:
        >>> from radcbir_core.importers.rows.uncertain import POLICIES
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
