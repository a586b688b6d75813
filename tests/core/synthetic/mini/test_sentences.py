"""What is said in training is true, and varied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.synthetic.mini.sentences import Claim, anatomy_of, findings_of, sentence
from radcbir_core.synthetic.phantoms import words
from radcbir_core.vocabulary import NORMAL

MODALITIES = st.sampled_from(["", *words.MODALITIES])
ANATOMIES = st.sampled_from(["", *words.ANATOMIES, "elbow"])
FINDINGS = st.lists(st.sampled_from([NORMAL, *words.FINDINGS, "a finding without synonyms"]), max_size=3, unique=True)


@given(
    st.integers(0, 2**32), MODALITIES, ANATOMIES, FINDINGS, st.lists(st.sampled_from(["nodule", "mass"]), max_size=2)
)
def test_every_claim_is_true_of_its_image(seed, modality, anatomy, pathologies, absent) -> None:
    absent = [name for name in absent if name not in pathologies]
    text, claim = sentence(
        np.random.default_rng(seed), modality=modality, anatomy=anatomy, pathologies=pathologies, absent=absent
    )
    assert claim.modality in (None, modality)
    assert claim.anatomy in (None, anatomy_of(anatomy))
    if claim.finding is not None:
        assert (claim.finding in findings_of(pathologies)) != claim.negated
    if modality or anatomy or pathologies:
        assert text
        assert text == " ".join(text.split())
        assert claim != Claim()
    said = text.casefold()
    if claim.modality:
        assert any(word.casefold() in said for word in words.of(words.MODALITIES, modality))
    if claim.anatomy:
        assert any(word.casefold() in said for word in words.of(words.ANATOMIES, anatomy))


def test_sentences_vary() -> None:
    generator = np.random.default_rng(0)
    said = [
        sentence(generator, modality="CT", anatomy="head", pathologies=["hemorrhage"], absent=["mass"])
        for _ in range(400)
    ]
    assert len({text for text, _ in said}) > 300
    claims = {claim for _, claim in said}
    assert any(claim.negated for claim in claims)
    assert Claim(modality="CT", anatomy="brain", finding="hemorrhage") in claims
    assert Claim(modality="CT", anatomy="brain") in claims
    assert Claim(finding="hemorrhage") in claims


@pytest.mark.parametrize(
    ("pathologies", "expected"),
    [
        ([], set()),
        (["effusion"], {"pleural effusion"}),
        (["bacterial pneumonia"], {"bacterial pneumonia", "pneumonia"}),
    ],
)
def test_what_findings_mean(pathologies, expected) -> None:
    assert findings_of(pathologies) == expected
