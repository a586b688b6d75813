"""Queries by a sentence: what it may be, what is found, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError, QueryError, StaleError
from radcbir_core.search.queries.query import TextQuery
from radcbir_core.search.queries.text import check_text_tower, cleaned_text, part_read, text_encoders
from radcbir_core.search.retriever import Retriever
from tests.kept_embeddings import directions

SENTENCE = "chest radiograph with pleural effusion"


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
def retriever(small, encoder) -> Retriever:
    return Retriever(small, "radcbir-mini", encoder=lambda: encoder)


def test_hits_of_a_sentence_agree_with_every_pair(small, encoder, retriever) -> None:
    answer = retriever.search(TextQuery(f"  {SENTENCE}\n"))
    assert answer.notes == ()
    expected = directions(retriever.store) @ encoder.encode_texts([SENTENCE])[0]
    np.testing.assert_allclose(answer.similarities(), np.sort(expected)[::-1][:10], atol=1e-5)
    where = {"modality": ["CT"], "split": ["test"]}
    table = retriever.search(answer.query, k=100, where=where).table()
    assert set(table["modality"]) == {"CT"}
    assert len(table) == int(small.manifest.mask(where).sum())


def test_the_number_of_a_text_has_a_name_of_its_own(retriever) -> None:
    answer = retriever.search(TextQuery(SENTENCE), k=3)
    assert answer.measure == "text_similarity"
    table = answer.table()
    assert "text_similarity" in table
    assert "similarity" not in table
    assert table["text_similarity"].is_monotonic_decreasing


def test_exclusions_need_an_image(retriever) -> None:
    query = retriever.embed(TextQuery(SENTENCE))
    with pytest.raises(QueryError, match=r"Expected no exclusions with a text, but exclude = duplicate, patient\."):
        retriever.search(query, k=3, exclude=["patient", "duplicate"])
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        retriever.search(query, k=3, exclude=["hospital"])


def test_an_encoder_without_a_text_tower_is_refused_by_name(small, small_data, monkeypatch) -> None:
    assert text_encoders(small) == ["radcbir-mini"]
    check_text_tower(small.store("radcbir-mini"))
    with pytest.raises(EncoderError, match=r"but encoder = pixels has none: .* Choose radcbir-mini\.$"):
        Retriever(small, "pixels").search(TextQuery(SENTENCE))
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    with pytest.raises(EncoderError, match=r"Build small with one that has, such as radcbir-mini\."):
        check_text_tower(open_collection("small").store("pixels"))


def test_another_version_of_the_encoder_is_refused(small) -> None:
    other = Retriever(small, "radcbir-mini", encoder=lambda: load_encoder("radcbir-mini?fit=crop", device="cpu"))
    with pytest.raises(StaleError, match=r"Build small with radcbir-mini again\."):
        other.search(TextQuery(SENTENCE))


def test_what_is_no_sentence_is_said_before_the_encoder_is_loaded(small) -> None:
    def load():
        raise AssertionError("nobody needs it")

    with pytest.raises(QueryError, match="at least one word"):
        Retriever(small, "radcbir-mini", encoder=load).search(TextQuery("?"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected a text with at least one word, but text = ''. Write what the images should show"),
        (" \n\t\x00", "at least one word, but text = ''"),
        ("?!… --", "at least one word"),
        ("🫁🩻", "at least one word, but text = '🫁🩻'"),
        ("a" * 100_001, "Expected a text of at most 100,000 characters, but it has 100,001"),
        ("ches\udcfft", "Expected text in Unicode"),
    ],
)
def test_what_is_no_sentence(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        cleaned_text(text)


@pytest.mark.parametrize("text", ["胸部X線写真、胸水あり", "أشعة الصدر مع انصباب", "опухоль мозга", "胸" * 5000])
def test_other_scripts_are_searched_and_said_to_mean_little(retriever, text: str) -> None:
    answer = retriever.search(TextQuery(text), k=5)
    assert "not Latin" in answer.notes[-1]
    assert len(answer) == 5


@pytest.mark.parametrize("text", ["Épanchement pleural, Größe 3 cm", "CT 2024", "x 🫁", "42"])
def test_latin_letters_and_numbers_need_no_note(retriever, text: str) -> None:
    assert retriever.embed(TextQuery(text)).notes == ()


def test_what_is_cut_off_is_said_and_has_no_influence(encoder, retriever) -> None:
    words = " ".join(f"word{number % 7}" for number in range(10_000))
    query, read = retriever.embed(TextQuery(words)), part_read(encoder, words)
    count = len(read.split())
    assert words.startswith(read)
    assert not encoder.truncated([read])[0]
    assert encoder.truncated([" ".join(words.split()[: count + 1])])[0]
    assert f"Only the beginning of the text counts, {count} of 10,000 words" in query.notes[0]
    # The first token that is cut is within the next word, so what follows that word changes nothing.
    longer = f"{' '.join(words.split()[: count + 1])} {'nothing else ' * 3000}"
    np.testing.assert_allclose(retriever.embed(TextQuery(longer)).vectors, query.vectors, atol=1e-6)


def test_one_endless_word_counts_up_to_a_character(encoder) -> None:
    read = part_read(encoder, "胸" * 3000)
    assert 1 <= len(read) < 40
    assert not encoder.truncated([read])[0]
    assert encoder.truncated([read + "胸"])[0]
