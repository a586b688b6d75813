"""Steps and their words, Rocchio's sum against the book's formula, and what the list of steps refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import ImageNotFoundError, QueryError
from radcbir_core.search.queries.composition import (
    CLASSIC,
    MOST_STEPS,
    Composition,
    Rocchio,
    Step,
    compose,
)
from radcbir_core.search.queries.query import RowQuery, TextQuery
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)
steps = st.one_of(
    st.builds(Step, st.sampled_from(["like", "unlike"]), words),
    st.builds(Step, st.just("image"), words, st.integers(-60, 60).map(lambda tenths: tenths / 20)),
)


@pytest.fixture
def small(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


@given(steps)
def test_a_word_stands_for_the_step_that_it_was_made_of(step) -> None:
    assert Step.of(step.word) == step


def test_the_words_of_a_sentence_are_cleaned() -> None:
    assert Step.of("text:0.5:  with   a:b \n c ") == Step("text", "with a:b c", 0.5)
    with pytest.raises(QueryError, match="at least one word"):
        Step.of("text:1:---")


@pytest.mark.parametrize(
    "word", ["", "like", "like:", "dislike:a", "image:a.png", "image:4:a", "image:nan:a", "text:1:"]
)
def test_what_is_no_step_is_said(word) -> None:
    with pytest.raises(QueryError, match=r"Expected .*, but it is .*Write, for example"):
        Step.of(word)


@pytest.mark.parametrize("word", ["1,2", "a,b,c", "1,2,3,4", ""])
def test_weights_are_three_numbers(word) -> None:
    with pytest.raises(QueryError, match="Expected Rocchio's three weights"):
        Rocchio.of(word)


@pytest.mark.parametrize("word", ["-1,0,0", "1,4,0", "nan,1,1", "1,1,inf"])
def test_weights_are_in_their_range(word) -> None:
    with pytest.raises(QueryError, match="Expected weights from 0 to 3"):
        Rocchio.of(word)


@given(st.lists(steps, max_size=12))
def test_each_image_is_there_once_and_what_was_said_last_holds(added) -> None:
    composition = Composition()
    last: dict[str, Step] = {}
    for step in added:
        composition = composition.with_step(step)
        last[step.value] = step
    assert {step.value: step for step in composition.steps} == last
    assert [step.value for step in composition.steps] == list(last), "in the order in which they came"
    assert Composition.of(composition.words) == composition
    for step in composition.steps:
        assert step not in composition.without(step).steps
        assert len(composition.without(step).steps) == len(composition.steps) - 1


def test_too_many_and_two_of_the_same_are_refused() -> None:
    many = Composition(tuple(Step("like", str(number)) for number in range(MOST_STEPS)))
    with pytest.raises(QueryError, match=f"Expected at most {MOST_STEPS} steps, but there are {MOST_STEPS + 1}"):
        many.with_step(Step("like", "one more"))
    with pytest.raises(QueryError, match="'a' is there twice"):
        Composition.of(["like:a", "unlike:a"])
    assert len(Composition.of(["like:a", "text:1:a"]).steps) == 2


def test_the_classic_weights_are_the_books(small) -> None:
    """q' = 1 q + 0.75 mean(relevant) − 0.15 mean(not), each vector over the spread of its similarities."""
    assert (CLASSIC.query, CLASSIC.like, CLASSIC.unlike) == (1, 0.75, 0.15)
    vectors = directions(small.store("pixels")).astype(np.float64)
    ids = [small.manifest.image_id(row) for row in range(61)]
    composition = Composition.of([f"like:{ids[3]}", f"unlike:{ids[30]}", f"like:{ids[5]}", f"unlike:{ids[50]}"])
    query = composition.query(RowQuery((0,)), small)
    got = Retriever(small, "pixels").embed(query).vectors[0]

    def over_spread(row: int) -> np.ndarray:
        return vectors[row] / np.std(vectors @ vectors[row])

    expected = over_spread(0)
    expected = expected + 0.75 * (over_spread(3) + over_spread(5)) / 2 - 0.15 * (over_spread(30) + over_spread(50)) / 2
    np.testing.assert_allclose(got, expected / np.linalg.norm(expected), atol=1e-4)


def test_composed_in_one_call_it_is_the_same(small) -> None:
    ids = [small.manifest.image_id(row) for row in range(61)]
    weights = Rocchio(1, 0.5, 0.25)
    composition = Composition.of([f"like:{ids[3]}", f"unlike:{ids[30]}", f"image:-0.5:{ids[9]}"], "1,0.5,0.25")
    asked = compose(small, 0, like=[3], unlike=[ids[30]], further=[(9, -0.5)], weights=weights)
    retriever = Retriever(small, "pixels")
    np.testing.assert_allclose(
        retriever.embed(asked).vectors, retriever.embed(composition.query(RowQuery((0,)), small)).vectors, atol=1e-6
    )
    assert retriever.search(asked, k=3).rows().shape == (3,)
    with_text = compose(small, TextQuery("a chest"), like=[3])
    assert with_text.reads_text
    with pytest.raises(ImageNotFoundError):
        compose(small, 0, like=["nobody"])
    with pytest.raises(ImageNotFoundError):
        Composition.of(["like:nobody"]).query(RowQuery((0,)), small)
