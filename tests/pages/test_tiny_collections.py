"""Collections of one image and of three: what is said of them is true."""

from __future__ import annotations

import pytest

import radcbir_core
from radcbir_core.collections.collection import open_collection
from tests.pages.conftest import run_page
from tests.pages.reading import complaints, html, words
from tests.small_images import draw


@pytest.fixture(scope="module")
def tiny_data(tmp_path_factory):
    """A data folder with the collections ``one`` and ``three``, of as many images of one label each."""
    place = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RADCBIR_DATA", str(place / "data"))
        for name, number in (("one", 1), ("three", 3)):
            (place / name).mkdir()
            lines = ["path,modality,anatomy,pathology"]
            for image in range(number):
                draw(0, image).save(place / name / f"{image}.png")
                lines.append(f"{image}.png,XR,chest,effusion")
            (place / name / "table.csv").write_text("\n".join(lines), encoding="utf-8")
            radcbir_core.import_images(place / name / "table.csv", name=name)
            radcbir_core.build(name, "pixels")
    return place / "data"


@pytest.fixture
def tiny(tiny_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tiny_data))

    def page(name="", **parameters):
        at = run_page(name, **parameters)
        assert not complaints(at)
        return at

    return page


def test_one_image_is_evaluated_and_has_a_label_but_nothing_to_find(tiny):
    assert "no query with a full label has anything to find" in html(tiny(collection="one"))
    at = tiny("failures", collection="one")
    assert "none with a known full label could be given another image of the same" in words(at)
    assert "relabel" not in " ".join(code.value for code in at.code)
    at = tiny("pathology", collection="one")
    assert "no interval: fewer than two patients" in html(at)
    assert "No label falls clearly behind" not in words(at)
    assert "Not scored, as none of their queries has anything to find: 1 label" in words(at) + html(at)


def test_no_figure_over_no_query_stands_beside_hits(tiny):
    image_id = open_collection("one").manifest.record(0)["image_id"]
    for view, page in (("hubness", "failures"), ("factors", "pathology")):
        tiny(page, collection="one", view=view)
    said = html(tiny("retrieval", collection="one", image=image_id, hubness="csls", within="anatomy"))
    assert "Only XR chest, as the query." in said
    assert "nan" not in said
    assert "P@10" not in said
    assert "Ordered by" not in said


def test_near_duplicates_are_excluded_too_only_beside_the_patient(tiny):
    assert "Near-duplicates are excluded: where the patient is not known" in html(tiny("pathology", collection="three"))


@pytest.mark.parametrize(("name", "others"), [("one", 0), ("three", 2)])
def test_there_are_no_other_images_rather_than_none_left_by_filters(tiny, name, others):
    image_id = open_collection(name).manifest.record(0)["image_id"]
    said = html(tiny("retrieval", collection=name, image=image_id, exclude="none"))
    assert f"Only {others} of 10: the collection has no others." in said


def test_of_one_label_there_is_no_confusion_and_no_text_to_shorten(tiny):
    at = tiny("failures", collection="three", exclude="none")
    assert "No hit has another label." in words(at)
    assert "Shorten it" not in words(at)
    assert "Shorten it" in words(tiny("failures", collection="three", exclude="none", find="zebra"))
