"""What the viewer fetches by address: values byte for byte, facts in order, what the encoder saw; and who may."""

from __future__ import annotations

import doctest
import gc
import gzip
import json
import os
import re

import numpy as np
import pytest
from PIL import Image

from pages.parts.frame import rights
from pages.parts.images import fact_order, gallery
from pages.parts.images.viewer import encoder_view, sent_values, session_files, viewer_facts, viewer_routes
from pages.parts.images.viewer.session_files import SessionFile
from radcbir_core.collections.collection import open_collection
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.errors import EncoderError
from radcbir_core.images import read_stored
from radcbir_core.images.decoded_image import DecodedImage, Window
from radcbir_core.importers import import_collection
from tests.core.images.dicom_files import dicom_bytes
from tests.pages.fetching import fetch
from tests.small_images import HTML_LABEL

ROUTES = viewer_routes.routes()


def get(address, **headers):
    return fetch(address, routes=ROUTES, **headers)


@pytest.fixture
def small(app):
    return open_collection("small")


@pytest.fixture
def places(small):
    """Where the images of the collection are, with the first chest as the query."""
    return viewer_routes.addresses(small, "pixels", query=0)


def test_the_examples_in_the_docstrings_run():
    result = doctest.testmod(fact_order)
    assert result.attempted > 0
    assert result.failed == 0


def values_of(address, **headers):
    status, told, content = get(address, **headers)
    assert status == 200, content
    assert told["cache-control"] == "no-store"
    if told.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    return sent_values.read_message(content)


def test_values_are_those_of_the_file(small, places) -> None:
    for row in (0, 23, 60):
        head, values = values_of(f"{places['values']}/{row}/own", accept_encoding="gzip, br")
        stored = read_stored(small.image_path(row))
        assert (values == stored.stored).all()
        assert values.dtype == stored.stored.dtype
        assert head["own"]["source"] == "as stored"
    packed, plain = (get(f"{places['values']}/0/own", **headers) for headers in ({"accept_encoding": "gzip"}, {}))
    assert packed[1]["content-encoding"] == "gzip"
    assert "content-encoding" not in plain[1]
    assert gzip.decompress(packed[2]) == plain[2]


def test_a_file_that_has_changed_is_read_again(copied_data, tmp_path) -> None:
    made = collection_of(tmp_path, {"a.png": np.full((4, 4), 9, np.uint8)})
    address = f"{viewer_routes.addresses(made, '', query=None)['values']}/0/own"
    assert values_of(address)[1].max() == 9
    path = made.image_path(0)
    Image.fromarray(np.full((4, 4), 77, np.uint8)).save(path)
    os.utime(path, ns=(1, 1))
    assert values_of(address)[1].max() == 77


def collection_of(folder, arrays, columns="", cells=()):
    source = folder / "source"
    source.mkdir()
    for name, array in arrays.items():
        if name.endswith(".dcm"):
            array(source / name)
        else:
            Image.fromarray(array).save(source / name)
    rows = zip(arrays, cells or [""] * len(arrays), strict=True)
    lines = [f"path,modality,anatomy{columns}", *(f"{name},CT,head{cell}" for name, cell in rows)]
    (source / "manifest.csv").write_text("\n".join(lines))
    return import_collection([source], name="made", title="Made").collection


@pytest.mark.parametrize(
    "wrong",
    [
        "values/small/0000000000000000/0/own",
        "values/small//0/own",
        "values/nobody/{digest}/0/own",
        "values/small/{digest}/61/own",
        "values/small/{digest}/0/x",
        "values/small/{digest}/0/-1",
        "values/small/{digest}/0/7",
        "values/small/{digest}/0/99999999999999999999",
        "values/..%2Fsmall/{digest}/0/own",
        "viewer/small/0000000000000000/pixels/0/0",
        "viewer/small/{digest}/pixels/61/0",
        "viewer/small/{digest}/pixels/0/61",
        "encoder-view/small/{digest}/nobody/0",
        "encoder-view/small/{digest}/..%2Fpixels/0",
        "file-values/0123456789/own",
        "viewer-code/0/viewer.js",
    ],
)
def test_what_is_not_there_is_said_in_a_sentence_without_a_path(small, wrong) -> None:
    status, _, content = get("radcbir-data/" + wrong.format(digest=small.digest[:16]))
    assert status == 404
    assert str(small.folder.parent).encode() not in content


