"""The Retrieval page with a sentence as query."""

from __future__ import annotations

import re

from pages.parts.frame import encoder_warmup
from pages.parts.retrieval import prompts
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.search.queries.query import TextQuery
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, html, pictures, words
from tests.small_images import HTML_LABEL

SENTENCE = "CT of the abdomen with a cyst"
MINI = {"collection": "small", "encoder": "radcbir-mini"}


def expected(text, **options):
    collection = open_collection("small")
    retriever = Retriever(collection, "radcbir-mini", encoder=lambda: load_encoder("radcbir-mini", device="cpu"))
    return retriever.search(TextQuery(text), **options).hits


def box(at):
    return next(found for found in at.text_input if found.label == "What the images should show")


def test_a_link_with_a_sentence_opens_its_hits(text_app):
    at = text_app("retrieval", **MINI, text=SENTENCE, k="7", where=["modality=CT"])
    assert not complaints(at)
    hits = expected(SENTENCE, k=7, where={"modality": ["CT"]})
    assert [card["row"] for card in cards(at)] == hits.rows[0].tolist()
    assert [card["text_similarity"] for card in cards(at)] == [f"{value:.3f}" for value in hits.similarities[0]]
    assert all("similarity" not in card for card in cards(at))
    assert at.segmented_control[0].value == "text"
    assert box(at).value == SENTENCE
    assert not pictures(at)
    assert not any(pill.label == "Leave out the query's" for pill in at.pills), "a sentence has nothing to leave out"


def test_hits_of_a_sentence_have_the_one_order_and_it_is_said(text_app):
    at = text_app("retrieval", **MINI, text=SENTENCE, hubness="csls", within="anatomy")
    assert not complaints(at)
    assert [card["row"] for card in cards(at)] == expected(SENTENCE).rows[0].tolist()
    assert "The hits of a text are ordered by cosine" in words(at)
    assert "of this query modality and anatomy are not known" in words(at)


def test_the_summary_counts_what_the_hits_show(text_app):
    summary = re.search(r'radcbir-summary">(.*?)</p>', html(text_app("retrieval", **MINI, text=SENTENCE))).group(1)
    for title in ("Modality: <b>", "Anatomy: <b>", "Pathology: <b>"):
        assert title in summary
    assert "same anatomy" not in summary
    assert "text-image cosines, on another scale than the similarity of two images" in summary
    assert "<b onclick" not in summary


def test_a_sentence_typed_or_clicked_goes_into_the_url(text_app):
    at = text_app("retrieval", **MINI, source="text")
    assert not complaints(at)
    assert "Describe on the left what the images should show" in words(at)
    assert not cards(at)
    box(at).set_value(SENTENCE)
    at.run()
    assert at.query_params["text"] in (SENTENCE, [SENTENCE])
    assert len(cards(at)) == 10
    example = prompts.sentence("MR", "brain", "normal")
    next(button for button in at.button if button.label.replace("\\", "") == example).click()
    at.run()
    assert at.query_params["text"] in (example, [example])
    assert box(at).value == example
    assert not complaints(at)


def test_examples_are_made_of_the_labels_there_are_and_shown_word_for_word(text_app):
    at = text_app("retrieval", **MINI, source="text")
    labels = [button.label.replace("\\", "") for button in at.button]
    assert "normal MRI of the brain" in labels
    assert f"CT of the abdomen with {HTML_LABEL}" in labels


def test_a_hit_becomes_the_next_query(text_app):
    at = text_app("retrieval", **MINI, text=SENTENCE)
    chosen = cards(at)[2]["image_id"]
    assert "text=" not in cards(at)[2]["link"]
    at = text_app("retrieval", **MINI, image=chosen)
    assert [shown["description"] for shown in pictures(at)] == [f"Query: {chosen}"]
    assert all("text_similarity" not in card for card in cards(at))


