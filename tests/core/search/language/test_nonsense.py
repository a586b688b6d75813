"""What nonsense is worth, on a collection and an encoder made so that the answer is known."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.language import nonsense as module
from radcbir_core.search.language.kept_figures import FILE
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.nonsense import (
    EACH,
    LENGTHS,
    Reach,
    Standing,
    distinctions,
    nonsense,
    reach_of,
    standing_of,
)
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions


class Knowing:
    """Reads "effusion" as the direction of one image, and all else as a direction of no image."""

    encoder_id = "knowing"

    def truncated(self, texts):
        return [False] * len(texts)

    def __init__(self, vectors):
        self.image, self.rest = vectors[0], np.random.default_rng(0).normal(size=(1, vectors.shape[1]))
        self.asked = 0

    def encode_texts(self, texts):
        self.asked += len(texts)
        noise = np.random.default_rng(len(texts)).normal(size=(len(texts), len(self.image))) / 50
        # A little noise, so that nonsense has a spread.
        return np.stack([self.image if "effusion" in text else self.rest[0] for text in texts]) + noise


@pytest.fixture
def made(small_text_data, mini, tmp_path, monkeypatch):
    # What other tests have measured with the random encoder is left behind.
    shutil.copytree(small_text_data, tmp_path / "data", ignore=shutil.ignore_patterns(FILE))
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    retriever = Retriever(open_collection("small"), "radcbir-mini")
    encoder = Knowing(directions(retriever.store))
    return replace(retriever.means, encoder=lambda: encoder), encoder


def test_a_sentence_that_means_something_is_told_from_nonsense(made) -> None:
    means, _ = made
    lexicon = Lexicon(["effusion"])

    def standing(text):
        return standing_of(SentenceQuery(read_sentence(text, lexicon)).embed(means), means)

    assert not standing("pleural effusion").is_no_better
    assert standing("asdf qwer").is_no_better
    assert standing("of the with").known == 0
    assert standing("no effusion").known == 1, "what was asked for instead was chosen here"


def test_what_nonsense_does_is_measured_once(made) -> None:
    means, encoder = made
    first = reach_of(means, words=2)
    asked = encoder.asked
    assert asked == 3 * EACH
    assert reach_of(means, words=3) == first
    assert encoder.asked == asked, "it was kept"
    assert reach_of(means, words=40).lengths == LENGTHS[-1]
    assert list(first.reached) == sorted(first.reached)


def test_the_distinction_is_the_first_ten_less_the_mean(made) -> None:
    means, _ = made
    vectors = directions(means.store)
    text = means.encoder().encode_texts(["one"])[0]
    cosines = vectors @ (text / np.linalg.norm(text))
    expected = np.sort(cosines)[::-1][:10].mean() - cosines.mean()
    assert distinctions(means, ["one"])[0] == pytest.approx(expected, abs=1e-4)


def test_shares_count_the_sentence_itself() -> None:
    reach = Reach((1, 1), (0.1, 0.2, 0.2, 0.3))
    assert reach.share_as_far(0.2) == pytest.approx(4 / 5)
    assert reach.share_as_far(0.9) == pytest.approx(1 / 5)
    assert reach.share_as_far(0.0) == 1


@pytest.mark.parametrize(
    ("share", "known", "no_better"),
    [(0.04, 0.0, False), (0.06, 0.0, True), (0.06, 1.0, False), (0.49, 0.5, False), (0.51, 1.0, True)],
)
def test_the_verdict_asks_more_of_unknown_words(share, known, no_better) -> None:
    assert Standing(0.1, Reach((1, 1), (0.1,)), share, known).is_no_better is no_better


@pytest.mark.parametrize("lengths", LENGTHS)
def test_nonsense_has_the_length_and_is_the_same_each_time(lengths) -> None:
    made = nonsense(lengths)
    assert len(made) == len(set(made)) == 3 * module.EACH
    assert made == nonsense(lengths)
    assert made != nonsense(lengths, seed=1)
    assert all(lengths[0] <= len(sentence.split()) <= lengths[1] for sentence in made)
    lexicon = Lexicon()
    known = [word for sentence in made for word in sentence.split() if lexicon.knows(word)]
    assert len(known) <= 0.05 * sum(len(sentence.split()) for sentence in made)
