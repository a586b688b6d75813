"""What is said in training is true, and varied."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.synthetic.mini import sentences
from radcbir_core.synthetic.mini.sentences import Claim, anatomy_of, findings_of, names_of, sentence
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentences, "_SHARE_SLIPS", 0)  # these are tested apart
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
    for claimed, table, name in (
        (claim.modality, words.MODALITIES, modality),
        (claim.anatomy, words.ANATOMIES, anatomy),
    ):
        assert not claimed or any(word.casefold() in said for word in ways(table, name)), (text, name)


def ways(table, name):
    """All that the name may be called."""
    own = words.of(table, name)
    forms = ("term", "abbreviation", "synonym", "lay", "german")
    return [*own, *names_of(name, forms), *names_of(own[0], forms)]


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


def test_the_glossary_is_spoken_in_both_languages() -> None:
    generator = np.random.default_rng(1)
    said = " | ".join(
        sentence(generator, modality="XR", anatomy="chest", pathologies=["pneumothorax"], absent=["nodule"])[0]
        for _ in range(3000)
    )
    for word in ("PTX", "Pneu", "Röntgen", "kein ", "collapsed lung", "-year-old", "portable"):
        assert word in said, word


def test_a_slip_changes_one_word_by_one_letter() -> None:
    text = "chest radiograph with pneumothorax"
    for seed in range(60):
        slipped = sentences._slip(np.random.default_rng(seed), text)
        pairs = [(a, b) for a, b in zip(text.split(), slipped.split(), strict=True) if a != b]
        assert len(pairs) <= 1
        for before, after in pairs:
            assert abs(len(before) - len(after)) <= 1
            assert sorted(before) == sorted(after) or len(before) != len(after)
    assert sentences._slip(np.random.default_rng(0), "CT head") == "CT head", "short words are left alone"


def test_what_is_denied_beside_a_finding_is_not_claimed() -> None:
    generator = np.random.default_rng(2)
    both = [
        (text, claim)
        for text, claim in (
            sentence(generator, modality="CT", anatomy="head", pathologies=["infarct"], absent=["glioma"])
            for _ in range(3000)
        )
        if claim.finding == "infarct" and "gliom" in text.casefold()
    ]
    assert both
    assert not any(claim.negated for _, claim in both)
