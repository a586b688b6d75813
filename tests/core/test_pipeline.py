"""A build: every artifact has its maker, and those that are current are left as they are."""

from __future__ import annotations

from radcbir_core.collections.artifacts import ARTIFACT_NAMES, EMBEDDINGS, EVALUATION
from radcbir_core.evaluation.reports.precision import Precision
from radcbir_core.pipeline import MAKERS


def test_each_artifact_has_a_maker() -> None:
    assert {EMBEDDINGS.name, *MAKERS} == set(ARTIFACT_NAMES), "embeddings need an encoder, or were imported"


def test_the_evaluation_of_a_build_is_stale_when_its_numbers_change() -> None:
    assert EVALUATION.recipe == Precision.recipe, "raise both: what was made before is shown as stale then"
