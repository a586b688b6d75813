"""How much of an answer hangs on the wording, beside hits that were counted one by one."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.search.backend import unit
from radcbir_core.search.language.phrasing_spread import PhrasingSpread, phrasing_spread
from radcbir_core.search.language.sentence_query import EmbeddedSentence, SentenceQuery
from radcbir_core.search.language.sentence_reading import as_written
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions


@pytest.fixture
def means(small_text_data, mini, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    return Retriever(open_collection("small"), "radcbir-mini").means


def test_hits_that_are_shared_are_counted(means) -> None:
    members = unit(np.random.default_rng(0).normal(size=(3, means.searcher.dimension)), dimension=256)
    together = unit(members.mean(axis=0), dimension=256)
    asked = EmbeddedSentence(SentenceQuery(as_written("x"), True), together, (), ("x", "y", "z"), members)
    vectors = directions(means.store)
    first = [set(np.argsort(-(vectors @ one), kind="stable")[:10].tolist()) for one in (*members, together[0])]
    spread = phrasing_spread(asked, means)
    assert spread is not None
    assert spread.shared == tuple(len(one & first[-1]) for one in first[:-1])
    assert spread.cosines == pytest.approx([float(one @ together[0]) for one in members])
    assert spread.hits == 10


def test_one_phrasing_has_no_spread(means) -> None:
    one = np.eye(1, 256, dtype=np.float32)
    assert phrasing_spread(EmbeddedSentence(SentenceQuery(as_written("x")), one, (), ("x",), one), means) is None


def test_equal_numbers_are_said_once() -> None:
    assert "of the first 10 hits each finds 7." in PhrasingSpread((0.5, 0.9), (7, 7), 10).said
