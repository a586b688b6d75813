"""An explanation in words: numbers, places and verdicts as they are."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from radcbir_core.encoders import load_encoder
from radcbir_core.explanation.explaining import explain_pair
from radcbir_core.explanation.explanation_words import as_record, check_said, method_said, place_said, verdict_said
from radcbir_core.explanation.hiding_check import Check
from tests.core.explanation.made_encoders import Bright, Constant, Patches, sharing_one_place


def test_how_it_was_made() -> None:
    images = sharing_one_place()
    said = method_said(explain_pair(load_encoder("pixels"), *images))
    assert said.startswith("Occlusion: squares of 4 × 4 of the 32 × 32 pixels that the encoder gets, 2 apart, were ")
    assert "tried first" not in said
    assert "8 × 8 patches" in method_said(explain_pair(Patches(), *images, method="patches"))
    assert method_said(explain_pair(Bright(), *images)).endswith(
        "Patch similarity was tried first, and did not pass its checks on both images."
    )


def test_where_it_points() -> None:
    made = explain_pair(load_encoder("pixels"), *sharing_one_place())
    said = place_said(made.sides[0])
    assert said.startswith(f"highlighted {made.sides[0].area.mean():.0%} of the image, around its upper right (")
    nothing = replace(made.sides[0], area=np.zeros((32, 32), dtype=bool))
    assert place_said(nothing) == "nothing is highlighted"
    middle = nothing.area.copy()
    middle[15:17, 15:17] = True
    assert "around its center (50% from the left, 50% from the top)" in place_said(
        replace(nothing, area=middle, box=(0, 0, 64, 90), image=(64, 90))
    )


def test_what_was_found() -> None:
    check = Check(-0.0001, np.array([0.1, 0.3, -0.1]), 0.1, "mean")
    assert check_said(check) == (
        "Replaced by the mean shade, it takes 0.000 from the similarity; 3 areas of the same size and shape elsewhere "
        "take 0.100 in the median (-0.100 to 0.300): more than 1 of 3."
    )
    assert "nothing is highlighted" in check_said(Check(float("nan"), np.zeros(0), 0, "mean"))


def test_verdicts_are_said() -> None:
    made = explain_pair(load_encoder("pixels"), *sharing_one_place())
    passed = made.sides[0]
    failed = replace(passed, checks=tuple(replace(check, drop=-1.0) for check in passed.checks))
    assert verdict_said(passed, "query") == (
        "The map of the query explains the similarity, in whatever way it is hidden."
    )
    assert verdict_said(failed, "hit") == "The map of the hit does not explain this similarity."
    half = replace(passed, checks=(passed.checks[0], failed.checks[1]))
    assert verdict_said(half, "hit") == "The map of the hit explains the similarity in one way of hiding only."
    nothing = explain_pair(Constant(), *sharing_one_place()).sides[0]
    assert verdict_said(nothing, "hit").startswith("For the hit, the check cannot tell")


def test_the_figures_as_a_record() -> None:
    made = explain_pair(load_encoder("pixels"), *sharing_one_place())
    record = json.loads(json.dumps(as_record(made), allow_nan=False))
    assert record["method"] == "occlusion"
    query = record["query"]
    rows, columns = np.nonzero(made.sides[0].area)
    assert query["highlighted"] == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert [check["drop"] for check in query["checks"]] == [check.drop for check in made.sides[0].checks]
    assert len(query["checks"][0]["elsewhere"]) == 99
    empty = json.loads(json.dumps(as_record(explain_pair(Constant(), *sharing_one_place())), allow_nan=False))
    assert (empty["hit"]["highlighted"], empty["hit"]["checks"][0]["drop"]) == (None, None)
