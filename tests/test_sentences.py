"""The sentences of radiologists in benchmarks/: that the file is what it says, and that the figures are right."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.sentences import (
    ANATOMIES,
    FILE,
    FINDINGS,
    HALVES,
    KINDS,
    NONSENSE,
    Found,
    LabelsHidden,
    Rows,
    Sentence,
    affirmed_table,
    denied_table,
    find,
    halves,
    interval,
    nearest,
    report,
    rows_of,
    sentences,
    ways_of,
)
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.importers.datasets import nih14
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.retriever import Retriever
from radcbir_core.synthetic.phantoms.patients import all_labels
from radcbir_core.vocabulary import MODALITIES, normal_pathology

EVERY = sentences()


def test_there_are_two_hundred_and_none_twice() -> None:
    assert len(EVERY) == 200
    assert len({" ".join(one.text.casefold().split()) for one in EVERY}) == 200
    assert all(one.text == " ".join(one.text.split()) for one in EVERY)
    assert {one.kind for one in EVERY} == set(KINDS)
    counts = Counter(one.kind for one in EVERY)
    assert counts.pop("examination") == 10
    assert all(25 <= number <= 35 for number in counts.values())


def test_the_half_of_a_sentence_follows_from_its_digest() -> None:
    for kind in KINDS:
        for denied in (False, True):
            group = [one for one in EVERY if one.kind == kind and one.denied == denied]
            assert {one.text: one.half for one in group} == halves(one.text for one in group)
        sizes = Counter(one.half for one in EVERY if one.kind == kind)
        assert abs(sizes[HALVES[0]] - sizes[HALVES[1]]) <= 2
    assert sentences("choosing") + sentences("figure") != EVERY
    assert sorted(one.text for half in HALVES for one in sentences(half)) == sorted(one.text for one in EVERY)


def test_what_a_sentence_names_is_in_the_words_of_labels() -> None:
    """Those of the phantoms, of the chest radiographs of the NIH, and one of lung ultrasound."""
    phantoms = {tuple(label.split("/")) for label in all_labels()}
    nih = {("XR", "chest", finding.casefold()) for finding in nih14.FINDINGS.values()}
    known = phantoms | nih | {("US", "lung", "COVID-19 pneumonia")}
    for one in EVERY:
        assert one.modality in {"", *MODALITIES}
        assert all(normal_pathology(finding) == finding for finding in one.findings)
        for finding in one.findings or (None,):
            assert any(
                one.modality in ("", modality) and one.anatomy in ("", anatomy) and finding in (None, name)
                for modality, anatomy, name in known
            ), one
    named = {(one.modality, one.anatomy, finding) for one in EVERY for finding in one.findings}
    assert known - named == set()


def test_the_columns_are_those_that_are_read() -> None:
    with FILE.open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    assert list(table[0]) == ["sentence", "kind", "modality", "anatomy", "finding", "denied", "half"]
    assert {row["denied"] for row in table} == {"true", "false"}
    for row in table:
        assert row["finding"] or row["kind"] == "examination"
        assert (row["kind"] == "negation") <= (row["denied"] == "true")
        assert (row["denied"] == "true") <= (row["kind"] in ("negation", "German"))
    assert not {name for names in FINDINGS.values() for name in names} & {f for one in EVERY for f in one.findings} - {
        "COVID-19 pneumonia"
    }
    assert set(ANATOMIES) <= {one.anatomy for one in EVERY}


def test_nonsense_is_none_of_the_sentences() -> None:
    assert len(set(NONSENSE)) == 30
    assert not set(NONSENSE) & {one.text for one in EVERY}
    assert Counter(halves(NONSENSE).values()) == {"choosing": 15, "figure": 15}


def an_image(modality, anatomy, *findings):
    return modality, anatomy, frozenset(findings)


IMAGES = [
    an_image("XR", "chest", "effusion"),
    an_image("XR", "chest", "pleural effusion", "nodule"),
    an_image("CT", "chest", "pleural effusion"),
    an_image("MR", "knee", "joint effusion"),
    an_image("XR", "chest", "normal"),
    an_image("XR", "chest"),
    an_image("US", "lung", "viral pneumonia"),
    an_image("XR", "knee", "osteoarthritis grade 1"),
    an_image("XR", "knee", "osteoarthritis grade 2"),
]


def rows_of_images(images, vectors=None, allowed=None) -> Rows:
    count = len(images)
    return Rows(
        modality=np.array([one[0] for one in images], dtype=object),
        anatomy=np.array([one[1] for one in images], dtype=object),
        findings=[one[2] for one in images],
        vectors=np.zeros((count, 2), dtype=np.float32) if vectors is None else vectors,
        allowed=np.ones(count, dtype=bool) if allowed is None else allowed,
    )


def asks(modality="", anatomy="", *findings, denied=False, kind="plain", half="choosing", text="asked") -> Sentence:
    return Sentence(text, kind, modality, anatomy, findings, denied, half)


@pytest.mark.parametrize(
    ("sentence", "fit", "of_kind"),
    [
        (asks("XR", "chest", "pleural effusion"), [0, 1], [0, 1, 4]),
        (asks("", "", "pleural effusion"), [0, 1, 2], [0, 1, 2, 3, 4, 6, 7, 8]),
        (asks("", "", "pleural effusion", "joint effusion"), [0, 1, 2, 3], [0, 1, 2, 3, 4, 6, 7, 8]),
        (asks("XR", "chest", "normal"), [4], [0, 1, 4]),
        (asks("XR", "chest"), [0, 1, 4, 5], [0, 1, 4, 5]),
        (asks("US", "chest", "pneumonia"), [6], [6]),
        (asks("US", "lung", "COVID-19 pneumonia"), [], [6]),
        (asks("XR", "knee", "osteoarthritis"), [8], [7, 8]),
    ],
)
def test_what_a_sentence_does_not_name_fits_everything_and_one_thing_has_several_names(sentence, fit, of_kind) -> None:
    rows = rows_of_images(IMAGES)
    assert np.flatnonzero(rows.fitting(sentence)).tolist() == fit
    assert np.flatnonzero(rows.of_kind(sentence)).tolist() == of_kind


def test_capitals_of_labels_mean_nothing_and_what_was_not_embedded_is_no_hit() -> None:
    frame = pd.DataFrame(
        {
            "modality": ["XR"] * 3 + ["US"],
            "anatomy": ["Chest", "chest", "chest", "Lung"],
            "pathologies": [["Pleural Effusion"], ["Normal"], ["effusion"], ["B-Lines"]],
        }
    )
    stand_in = SimpleNamespace(
        collection=SimpleNamespace(manifest=SimpleNamespace(frame=frame)),
        store=SimpleNamespace(valid=np.array([True, True, False, True])),
        embed=lambda query: SimpleNamespace(vectors=np.eye(4, dtype=np.float32)[list(query.rows)]),
    )
    rows = rows_of(stand_in)
    assert rows.fitting(asks("XR", "chest", "pleural effusion")).tolist() == [True, False, False, False]
    assert rows.fitting(asks("US", "lung", "B-lines")).tolist() == [False, False, False, True]
    assert rows.vectors.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_what_may_be_no_hit_fits_nothing() -> None:
    rows = rows_of_images(IMAGES, allowed=np.arange(len(IMAGES)) != 0)
    assert np.flatnonzero(rows.fitting(asks("XR", "chest", "pleural effusion"))).tolist() == [1]
    assert rows.gallery(asks("XR", "chest", "normal")).tolist() == [False, *[True] * 4, False, True, True, True]
    assert rows.gallery(asks("XR", "chest")).tolist() == [False, *[True] * 8]


def test_the_first_ten_are_those_of_a_loop_over_all() -> None:
    draw = np.random.default_rng(3)
    vectors = draw.normal(size=(40, 5)).astype(np.float32)
    words = draw.normal(size=5).astype(np.float32)
    among = draw.random(40) < 0.6
    products = {row: float(sum(a * b for a, b in zip(vectors[row], words, strict=True))) for row in range(40)}
    expected = sorted((row for row in range(40) if among[row]), key=lambda row: -products[row])[:10]
    assert nearest(vectors, words, among).tolist() == expected


def test_the_interval_is_that_of_all_draws() -> None:
    """Of two values there are four draws of two: means 0, ½, ½ and 1."""
    assert interval([0.0, 1.0]) == (0.0, 1.0)
    assert interval([0.3] * 5) == pytest.approx((0.3, 0.3))
    values = [0.0] * 50 + [1.0] * 50
    low, high = interval(values)
    # Binomial: 1.96 times √(.25 / 100) to either side, within what a hundredth can tell.
    assert (low, high) == pytest.approx((0.402, 0.598), abs=0.015)


def test_a_sentence_with_few_fitting_images_is_not_asked_and_missing_hits_are_no_hits() -> None:
    images = [an_image("CT", "head", "mass")] * 5 + [an_image("CT", "head", "normal")] * 15
    images += [an_image("MR", "brain", "glioma")] * 4
    rows = rows_of_images(images)
    ways = {
        "alone": lambda _, among: np.flatnonzero(among)[:10],
        "read": lambda _, among: np.flatnonzero(among)[2:6],
        "hidden": lambda _, among: np.flatnonzero(among)[-10:],
    }
    mass, glioma = asks("CT", "head", "mass"), asks("MR", "brain", "glioma")
    found = list(find([mass, glioma, replace(mass, denied=True)], rows, ways, lambda text: text == "asked"))
    assert [one.sentence for one in found] == [mass, replace(mass, denied=True)]
    assert found[0].shares == {"alone": 0.5, "read": 0.3}
    allowed = np.arange(len(images)) < 9  # four that show no mass
    of_few = replace(rows, allowed=allowed)
    assert [one.sentence for one in find([mass, replace(mass, denied=True)], of_few, ways, bool)] == [mass]
    assert found[1].shares == {"alone": 0.5, "read": 0.3, "hidden": 0.0}
    # CT of the head: 20 images, 5 of them a mass; of the last ten, four are of the brain in MR, which is no CT.
    assert found[1].of_kind == {"alone": 1.0, "read": 0.4, "hidden": 0.6}
    assert [(one.fitting, one.usual, one.no_better) for one in found] == [(5, 0.25, True)] * 2


def found_one(kind, alone, read, *, hidden=None, usual=0.2, denied=False, half="choosing", no_better=False) -> Found:
    shares = {"alone": alone, "read": read, **({} if hidden is None else {"hidden": hidden})}
    sentence = asks("XR", "chest", "nodule", denied=denied, kind=kind, half=half, text=f"{kind} {half} {alone}")
    return Found(sentence, 9, usual, shares, dict.fromkeys(shares, 0.9), no_better)


def test_the_tables_have_means_zeros_and_differences() -> None:
    found = [
        found_one("plain", 0.2, 0.4),
        found_one("plain", 0.0, 0.0, no_better=True),
        found_one("German", 0.0, 0.9),
    ]
    lines = affirmed_table(found)
    plain = [cell.strip() for cell in lines[2].strip("|").split("|")]
    assert plain[:3] == ["plain", "2", "0.200"]
    assert plain[3].startswith("0.100 (0.000 to 0.200)")
    assert plain[4] == "1"
    assert plain[5].startswith("0.200 (0.000 to 0.400)")
    assert plain[6:] == ["1", "+0.100 (+0.000 to +0.200)", "1"]
    assert lines[3].startswith("| German | 1 | 0.200 | 0.000 (0.000 to 0.000) | 1 | 0.900 (0.900 to 0.900) | 0 |")
    assert lines[4].startswith("| all that name a finding | 3 | 0.200 | 0.067")
    denials = [
        found_one("negation", 0.3, 0.0, hidden=0.1, denied=True),
        found_one("negation", 0.2, 0.0, hidden=0.4, denied=True),
    ]
    lines = denied_table(denials)
    assert lines[2] == "| negation | encoder alone | 2 | 0.200 | 0.250 (0.200 to 0.300) | 0 of 2 | 0.900 |"
    assert lines[3] == "| negation | as it is read | 2 | 0.200 | 0.000 (0.000 to 0.000) | 2 of 2 | 0.900 |"
    assert lines[4].endswith("| 0.250 (0.100 to 0.400) | 1 of 2 | 0.900 |")


def test_sentences_at_zero_are_named_of_the_half_to_choose_by_alone() -> None:
    said = "\n".join(
        report(
            [
                found_one("plain", 0.7, 0.0),
                found_one("plain", 0.6, 0.0, half="figure"),
                found_one("plain", 0.0, 0.5),
                found_one("negation", 0.4, 0.0, hidden=0.1, denied=True),
            ]
        )
    )
    assert "- plain: plain choosing 0.7" in said
    assert said.count("\n- ") == 1


@pytest.fixture
def retriever(small_text_data, mini, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    encoder = load_encoder("radcbir-mini", device="cpu")
    return Retriever(open_collection("small"), "radcbir-mini", encoder=lambda: encoder)


def test_denials_leave_out_by_labels_only_where_these_are_not_hidden(retriever) -> None:
    rows = rows_of(retriever)
    denial = asks("XR", "chest", "pleural effusion", denied=True, text="chest radiograph without effusion")
    shows = rows.fitting(denial)
    records = [retriever.collection.manifest.record(row) for row in range(len(shows))]
    assert shows.tolist() == [record["modality"] == "XR" and "effusion" in record["pathologies"] for record in records]
    assert shows.any()
    ways = ways_of(retriever, rows)
    assert not shows[ways["read"](denial.text, shows)].any()
    assert len(ways["read"](denial.text, shows)) == 0
    assert shows[ways["hidden"](denial.text, shows)].all()
    hidden = LabelsHidden(read_sentence(denial.text, Lexicon.of(retriever.collection)))
    assert [(one.finding, one.labels) for one in hidden.left_out(retriever.collection, Lexicon())] == [("effusion", ())]


def test_the_encoder_alone_is_asked_word_for_word(retriever) -> None:
    rows = rows_of(retriever)
    text = "CXR with PTX"
    similarities = rows.vectors @ retriever.means.encoder().encode_texts([text])[0]
    among = rows.gallery(asks("XR", "chest", "pneumothorax"))
    got = ways_of(retriever, rows)["alone"](text, among)
    assert not rows.labeled.all()
    assert among[got].all()
    assert similarities[got].tolist() == sorted(similarities[among].tolist(), reverse=True)[:10]