def test_a_missing_file_and_a_damaged_one_say_so_without_a_path(copied_data, tmp_path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (2, 40, 40), dtype=np.uint8)
    made = collection_of(tmp_path, {"a.png": noise[0], "b.png": noise[1]})
    places = viewer_routes.addresses(made, "", query=None)
    made.image_path(0).unlink()
    made.image_path(1).write_bytes(made.image_path(1).read_bytes()[:800])
    for row in range(2):
        status, _, content = get(f"{places['values']}/{row}/own")
        text = content.decode()
        assert status == 404
        assert text.startswith("Expected")
        assert made.image_path(row).name in text
        assert str(tmp_path) not in text
        told = json.loads(get(f"{places['facts']}/{row}")[2])
        assert told["head"] == "CT · head", "what is known of it is there all the same"


def test_other_sites_and_strangers_get_nothing(small, places, monkeypatch) -> None:
    file = SessionFile("a.png", small.image_path(0).read_bytes())
    key = session_files.key_of(file, owner="one")
    addresses = [
        f"{places['values']}/0/own",
        f"{places['facts']}/0",
        f"{places['seen']}/0",
        f"{viewer_routes.address_of_file(key)}/own",
        viewer_routes.code()["code"],
    ]
    for address in addresses:
        assert get(address)[0] == 200
        assert get(address, sec_fetch_site="cross-site")[0] == 403
    monkeypatch.setattr(rights, "has_login", lambda: True)
    for address in addresses:
        status, _, content = get(address)
        assert (status, content[:8]) == (403, b"Expected")


def test_facts_begin_with_what_a_clinician_asks_and_end_with_digests(small, places) -> None:
    told = json.loads(get(f"{places['facts']}/22")[2])
    names = [name for name, _ in told["facts"]]
    assert names[:3] == ["modality", "anatomy", "pathologies"]
    assert names[-1] == "sha256"
    assert names.index("image id") > names.index("dataset")
    assert told["head"].startswith("CT · abdomen · ")
    assert dict(told["facts"])["sha256"] == small.manifest.record(22)["sha256"]
    assert told["image_id"] == small.manifest.image_id(22)
    assert told["series"] == []


def test_facts_of_a_hit_say_whether_it_shows_what_the_query_shows(small, places) -> None:
    told = json.loads(get(f"{places['facts']}/1")[2])
    expected = [
        (name, words)
        for name, _, words in gallery.agreement_words(gallery.labels_of(small, 0), gallery.labels_of(small, 1))
    ]
    assert [(one["name"], one["words"]) for one in told["agreement"]] == expected
    assert json.loads(get(f"{places['facts']}/0")[2])["agreement"] == [], "of the query itself nothing is said"
    alone = viewer_routes.addresses(small, "", query=None)
    assert json.loads(get(f"{alone['facts']}/1")[2])["agreement"] == []
    assert alone["seen"] is None


def test_labels_travel_as_data(small, places) -> None:
    row = next(row for row in range(61) if HTML_LABEL in small.manifest.record(row)["pathologies"])
    told = json.loads(get(f"{places['facts']}/{row}")[2])
    assert dict(told["facts"])["pathologies"] == HTML_LABEL


def test_age_and_sex_are_among_the_first_words_where_the_table_has_them(copied_data, tmp_path) -> None:
    made = collection_of(
        tmp_path, {"a.png": np.eye(5, dtype=np.uint8)}, ",Patient Age,Patient Gender,view,dose", [",61,F,AP,3"]
    )
    told = viewer_facts.told(made, 0)
    assert told["lines"][0].startswith("AP · 61 · F · ")
    names = [name for name, _ in told["facts"]]
    assert names[:5] == ["modality", "anatomy", "pathologies", "view", "patient age"]
    assert names.index("dose") < names.index("width")


