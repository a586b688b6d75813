"""Why these two, on Failures, Review and Retrieval: the figures of the core beside the pictures, and links."""

from __future__ import annotations

import pytest

from pages.parts.images import why_panel
from radcbir_core.collections.collection import open_collection
from radcbir_core.explanation.explaining import explain_rows
from radcbir_core.explanation.explanation_words import check_said
from tests.pages.reading import cards, complaints, html, pictures, words

ROWS = (20, 23)


@pytest.fixture
def ids(app) -> list[str]:
    return open_collection("small").manifest.rows(ROWS, ["image_id"])["image_id"].tolist()


def button(at, label):
    return next(one for one in at.button if one.label == label)


def test_a_pair_in_large_is_explained_and_stays_so(app, ids, monkeypatch) -> None:
    at = app("review", image=ids[0], beside=ids[1])
    assert not complaints(at)
    plain = [one["source"] for one in pictures(at)]
    button(at, "Why these two?").click().run()
    assert at.query_params["why"] == "auto"
    made = explain_rows(open_collection("small").store("pixels"), *ROWS)
    shown = html(at)
    for side in made.sides:
        for check in side.checks:
            assert check_said(check) in shown
    assert "Occlusion: squares of" in shown
    both = pictures(at)
    assert [one["source"] for one in both] != plain
    assert all("with its map: highlighted" in one["description"] for one in both)
    failing = [side.verdict for side in made.sides] != ["explains", "explains"]
    assert ("explain this similarity" in words(at)) == failing

    # Another run computes nothing again; other colors are other pictures of the same maps.
    monkeypatch.setattr(why_panel, "explain_pair", lambda *_, **__: pytest.fail("computed again"))
    next(one for one in at.slider if one.label == "Color, %").set_value(0).run()
    assert not complaints(at) or failing
    assert [one["source"] for one in pictures(at)] != [one["source"] for one in both]
    button(at, "Close the explanation").click().run()
    assert [one["source"] for one in pictures(at)] == plain
    assert "why" not in at.query_params


def test_a_link_opens_it_and_wrong_words_are_reported(app, ids) -> None:
    at = app("review", image=ids[0], beside=ids[1], why="patches")
    assert "why = patches" in complaints(at)
    assert "Occlusion: squares of" in html(at)


def test_on_retrieval_a_hit_is_explained_above_the_hits(app, ids) -> None:
    at = app("retrieval", image=ids[0], beside=ids[1], why="auto")
    shown = html(at)
    for side in explain_rows(open_collection("small").store("pixels"), *ROWS).sides:
        assert check_said(side.checks[0]) in shown
    assert 'alt="Query with its map: ' in shown
    assert cards(at), "the hits are below"
    button(at, "Back to the hits alone").click().run()
    assert "with its map" not in html(at)
    at.query_params["beside"] = "nobody"
    assert "nobody" in complaints(at.run())


def test_a_changed_query_is_explained_as_it_was_searched_with(app, ids) -> None:
    at = app("retrieval", image=ids[0], beside=ids[1], why="auto")
    before = html(at)
    at.query_params["perturb"] = ["invert"]
    after = html(at.run())
    assert 'alt="Query with its map: ' in after
    assert before[before.index("<ul") :][:400] != after[after.index("<ul") :][:400]


def test_a_file_that_is_gone_is_said(app, ids, monkeypatch) -> None:
    monkeypatch.setattr(
        "radcbir_core.collections.collection.Collection.image_path", lambda self, row: self.image_root / "gone.png"
    )
    at = app("retrieval", image=ids[0], beside=ids[1], why="auto")
    assert "gone.png" in complaints(at)
    assert button(at, "Close the explanation")


def test_embeddings_without_an_encoder_cannot_be_explained(app, ids, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.collections.store.EncoderStore.imported", property(lambda self: True))
    at = app("review", image=ids[0], beside=ids[1])
    assert button(at, "Why these two?").disabled
