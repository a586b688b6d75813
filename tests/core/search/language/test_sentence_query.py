"""A sentence that was read as a query: its vectors, what it leaves out, and what it says of that."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError, QueryError
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.phrasing_spread import phrasing_spread
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.queries.query import Query, TextQuery
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions


@pytest.fixture
def small(small_text_data, mini, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    return open_collection("small")


@pytest.fixture(scope="module")
def encoder(tiny_root):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("radcbir_core.encoders.registry.ROOT", tiny_root)
        return load_encoder("radcbir-mini", device="cpu")


@pytest.fixture
def ask(small, encoder):
    retriever = Retriever(small, "radcbir-mini", encoder=lambda: encoder)

    def search(text, *, several=False, choices=None, **options):
        query = SentenceQuery(read_sentence(text, Lexicon.of(small), choices=choices), several)
        return retriever.search(query, **options)

    search.retriever = retriever
    return search


def test_a_plain_sentence_is_searched_with_as_it_stands(ask) -> None:
    text = "CT of the abdomen with a cyst"
    answer, plain = ask(text), ask.retriever.search(TextQuery(text))
    assert answer.rows().tolist() == plain.rows().tolist()
    assert answer.notes == ()
    assert answer.measure == "text_similarity"
    assert isinstance(answer.query.query, Query)


def test_an_abbreviation_is_searched_with_as_what_it_means(ask) -> None:
    expected = ask.retriever.search(TextQuery("chest radiograph with pneumothorax")).rows().tolist()
    assert ask("CXR with PTX").rows().tolist() == expected
    word_for_word = ask("CXR with PTX", choices={"CXR": "", "PTX": ""})
    assert word_for_word.rows().tolist() == ask.retriever.search(TextQuery("CXR with PTX")).rows().tolist()


def test_what_is_denied_is_no_hit_where_labels_say_so(small, ask) -> None:
    """Compared with a loop over the manifest."""
    answer = ask("chest radiograph without effusion", k=100)
    labeled = {row for row in range(len(small)) if "effusion" in small.manifest.record(row)["pathologies"]}
    assert labeled
    assert set(answer.rows().tolist()) == set(range(len(small))) - labeled
    assert answer.notes[0].startswith(f"Without effusion: left out are {len(labeled)} images labeled effusion.")
    unlabeled = sum(not small.manifest.record(row)["pathologies"] for row in range(len(small)))
    assert f"{unlabeled} images without a label may still show it" in answer.notes[0]
    assert labeled & set(ask("chest radiograph with effusion", k=100).rows().tolist())


def test_a_filter_holds_beside_it(small, ask) -> None:
    rows = ask("no effusion", k=100, where={"split": ["train"]}).rows().tolist()
    assert rows
    for row in rows:
        record = small.manifest.record(row)
        assert record["split"] == "train"
        assert "effusion" not in record["pathologies"]


def test_a_sentence_that_only_denies_asks_for_the_kind_of_image(ask) -> None:
    answer = ask("no effusion")
    assert "searched for was: chest radiograph." in answer.notes[-1]
    assert answer.query.phrasings == ("chest radiograph",)


def test_what_no_label_says_is_owned_up_to(ask) -> None:
    answer = ask("CT without hemorrhage")
    assert "no label of this collection says which images show it, so these hits may" in answer.notes[0]
    assert answer.query.phrasings == ("CT",)


def test_several_phrasings_are_averaged(encoder, ask) -> None:
    answer = ask("chest radiograph with effusion", several=True)
    made = encoder.encode_texts(list(answer.query.phrasings))
    assert len(made) == 8
    mean = made.mean(axis=0)
    expected = directions(ask.retriever.store) @ (mean / np.linalg.norm(mean))
    assert np.allclose(answer.similarities(), np.sort(expected)[::-1][:10], atol=2e-3)
    spread = phrasing_spread(answer.query, ask.retriever.means)
    assert spread is not None
    assert len(spread.shared) == 8


def test_it_can_leave_out_nothing_else_and_needs_a_text_tower(small, ask) -> None:
    with pytest.raises(QueryError, match="no exclusions with a text"):
        ask("no effusion", exclude=["patient"])
    with pytest.raises(EncoderError, match="text tower"):
        Retriever(small, "pixels").embed(SentenceQuery(read_sentence("chest", Lexicon())))
