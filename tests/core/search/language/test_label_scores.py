"""Labels by text, beside those of neighbors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError
from radcbir_core.search.language.label_scores import LabelSentences, label_scores, label_sentences
from radcbir_core.search.language.label_sentences import label_sentence
from radcbir_core.search.retriever import Retriever

LABELS = tuple(f"XR/chest/{name}" for name in "abcdefgh")


@pytest.fixture
def small(small_text_data, mini, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    return open_collection("small")


def test_the_most_frequent_labels_are_embedded(small) -> None:
    means = Retriever(small, "radcbir-mini", encoder=lambda: load_encoder("radcbir-mini", device="cpu")).means
    made = label_sentences(means, most=3)
    counts = small.manifest.labels("label").counts()
    assert made.labels == tuple(list(counts)[:3])
    expected = means.encoder().encode_texts([label_sentence(*label.split("/", 2)) for label in made.labels])
    assert np.allclose(made.vectors, expected, atol=1e-6)


def test_an_encoder_without_a_text_tower_has_none(small) -> None:
    with pytest.raises(EncoderError, match="text tower"):
        label_sentences(Retriever(small, "pixels").means)


def test_the_nearest_and_those_of_neighbors_are_shown_in_order() -> None:
    cosines = np.float32([0.1, 0.8, 0.3, 0.2, 0.7, 0.6, 0.5, 0.4])
    made = LabelSentences(LABELS, np.outer(cosines, [1, 0]).astype(np.float32))
    neighbors = ["XR/chest/a", "XR/chest/b", "XR/chest/a", "", "US/liver/cyst"]
    scores = label_scores(made, np.float32([1, 0]), neighbors, most=2)
    assert [(one.label[-1], one.rank, one.neighbors) for one in scores] == [("b", 1, 1), ("e", 2, 0), ("a", 8, 2)]
    scores = label_scores(made, np.float32([1, 0]), neighbors, most=3)
    assert (scores[-1].label, scores[-1].rank, scores[-1].neighbors) == ("US/liver/cyst", 0, 1)
    assert math.isnan(scores[-1].cosine)
    assert scores[0].cosine == pytest.approx(0.8)


def test_without_labels_there_is_nothing() -> None:
    assert label_scores(LabelSentences((), np.empty((0, 2), dtype=np.float32)), np.float32([1, 0]), [""]) == []