def test_a_series_is_in_the_order_of_its_slices(copied_data, tmp_path) -> None:
    arrays = {f"{name}.png": np.full((4, 4), at, np.uint8) for at, name in enumerate("abcd")}
    cells = [",s1,10", ",s1,2", ",s2,1", ",s1,x"]
    made = collection_of(tmp_path, arrays, ",series_id,instance_number", cells)
    assert viewer_facts.series_of(made, 0) == [1, 0, 3]
    assert viewer_facts.series_of(made, 2) == [], "it is alone"


def test_frames_of_a_file_are_asked_for_by_number(copied_data, tmp_path) -> None:
    frames = np.arange(3, dtype=np.uint16)[:, None, None] * 100 + np.arange(12, dtype=np.uint16).reshape(1, 3, 4)
    made = collection_of(tmp_path, {"a.dcm": lambda path: path.write_bytes(dicom_bytes(frames, frames=3))})
    address = viewer_routes.addresses(made, "", query=None)["values"]
    head, middle = values_of(f"{address}/0/own")
    assert (head["frame"], head["frames"]) == (1, 3)
    assert (middle == frames[1]).all()
    for frame in range(3):
        assert (values_of(f"{address}/0/{frame}")[1] == frames[frame]).all()
    assert get(f"{address}/0/3")[0] == 404


def test_what_the_encoder_saw_is_its_very_input(small, places) -> None:
    status, _, content = get(f"{places['seen']}/30")
    assert status == 200
    length = int.from_bytes(content[:4], "little")
    head = json.loads(content[4 : 4 + length])
    pixels = np.frombuffer(content[4 + length :], np.uint8).reshape(head["shape"])
    image = small.read_image(30)
    recorded = Preprocessing.from_dict(small.store("pixels").record["preprocessing"])
    assert (pixels == recorded.fitting(image.pixels)).all()
    assert tuple(head["box"]) == (0.0, 0.0, *image.pixels.shape)
    assert re.match(r"pixels saw 32 × 32 pixels; .*shades as they are stored\.", head["words"])


def test_what_is_added_around_an_image_is_part_of_what_the_encoder_saw() -> None:
    corner = Preprocessing(
        size=(8, 8), fit="pad", interpolation="bilinear", color="RGB", fill=None, anchor="corner", resize=None
    )
    pixels = np.full((4, 16), 200, np.uint8)
    whole = encoder_view.whole_input(corner, pixels)
    assert whole.tolist() == [[200] * 8] * 2 + [[0] * 8] * 6
    window = Window(40, 400, "header")
    said = encoder_view.said(corner, DecodedImage(pixels, window, None, 1, "DICOM"), encoder_id="sam")
    assert said.endswith("window center 40, width 400 (-160 to 240), from header.")
    assert "the rest filled" in said


def test_embeddings_without_a_preprocessing_say_so(small, monkeypatch) -> None:
    monkeypatch.setattr(
        "radcbir_core.collections.encoder_data.store.EncoderStore.__init__",
        lambda self, *_: setattr(self, "record", {"spec": "x"}),
    )
    with pytest.raises(EncoderError, match="the preprocessing in the record of pixels"):
        encoder_view.message(small, "pixels", 0)


# --- files of sessions ---


def test_a_file_of_a_session_is_fetched_by_a_key_that_nobody_can_guess_while_the_session_holds_it(small) -> None:
    data = small.image_path(5).read_bytes()
    held = [SessionFile("a.png", data) for _ in range(2)]
    one, other = (session_files.key_of(file, owner=owner) for file, owner in zip(held, ("one", "other"), strict=True))
    assert one != other
    assert (values_of(f"{viewer_routes.address_of_file(one)}/own")[1] == read_stored(data).stored).all()
    held.pop(0)
    gc.collect()
    assert get(f"{viewer_routes.address_of_file(one)}/own")[0] == 404
    assert get(f"{viewer_routes.address_of_file(other)}/own")[0] == 200


def test_a_damaged_upload_says_so() -> None:
    file = SessionFile("scan.png", b"\x89PNG\r\n\x1a\n nothing")
    status, _, content = get(f"{viewer_routes.address_of_file(session_files.key_of(file, owner='x'))}/own")
    assert status == 404
    assert b"scan.png" in content
