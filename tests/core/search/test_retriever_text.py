"""Queries by a sentence: what it may be, what is found, and what is said about it."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import EncoderError, QueryError, StaleError
from radcbir_core.search.retriever import (
    Retriever,
    check_text_tower,
    cleaned_text,
    embed_text,
    hits_table,
    text_encoders,
)

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


def test_hits_of_a_sentence_agree_with_every_pair(small, encoder) -> None:
    retriever = Retriever(small, "radcbir-mini")
    query = embed_text(retriever.store, encoder, f"  {SENTENCE}\n")
    assert (query.text, query.read, query.notes) == (SENTENCE, SENTENCE, ())
    expected = np.asarray(retriever.store.embeddings, dtype=np.float64) @ encoder.encode_texts([SENTENCE])[0]
    hits = retriever.search_text(query, k=10)
    np.testing.assert_allclose(hits.similarities[0], np.sort(expected)[::-1][:10], atol=1e-5)
    filtered = retriever.search_text(query, k=100, where={"modality": ["CT"], "split": ["test"]})
    table = hits_table(small.manifest, filtered, measure="text_similarity")
    assert set(table["modality"]) == {"CT"}
    assert len(table) == int(small.manifest.mask({"modality": ["CT"], "split": ["test"]}).sum())


def test_the_number_of_a_text_has_a_name_of_its_own(small, encoder) -> None:
    retriever = Retriever(small, "radcbir-mini")
    hits = retriever.search_text(embed_text(retriever.store, encoder, SENTENCE), k=3)
    table = hits_table(small.manifest, hits, measure="text_similarity")
    assert "text_similarity" in table
    assert "similarity" not in table
    assert table["text_similarity"].is_monotonic_decreasing


def test_exclusions_need_an_image(small, encoder) -> None:
    retriever = Retriever(small, "radcbir-mini")
    query = embed_text(retriever.store, encoder, SENTENCE)
    with pytest.raises(QueryError, match=r"Expected no exclusions with a text, but exclude = duplicate, patient\."):
        retriever.search_text(query, k=3, exclude=["patient", "duplicate"])
    with pytest.raises(QueryError, match="exclude = 'hospital'"):
        retriever.search_text(query, k=3, exclude=["hospital"])


def test_an_encoder_without_a_text_tower_is_refused_by_name(small, small_data, encoder, monkeypatch) -> None:
    assert text_encoders(small) == ["radcbir-mini"]
    check_text_tower(small.store("radcbir-mini"))
    with pytest.raises(EncoderError, match=r"but encoder = pixels has none: .* Choose radcbir-mini\.$"):
        embed_text(small.store("pixels"), load_encoder("pixels"), SENTENCE)
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    with pytest.raises(EncoderError, match=r"Build small with one that has, such as radcbir-mini\."):
        check_text_tower(open_collection("small").store("pixels"))


def test_another_version_of_the_encoder_is_refused(small, encoder) -> None:
    other = load_encoder("radcbir-mini?fit=crop", device="cpu")
    with pytest.raises(StaleError, match=r"Build small with radcbir-mini again\."):
        embed_text(small.store("radcbir-mini"), other, SENTENCE)


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
def test_other_scripts_are_searched_and_said_to_mean_little(small, encoder, text: str) -> None:
    retriever = Retriever(small, "radcbir-mini")
    query = embed_text(retriever.store, encoder, text)
    assert "not Latin" in query.notes[-1]
    assert retriever.search_text(query, k=5).counts[0] == 5


@pytest.mark.parametrize("text", ["Épanchement pleural, Größe 3 cm", "CT 2024", "x 🫁", "42"])
def test_latin_letters_and_numbers_need_no_note(small, encoder, text: str) -> None:
    assert embed_text(small.store("radcbir-mini"), encoder, text).notes == ()


def test_what_is_cut_off_is_said_and_has_no_influence(small, encoder) -> None:
    words = " ".join(f"word{number % 7}" for number in range(10_000))
    query = embed_text(small.store("radcbir-mini"), encoder, words)
    count = len(query.read.split())
    assert words.startswith(query.read)
    assert not encoder.truncated([query.read])[0]
    assert encoder.truncated([" ".join(words.split()[: count + 1])])[0]
    assert f"Only the beginning of the text counts, {count} of 10,000 words" in query.notes[0]
    # The first token that is cut is within the next word, so what follows that word changes nothing.
    longer = f"{' '.join(words.split()[: count + 1])} {'nothing else ' * 3000}"
    other = embed_text(small.store("radcbir-mini"), encoder, longer)
    np.testing.assert_allclose(other.embedding, query.embedding, atol=1e-6)


def test_one_endless_word_counts_up_to_a_character(small, encoder) -> None:
    query = embed_text(small.store("radcbir-mini"), encoder, "胸" * 3000)
    assert 1 <= len(query.read) < 40
    assert not encoder.truncated([query.read])[0]
    assert encoder.truncated([query.read + "胸"])[0]
