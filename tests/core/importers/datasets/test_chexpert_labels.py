"""The CheXpert labeler's values, and what becomes of uncertain ones."""

from __future__ import annotations

import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.chexpert_labels import FINDINGS, OBSERVATIONS, findings_of
from radcbir_core.importers.rows.uncertain import POLICIES


def test_the_14_observations_of_the_paper() -> None:
    assert len(set(OBSERVATIONS)) == 14
    assert len(FINDINGS) == 12
    assert set(OBSERVATIONS) - set(FINDINGS) == {"No Finding", "Support Devices"}


@pytest.mark.parametrize(
    ("value", "findings"),
    [
        ("1", [["Edema"], ["Edema"], ["Edema"]]),
        (" 1.0 ", [["Edema"], ["Edema"], ["Edema"]]),
        ("-1", [[], ["Edema"], ["uncertain Edema"]]),
        ("-1.0", [[], ["Edema"], ["uncertain Edema"]]),
        ("0", [[], [], []]),
        ("0.0", [[], [], []]),
        ("", [[], [], []]),
    ],
)
def test_each_value_under_each_policy(value, findings) -> None:
    assert [findings_of({"Edema": value}, policy) for policy in POLICIES] == findings
    for policy in POLICIES:
        assert findings_of({"Support Devices": value}, policy) == [], "a device is no finding"


def test_no_finding_is_the_manifests_word() -> None:
    assert findings_of({"No Finding": "1.0"}, "positive") == ["normal"]
    assert findings_of({"No Finding": "-1.0"}, "own-label") == ["uncertain normal"]


def test_findings_come_in_the_order_of_the_labeler() -> None:
    assert findings_of(dict.fromkeys(reversed(OBSERVATIONS), "1"), "not-positive") == ["normal", *FINDINGS]


@pytest.mark.parametrize("name", ["Edema", "Support Devices"])
def test_another_value_is_refused_also_of_a_device(name) -> None:
    with pytest.raises(ManifestError, match=f"Expected 1, 0, -1 or nothing, but {name} = '2'. Correct the table"):
        findings_of({name: "2"}, "positive")