def test_the_hits_are_saved_under_the_name_of_their_measure(text_app):
    at = text_app("retrieval", **MINI, text=SENTENCE)
    assert len(at.get("download_button")) == 1


def test_an_encoder_without_a_text_tower_hides_the_box_and_says_why(text_app):
    at = text_app("retrieval", collection="small", encoder="pixels", text=SENTENCE)
    assert not complaints(at)
    assert not any(found.label == "What the images should show" for found in at.text_input)
    assert "The encoder **pixels** has no text tower: it compares images only." in words(at)
    assert "choose another in the sidebar" in words(at)
    next(button for button in at.button if button.label.replace("\\", "") == "Use radcbir-mini").click()
    at.run()
    assert len(cards(at)) == 10
    assert "text_similarity" in cards(at)[0]


def test_without_any_text_tower_it_says_which_command_builds_one(app):
    at = app("retrieval", text=SENTENCE)
    assert not complaints(at)
    assert "python -m radcbir_core build small --encoder radcbir-mini" in [code.value for code in at.code]
    at.segmented_control[0].set_value("collection").run()
    assert len(cards(at)) == 40


def test_what_is_cut_off_is_said_with_how_much_counts(text_app):
    at = text_app("retrieval", **MINI, source="text")
    box(at).set_value("cyst " * 10_000)
    at.run()
    assert not complaints(at)
    assert re.search(r"Only the beginning of the text counts, \d+ of 10,000 words", words(at))
    assert len(cards(at)) == 10
    text = at.query_params["text"]
    assert len(text if isinstance(text, str) else text[0]) <= 2000


def test_texts_that_are_none_are_refused_in_one_line_and_the_page_goes_on(text_app):
    for text in (" ", "?!", "🫁"):
        at = text_app("retrieval", **MINI, text=text)
        assert "Expected a text with at least one word" in complaints(at)
        assert not cards(at)
    box(at).set_value("胸部X線写真、胸水あり")
    at.run()
    assert not complaints(at)
    assert "letters are not Latin" in words(at)
    assert len(cards(at)) == 10


def test_the_demonstration_encoder_is_named_as_such_where_it_is_chosen(text_app):
    at = text_app("retrieval", **MINI)
    assert any("For real studies choose BiomedCLIP" in caption.value for caption in at.sidebar.caption)
    at = text_app("retrieval", collection="small", encoder="pixels")
    assert not at.sidebar.caption


def test_damaged_weights_are_one_line_with_the_way_to_restore_them(text_app, mini, tmp_path, monkeypatch):
    import shutil

    import streamlit as st

    st.cache_resource.clear()
    monkeypatch.setattr(encoder_warmup, "_loading", {})  # what a page before has begun to load is not this one's
    shutil.copytree(mini.parents[2], tmp_path / "root")
    monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tmp_path / "root")
    (tmp_path / "root/data/encoders/radcbir-mini/open_clip_model.safetensors").write_bytes(b"short")
    at = text_app("retrieval", **MINI, text="never asked before")
    assert "(5 bytes) is truncated or altered" in complaints(at)
    assert "git checkout -- data/encoders/radcbir-mini" in complaints(at)
    at = text_app("retrieval", **MINI)
    assert len(cards(at)) == 40


def test_examples_prefer_what_tells_and_what_differs():
    labels = ["XR/chest/normal", "CT/head/normal", "CT/head/hemorrhage", "XR/chest/nodule", "US/kidney/kidney stone"]
    labels += ["MR/brain/meningioma", "XR/chest/pleural effusion", "XR/hand/fracture", "x" * 300, "no label"]
    assert prompts.examples(labels) == [
        "chest radiograph with pleural effusion",
        "CT of the head with hemorrhage",
        "MRI of the brain with meningioma",
        "ultrasound of the kidney with a stone",
        "hand radiograph with a fracture",
        "normal chest radiograph",
    ]
    assert prompts.examples([]) == []
