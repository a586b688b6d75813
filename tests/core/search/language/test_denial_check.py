"""What an encoder leaves out, on one that was made so that the answer is known."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.language.denial_check import AWAY, DenialCheck, away_from, denial_check
from radcbir_core.search.language.kept_figures import FILE, keep_figure
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions


class Finding:
    """Reads a finding as the mean of its images, "without" as "with", and any other sentence as the mean of all."""

    def __init__(self, collection, vectors):
        manifest = collection.manifest
        self.middle = vectors.mean(axis=0)
        self.of = {
            name: vectors[manifest.mask({"pathologies": [name]})].mean(axis=0) for name in ("effusion", "normal")
        }
        self.asked = []

    def encode_texts(self, texts):
        self.asked += texts
        named = [next((one for name, one in self.of.items() if name in text), self.middle) for text in texts]
        return np.stack(named).astype(np.float32)

    def truncated(self, texts):
        return [False] * len(texts)


@pytest.fixture
def made(small_text_data, mini, tmp_path, monkeypatch):
    # What other tests have measured with the random encoder is left behind.
    shutil.copytree(small_text_data, tmp_path / "data", ignore=shutil.ignore_patterns(FILE))
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    retriever = Retriever(open_collection("small"), "radcbir-mini")
    encoder = Finding(retriever.collection, directions(retriever.store))
    return replace(retriever.means, encoder=lambda: encoder), encoder


def test_it_is_measured_on_the_findings_that_are_labeled_and_kept(made) -> None:
    means, encoder = made
    check = denial_check(means)
    assert check is not None
    findings = {text.split(" with ")[1] for text in encoder.asked if " with " in text}
    assert check.findings == len(findings) >= 2
    assert "normal" not in findings
    number = len(encoder.asked)
    assert denial_check(means) == check
    assert len(encoder.asked) == number, "it was kept"
    assert check.word_for_word == check.asked, "this encoder reads a denial as if nothing were denied"


def test_shares_agree_with_counting(made, monkeypatch) -> None:
    """Of one finding, by a loop over the manifest."""
    means, encoder = made
    monkeypatch.setattr("radcbir_core.search.language.denial_check._findings", lambda _: ["effusion"])
    check = denial_check(means)
    assert check is not None
    collection, vectors = means.store.collection, directions(means.store)
    records = [collection.manifest.record(row) for row in range(len(collection))]
    labeled = [row for row, record in enumerate(records) if len(record["pathologies"])]

    def share(vector):
        first = sorted(labeled, key=lambda row: -float(vectors[row] @ vector))[:10]
        return np.mean(["effusion" in records[row]["pathologies"] for row in first])

    assert check.asked == pytest.approx(share(encoder.of["effusion"]))
    chest = [row for row in labeled if (records[row]["modality"], records[row]["anatomy"]) == ("XR", "chest")]
    assert check.usual == pytest.approx(np.mean(["effusion" in records[row]["pathologies"] for row in chest]))


def test_a_collection_without_labels_cannot_be_checked(made, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.search.language.denial_check._findings", lambda _: [])
    assert denial_check(made[0]) is None


@pytest.mark.parametrize(
    ("asked", "word_for_word", "left_out", "verdicts"),
    [
        (0.8, 0.05, 0.02, (True, True)),
        (0.8, 0.7, 0.02, (True, False)),
        (0.8, 0.7, 0.3, (False, False)),
        (0.15, 0.05, 0.02, (False, False)),  # what is not recognized cannot be left out
    ],
)
def test_the_verdict(asked, word_for_word, left_out, verdicts) -> None:
    check = DenialCheck(10, asked, word_for_word, left_out, 0.1)
    assert (check.tells_apart, check.word_for_word_tells_apart) == verdicts


def test_moving_away_lowers_the_cosine_and_keeps_the_length() -> None:
    vector, shows = np.float32([0.8, 0.6]), np.float32([0.6, 0.8])
    moved = away_from(vector, shows)
    assert np.linalg.norm(moved) == pytest.approx(1)
    assert moved @ shows < vector @ shows
    difference = (shows - vector) / np.linalg.norm(shows - vector)
    expected = vector - AWAY * difference
    assert moved == pytest.approx(expected / np.linalg.norm(expected))
    assert away_from(vector, vector) == pytest.approx(vector)


def test_what_is_said_of_a_denial_that_no_label_settles(made) -> None:
    means, _ = made
    lexicon = Lexicon.of(means.store.collection)

    def note(text, **choices):
        return SentenceQuery(read_sentence(text, lexicon, choices=choices)).embed(means).denial_note(means)

    assert note("chest without effusion") == ("", True)
    assert note("chest") == ("", True)
    keep_figure(means.store, "denials", [10, 0.8, 0.7, 0.02, 0.1])
    said, reliable = note("chest without goiter")
    assert reliable
    assert said.startswith("Checked on 10 findings that are labeled here")
    choices = {"without effusion": ""}
    query = SentenceQuery(read_sentence("chest without effusion", lexicon, choices=choices))
    said, reliable = query.embed(means).denial_note(means)
    assert not reliable
    assert said.startswith("This encoder cannot tell what is denied from what is asked for.")
