"""The Retrieval page with a sentence as query."""

from __future__ import annotations

import re

import pytest

from pages.parts.frame import encoder_warmup
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders import load_encoder
from radcbir_core.search.language import nonsense
from radcbir_core.search.language.label_sentences import label_sentence
from radcbir_core.search.queries.query import TextQuery
from radcbir_core.search.retriever import Retriever
from tests.pages.reading import cards, complaints, html, pictures, words
from tests.small_images import HTML_LABEL

SENTENCE = "CT of the abdomen with a cyst"
MINI = {"collection": "small", "encoder": "radcbir-mini"}


@pytest.fixture(autouse=True)
def kind_judge(monkeypatch):
    """What the random encoder of these tests answers to any sentence is no better than nonsense; not told here."""
    monkeypatch.setattr(nonsense, "CHANCE_KNOWN", 1.0)
    monkeypatch.setattr(nonsense, "CHANCE", 1.0)


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
    assert "The hits are ordered by cosine: the query is a text" in words(at)
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
    example = label_sentence("MR", "brain", "normal")
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
    assert pictures(at)[0]["description"] == f"Query: {chosen}"
    assert all("text_similarity" not in card for card in cards(at))


def test_the_hits_are_saved_under_the_name_of_their_measure(text_app):
    at = text_app("retrieval", **MINI, text=SENTENCE)
    assert "CSV" in [one.proto.label for one in at.get("download_button")]


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


def clicked(at, label, number=0):
    [button for button in at.button if button.label.replace("\\", "") == label][number].click()
    return at.run()


def read_as(at):
    return next((one.value for one in at.markdown if one.value.startswith("Read as")), "").replace("\\", "")


def test_an_abbreviation_is_read_as_what_it_means_and_that_can_be_taken_back(text_app):
    at = text_app("retrieval", **MINI, text="CXR with PTX")
    assert read_as(at) == "Read as **chest radiograph with pneumothorax**"
    assert [card["row"] for card in cards(at)] == expected("chest radiograph with pneumothorax").rows[0].tolist()
    clicked(at, "take back", 1)
    assert at.query_params["read"] in ("PTX=", ["PTX="])
    assert read_as(at) == "Read as **chest radiograph with PTX**"
    assert [card["row"] for card in cards(at)] == expected("chest radiograph with PTX").rows[0].tolist()
    clicked(at, "read it again")
    assert "read" not in at.query_params
    assert not complaints(at)


def test_a_misspelt_word_is_asked_back_and_one_click_mends_it(text_app):
    at = text_app("retrieval", **MINI, text="pnuemothorax")
    assert "**pnuemothorax** is not known here" in words(at).replace("\\", "")
    clicked(at, "pneumothorax")
    assert at.query_params["read"] in ("pnuemothorax=pneumothorax", ["pnuemothorax=pneumothorax"])
    assert "pnuemothorax → pneumothorax (as chosen)" in words(at).replace("\\", "")
    assert [card["row"] for card in cards(at)] == expected("pneumothorax").rows[0].tolist()
    box(at).set_value("chest")
    at.run()
    assert "read" not in at.query_params, "what was chosen is of the sentence before"


def test_what_may_mean_several_things_is_asked_back(text_app):
    at = text_app("retrieval", **MINI, text="PE")
    assert "may mean several things" in words(at)
    clicked(at, "pulmonary embolism")
    assert read_as(at) == "Read as **pulmonary embolism**"
    assert "may mean several things" not in words(at)


def test_what_is_denied_is_not_shown(text_app):
    at = text_app("retrieval", **MINI, text="chest radiograph, no effusion", k="100")
    assert read_as(at) == "Read as **chest radiograph**, without **effusion**"
    assert "Without effusion: left out are 5 images labeled effusion" in words(at)
    assert len(cards(at)) == 56
    assert not any("effusion" in line["value"] for card in cards(at) for line in card["lines"])
    clicked(at, "read word for word")
    assert len(cards(at)) == 61
    assert "left out are" not in words(at)


def test_several_phrasings_are_asked_for_by_a_switch_and_tell_their_spread(text_app):
    at = text_app("retrieval", **MINI, text="chest radiograph with effusion")
    assert "phrasings: their cosines" not in words(at)
    next(switch for switch in at.toggle if switch.label == "In several phrasings").set_value(True)
    at.run()
    assert at.query_params["phrasings"] in ("several", ["several"])
    assert "Asked in 8 phrasings" in words(at)
    assert not complaints(at)


def test_hits_no_better_than_those_of_nonsense_are_called_so(text_app, monkeypatch):
    monkeypatch.setattr(nonsense, "CHANCE", 0.0)
    at = text_app("retrieval", **MINI, text="asdf qwer")
    assert "**No better than nonsense.** The first hits are" in complaints(at)
    assert "Most of its words are not known here." in complaints(at)
    assert "Not known here: asdf" in words(at)
    at = text_app("retrieval", **MINI, text="chest")
    assert "Compared with nonsense: The first hits are" in words(at)
    assert not complaints(at)


def test_choices_that_are_none_in_a_link_are_told_and_left_out(text_app):
    at = text_app("retrieval", **MINI, text="PTX", read="PTX", phrasings="many")
    assert "Expected read as written=read as, but read = PTX. It is left out." in complaints(at)
    assert "Expected phrasings to be one of those there are" in complaints(at)
    assert read_as(at) == "Read as **pneumothorax**"


def test_labels_by_text_stand_beside_those_of_the_hits_on_request(text_app):
    image = open_collection("small").manifest.record(4)["image_id"]
    at = text_app("retrieval", **MINI, image=image)
    assert '<table class="radcbir-scores">' not in html(at)
    next(switch for switch in at.toggle if switch.label == "Labels by text").set_value(True)
    at.run()
    assert at.query_params["scores"] in ("labels", ["labels"])
    shown = re.search(r'<table class="radcbir-scores">(.*?)</table>', html(at)).group(1)
    ranks = [int(rank) for rank in re.findall(r"</td><td>(\d+)</td><td>", shown)]
    assert ranks[:6] == [1, 2, 3, 4, 5, 6]
    assert not complaints(at)
    at = text_app("retrieval", **MINI, text="chest")
    assert not any(switch.label == "Labels by text" for switch in at.toggle)


def test_a_denial_that_no_label_settles_is_told_with_what_the_encoder_can(text_app):
    at = text_app("retrieval", **MINI, text="chest radiograph without goiter")
    assert "no label of this collection says which images show it" in words(at)
    assert "This encoder cannot tell what is denied from what is asked for. Checked on" in complaints(at)
