"""Composed queries against sums written out one number at a time, and what is said where nothing is left of them."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import QueryError
from radcbir_core.search.backend import ArrayVectors
from radcbir_core.search.language.lexicon import Lexicon
from radcbir_core.search.language.sentence_query import SentenceQuery
from radcbir_core.search.language.sentence_reading import read_sentence
from radcbir_core.search.queries.composed import (
    SAMPLE,
    ComposedQuery,
    Part,
    middle_of_sentences,
    spreads_of,
    weighted_sum,
    without_middle,
)
from radcbir_core.search.queries.query import ImageQuery, RowQuery, TextQuery, VectorQuery
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions


@pytest.fixture
def small(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


@pytest.fixture
def reading(small_text_data, mini, monkeypatch):
    """A retriever whose encoder reads text."""
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    return Retriever(open_collection("small"), "radcbir-mini")


def slow_scores(vectors: np.ndarray, parts: list[tuple[np.ndarray, float]]) -> list[float]:
    """What each image of a collection gains from all parts, one product at a time."""
    gains = []
    for query, _ in parts:
        products = [math.fsum(float(a) * float(b) for a, b in zip(query, image, strict=True)) for image in vectors]
        mean = math.fsum(products) / len(products)
        spread = math.sqrt(math.fsum((one - mean) ** 2 for one in products) / len(products))
        gains.append([one / spread for one in products])
    return [
        math.fsum(weight * gain[at] for (_, weight), gain in zip(parts, gains, strict=True))
        for at in range(len(vectors))
    ]


def composed(*parts: tuple[object, float]) -> ComposedQuery:
    return ComposedQuery(tuple(Part(query, weight) for query, weight in parts))


@pytest.mark.parametrize("weights", [(1, 0.75, -0.15), (1, -2, 3), (0.5, 0.5, 0.5), (-1, -1, 0.25)])
def test_hits_are_those_that_gain_most_from_all_parts(small, weights) -> None:
    retriever = Retriever(small, "pixels")
    vectors = directions(small.store("pixels")).astype(np.float64)
    rows = (0, 23, 41)
    query = composed(*((RowQuery((row,)), weight) for row, weight in zip(rows, weights, strict=True)))
    answer = retriever.search(query, k=61)
    scores = slow_scores(vectors, [(vectors[row], weight) for row, weight in zip(rows, weights, strict=True)])
    ranked = [scores[row] for row in answer.rows()]
    assert sorted(answer.rows().tolist()) == [row for row in range(61) if row not in rows]
    assert all(before >= after - 1e-4 for before, after in pairwise(ranked))
    assert answer.measure == "composed_similarity"
    assert "composed_similarity" in answer.table().columns


def test_of_one_part_it_is_that_part_and_of_its_negative_the_reverse(small) -> None:
    retriever = Retriever(small, "pixels")
    plain = retriever.search(7, k=61)
    one = retriever.search(composed((RowQuery((7,)), 0.3)), k=61)
    assert one.rows().tolist() == plain.rows().tolist()
    np.testing.assert_allclose(one.similarities(), plain.similarities(), atol=1e-6)
    away = retriever.search(composed((RowQuery((7,)), -2)), k=61)
    np.testing.assert_allclose(away.similarities(), -plain.similarities()[::-1], atol=1e-6)


def test_a_sentence_counts_as_much_as_an_image(reading) -> None:
    """Each moves the scores of images by one standard deviation, a sentence without what sentences have in common."""
    store = reading.store
    image, text = RowQuery((0,)), TextQuery("CT of the abdomen with a cyst")
    vectors = directions(store)
    sentences = set()
    for line in store.collection.manifest.frame.itertuples():
        if line.modality and line.anatomy and len(line.pathologies) == 1:  # what has a full label
            sentences |= {f"{line.modality} of the {line.anatomy} with {one}" for one in line.pathologies}
    middle = load_encoder("radcbir-mini", device="cpu").encode_texts(sorted(sentences)).mean(axis=0)
    said = reading.embed(text).vectors[0] - middle
    parts = [reading.embed(image).vectors[0], said / np.linalg.norm(said)]
    total = sum(vector / np.std(vectors @ vector) for vector in parts)
    got = reading.embed(composed((image, 1), (text, 1))).vectors[0]
    np.testing.assert_allclose(got, total / np.linalg.norm(total), atol=1e-3)
    alone = reading.embed(composed((text, 2))).vectors
    np.testing.assert_allclose(alone, reading.embed(text).vectors, atol=1e-6)


def test_of_fewer_than_two_labels_there_is_no_middle(reading, monkeypatch) -> None:
    labels = type(reading.collection.manifest.labels("label"))
    monkeypatch.setattr(labels, "counts", lambda _: {"CT/head/normal": 5})
    assert middle_of_sentences(reading.store, load_encoder("radcbir-mini", device="cpu")) is None
    both = composed((RowQuery((0,)), 1), (TextQuery("a chest"), 1))
    assert np.isfinite(reading.embed(both).vectors).all()


def test_the_middle_itself_stays_as_it_is() -> None:
    vectors = np.eye(2, dtype=np.float32)
    both = np.ones(2, dtype=bool)
    np.testing.assert_array_equal(without_middle(vectors, both, None), vectors)
    np.testing.assert_array_equal(without_middle(vectors, np.zeros(2, bool), vectors[0]), vectors)
    moved = without_middle(vectors, both, vectors[0])
    np.testing.assert_allclose(moved, [[1, 0], [-math.sqrt(0.5), math.sqrt(0.5)]], atol=1e-6)


def test_what_was_made_before_is_not_made_again(reading, monkeypatch) -> None:
    text = TextQuery("CT of the abdomen with a cyst")
    query = composed((RowQuery((0,)), 1), (text, 1))
    made = [reading.embed(text)]
    expected = reading.embed(query).vectors
    monkeypatch.setattr(TextQuery, "embed", lambda *_: pytest.fail("embedded again"))
    np.testing.assert_array_equal(reading.embed(query, made=made).vectors, expected)
    unmade = composed((RowQuery((0,)), 1), (text, 0))
    assert len(reading.search(unmade, k=3)) == 3, "what counts nothing is not asked for"


def test_the_notes_of_its_parts_are_its_own(reading) -> None:
    long = TextQuery("chest " * 300)
    notes = reading.search(composed((RowQuery((0,)), 1), (long, 1), (TextQuery("chest " * 299), 1))).notes
    assert len(notes) == len(set(notes)) == 2
    assert all("Only the beginning of the text counts" in note for note in notes)


def test_everybody_in_it_is_left_out(small) -> None:
    retriever = Retriever(small, "pixels")
    patients = small.manifest.frame["patient_id"].tolist()
    rows = (0, 23, 41)
    query = composed(*((RowQuery((row,)), weight) for row, weight in zip(rows, (1, 0.5, -0.5), strict=True)))
    hits = set(retriever.search(query, k=61, exclude=["patient"]).rows().tolist())
    theirs = {patients[row] for row in rows} - {""}
    assert hits == {row for row in range(61) if row not in rows and patients[row] not in theirs}


def test_a_sentence_leaves_out_nobody_beside_an_image_and_cannot_alone(reading) -> None:
    text = TextQuery("CT of the abdomen with a cyst")
    with_image = composed((text, 1), (RowQuery((0,)), 1))
    assert (with_image.known, with_image.reads_text) == ("always", True)
    assert 0 not in reading.search(with_image, k=61, exclude=["patient"]).rows()
    assert composed((text, 1)).known == "never"
    with pytest.raises(QueryError, match="Expected no exclusions with a text"):
        reading.search(composed((text, 1)), exclude=["patient"])
    upload = ImageQuery(np.zeros((4, 4), np.uint8))
    assert composed((upload, 1), (RowQuery((0,)), 1), (text, 1)).known == "if in the collection"
    assert not composed((upload, 1), (text, 0)).reads_text
    assert composed((VectorQuery(np.ones(4)), 1)).reads_text is False


def test_what_a_wanted_sentence_denies_is_left_out(reading) -> None:
    collection = reading.collection
    said = SentenceQuery(read_sentence("chest radiograph without effusion", Lexicon.of(collection)))
    shown = collection.manifest.frame["pathologies"].map(lambda found: "effusion" in list(found)).to_numpy()
    assert shown.any()
    image = (RowQuery((0,)), 1)
    wanted = reading.search(composed(image, (said, 0.1)), k=61, exclude=["patient"])
    assert not shown[wanted.rows()].any()
    assert any("Without effusion" in note for note in wanted.notes)
    unwanted = reading.search(composed(image, (said, -0.1)), k=61, exclude=["patient"])
    assert shown[unwanted.rows()].any()


def test_an_empty_or_cancelling_sum_is_said(small) -> None:
    retriever = Retriever(small, "pixels")
    with pytest.raises(QueryError, match="Expected a query of which something counts, but 1 part with weight 0 is all"):
        retriever.search(composed((RowQuery((0,)), 0)))
    with pytest.raises(QueryError, match="something counts, but 0 parts"):
        retriever.search(composed())
    with pytest.raises(QueryError, match=r"they cancel each other out.*Change a weight"):
        retriever.search(composed((RowQuery((0,)), 1), (RowQuery((0,)), -1)))
    itself = VectorQuery(directions(small.store("pixels"))[0])
    with pytest.raises(QueryError, match="they cancel each other out"):
        retriever.search(composed((RowQuery((0,)), 1), (itself, -1)))
    with pytest.raises(QueryError, match="Expected weights that are numbers"):
        retriever.search(composed((RowQuery((0,)), math.inf)))
    with pytest.raises(QueryError, match="Expected parts of one image each, but one has 2"):
        retriever.search(composed((RowQuery((0, 1)), 1)))


def test_spreads_are_of_the_images_that_are_there() -> None:
    source = ArrayVectors(np.float32([[1, 0], [0, 1], [-1, 0], [0, 0]]))
    valid = np.array([True, True, True, False])
    queries = np.float32([[1, 0], [0, 1]])
    np.testing.assert_allclose(spreads_of(queries, source, valid=valid), [np.std([1, 0, -1]), np.std([0, 1, 0])])
    for few in ([True, False, False, False], [False] * 4):
        assert spreads_of(queries, source, valid=np.array(few)).tolist() == [1, 1]
    alike = ArrayVectors(np.float32([[1, 0], [1, 0]]))
    assert spreads_of(queries, alike, valid=np.ones(2, bool)).tolist() == [1, 1]


def test_of_many_images_a_sample_is_enough() -> None:
    random = np.random.default_rng(0)
    vectors = random.normal(size=(5 * SAMPLE, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    valid = random.random(len(vectors)) < 0.9
    sampled = spreads_of(vectors[:4], ArrayVectors(vectors), valid=valid)
    np.testing.assert_allclose(sampled, (vectors[valid] @ vectors[:4].T).std(axis=0), rtol=0.05)


@given(
    st.lists(st.tuples(st.integers(0, 5), st.floats(-3, 3).filter(lambda w: abs(w) > 0.01)), min_size=1, max_size=8),
    st.floats(0.01, 50),
)
def test_only_the_ratio_of_weights_counts_and_not_their_order(parts, factor) -> None:
    vectors = np.eye(6, dtype=np.float32)[[place for place, _ in parts]]
    weights = np.array([weight for _, weight in parts])
    sums = np.zeros(6)
    for place, weight in parts:
        sums[place] += weight
    length = math.sqrt(float(sums @ sums))
    if length <= 0.0099 * np.abs(weights).sum():
        with pytest.raises(QueryError, match="cancel each other out"):
            weighted_sum(vectors, weights)
        return
    if length <= 0.0101 * np.abs(weights).sum():
        return  # on the border, where rounding decides
    made = weighted_sum(vectors, weights)
    np.testing.assert_allclose(made, sums / length, atol=1e-5)
    np.testing.assert_allclose(weighted_sum(vectors[::-1], factor * weights[::-1]), made, atol=1e-5)


def test_an_encoder_of_another_kind_reads_it_anew(small, reading) -> None:
    query = composed((RowQuery((0,)), 1), (ImageQuery(small.read_image(5).pixels), 0.5))
    pixels = Retriever(small, "pixels", encoder=lambda: load_encoder("pixels"))
    assert pixels.embed(query).vectors.shape != reading.embed(query).vectors.shape
