from __future__ import annotations

import io
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundMultiFrameImageStorage, generate_uid

from radcbir_core.collections.collection import open_collection
from radcbir_core.evaluation.reports.factors import Factors
from radcbir_core.evaluation.reports.hubness import Hubness
from radcbir_core.search.engines.usearch import USearch
from radcbir_core.search.retriever import Retriever
from tests.core.images.nifti_files import nifti_bytes
from tests.pages.reading import cards, complaints, html, pictures, words
from tests.small_images import FORMULA_LABEL, HAN_LABEL, HTML_LABEL, draw


@pytest.fixture
def chest(app):
    """The image_id of chest_00.png and a retriever to compare with."""
    collection = open_collection("small")
    return collection, Retriever(collection, "pixels")


def image_id(name):
    collection = open_collection("small")
    paths = collection.manifest.column("path")
    row = next(row for row, path in enumerate(paths) if path.endswith(name))
    return collection.manifest.record(row)["image_id"]


def left_out(at):
    """The choice of what a query may not return."""
    return next(one for one in at.pills if one.label.startswith("Leave out"))


def upload(at, data, name="upload.png"):
    at.segmented_control[0].set_value("upload").run()
    at.file_uploader[0].set_value((name, data, "application/octet-stream"))
    return at.run()


def png_of(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_without_a_collection_it_says_which_command_is_next(empty_app):
    at = empty_app("retrieval")
    assert not complaints(at)
    assert "There is no collection yet" in words(at)
    assert any("import" in code.value for code in at.code)


def test_it_says_how_the_hits_were_found(app, copied_data, monkeypatch):
    """Exactly; or, where the index was asked, with what recall, as it was measured when the index was built."""
    query = image_id("chest_00.png")
    assert "Exact search over 61 images" in html(app("retrieval", image=query))
    store = open_collection("small").store("pixels")
    store.update(index={**store.record["index"], "recall_at_1": 1.0, "recall_at_10": 0.96, "recall_at_100": None})
    monkeypatch.setitem(USearch.__init__.__kwdefaults__, "exact_elements", 0)
    said = "(usearch, which finds 100 % of the exact first hits and 96.0 % of the first 10) over 61 images"
    assert f"Approximate search {said}" in html(app("retrieval", image=query))


def test_without_a_query_it_offers_the_images_of_the_collection(app):
    at = app("retrieval")
    assert not complaints(at)
    assert "61 images" in words(at)
    assert len(cards(at)) == 40
    assert all("rank" not in card for card in cards(at))


def test_a_deep_link_opens_exactly_that(app, chest):
    collection, retriever = chest
    query = image_id("chest_02.png")
    at = app(
        "retrieval",
        collection="small",
        encoder="pixels",
        image=query,
        k="7",
        exclude=["patient"],
        where=["split=train"],
    )
    assert not complaints(at)
    assert pictures(at)[0]["description"] == f"Query: {query}"
    row = collection.manifest.row_of(query)
    expected = retriever.search(row, k=7, where={"split": ["train"]}, exclude=["patient"]).hits
    assert [card["row"] for card in cards(at)] == expected.rows[0].tolist()
    assert [card["similarity"] for card in cards(at)] == [f"{value:.3f}" for value in expected.similarities[0]]
    assert [card["rank"] for card in cards(at)] == list(range(1, 8))
    assert hits_box(at).value == 7
    assert left_out(at).value == ["patient"]
    assert next(box for box in at.multiselect if box.label == "Split").value == ["train"]


def test_the_hits_are_never_the_query_nor_its_copy_nor_its_patient_unless_asked_for(app):
    query = image_id("chest_00.png")
    shown = {card["image_id"] for card in cards(app("retrieval", image=query, k="100"))}
    assert not shown & {query, image_id("chest_copy.png"), image_id("chest_01.png")}
    assert len(shown) == 58
    shown = {card["image_id"] for card in cards(app("retrieval", image=query, k="100", exclude="none"))}
    assert shown >= {image_id("chest_copy.png"), image_id("chest_01.png")}
    assert query not in shown
    assert len(shown) == 60


def test_each_hit_says_whether_anatomy_and_pathology_are_the_same(app):
    at = app("retrieval", image=image_id("chest_02.png"), k="100", exclude="none")  # pneumonia and effusion
    said = {}
    for card in cards(at):
        anatomy, pathology = card["lines"]
        said.setdefault((anatomy["word"], pathology["word"], pathology["value"]), 0)
        said[anatomy["word"], pathology["word"], pathology["value"]] += 1
        assert anatomy["sign"] == {"same": "✓", "other": "✗"}[anatomy["word"]]
        assert pathology["sign"] == {"same": "✓", "in part": "≈", "other": "✗", "not labeled": "?"}[pathology["word"]]
    assert said["same", "same", "pneumonia, effusion"] == 4
    assert said["same", "in part", "pneumonia"] == 6
    assert said["same", "other", "normal"] == 5
    assert said["same", "not labeled", "not labeled"] == 5
    assert said["other", "other", HTML_LABEL] == 10
    summary = re.search(r'radcbir-summary">(.*?)</p>', html(at)).group(1)
    assert "<b>20 of 60</b> same anatomy" in summary
    assert "<b>4 of 60</b> same pathology, 6 in part, 5 not labeled" in summary


def test_beside_a_query_without_a_label_nothing_agrees_or_disagrees(app):
    at = app("retrieval", image=image_id("chest_03.png"))  # an anatomy, but no pathology
    for card in cards(at):
        anatomy, pathology = card["lines"]
        assert anatomy["word"] in {"same", "other"}
        assert "word" not in pathology
    summary = re.search(r'radcbir-summary">(.*?)<br>', html(at)).group(1)
    assert "same anatomy" in summary
    assert "same pathology" not in summary
    assert "Pathology: <b>" in summary


def test_the_facts_of_the_query_are_shown_word_for_word(app):
    shown = html(app("retrieval", image=image_id("abdomen_00.png")))
    assert "&lt;b onclick=&quot;x()&quot;&gt;bold" in shown
    assert "<b onclick" not in shown
    assert "&lt;i&gt;abdomen_00.png&lt;/i&gt;" in shown


def test_a_broken_image_link_says_so_and_offers_the_others(app):
    at = app("retrieval", image="<script>nope")
    assert "image_id = '<script>nope' is not in it" in complaints(at)
    assert len(cards(at)) == 40


@pytest.mark.parametrize("k", ["0", "101", "-1", "ten", "1.5", "٣", pytest.param("9" * 5000, id="9…")])
def test_a_k_out_of_range_is_reported_and_ten_is_used(app, k):
    at = app("retrieval", image=image_id("brain_00.png"), k=k)
    assert f"Expected k from 1 to 100, but k = {k[:80]}. 10 is used instead." in complaints(at)
    assert len(cards(at)) == 10


def test_filters_that_do_not_exist_are_reported_and_the_rest_works(app):
    at = app("retrieval", image=image_id("brain_00.png"), where=["bogus=1", "modality=PET", "nonsense", "modality=CT"])
    said = complaints(at)
    assert "column = 'bogus'" in said
    assert "modality = 'PET'" in said
    assert "Expected where as column=value, but where = nonsense" in said
    assert {card["modality"] for card in cards(at)} == {"CT"}


def test_an_unknown_exclusion_is_reported_and_the_default_holds(app):
    at = app("retrieval", image=image_id("brain_00.png"), exclude=["planet"])
    assert "exclude = planet. It is left out. There are: duplicate, near-duplicate, patient." in complaints(at)
    assert left_out(at).value == ["duplicate", "near-duplicate", "patient"]
    assert len(cards(at)) == 10


def test_changing_a_control_changes_hits_and_url(app):
    at = app("retrieval", image=image_id("chest_00.png"))
    hits_box(at).set_value(3).run()
    assert len(cards(at)) == 3
    assert value_of(at, "k") == "3"
    left_out(at).set_value([]).run()
    assert value_of(at, "exclude") == "none"
    assert image_id("chest_copy.png") in {card["image_id"] for card in cards(at)}
    box = next(box for box in at.multiselect if box.label == "Modality")
    box.set_value(["CT"]).run()
    assert value_of(at, "where") == "modality=CT"
    assert {card["modality"] for card in cards(at)} == {"CT"}
    next(button for button in at.button if button.label == "Clear").click().run()
    assert "where" not in at.query_params
    assert not complaints(at)


def test_hits_are_ordered_by_what_holds_hubs_back(app, copied_data, chest):
    collection, retriever = chest
    evaluation = Hubness().suited(retriever.store)
    shutil.rmtree(evaluation.folder(retriever.store), ignore_errors=True)
    query = image_id("chest_02.png")
    at = app("retrieval", image=query, exclude="patient")
    next(box for box in at.selectbox if box.label == "Order by").set_value("mutual-proximity").run()
    assert not complaints(at)
    assert value_of(at, "hubness") == "mutual-proximity"
    row = collection.manifest.row_of(query)
    answer = retriever.search(row, exclude=["patient"], order="mutual-proximity")
    assert [card["row"] for card in cards(at)] == answer.rows().tolist()
    notes = [card["note"].split(" · ")[0] for card in cards(at)]
    assert notes == [f"by cosine rank {rank}" for rank in answer.ranks[0]]
    assert answer.ordered_by in html(at)
    assert "P@10 of the full label" not in html(at)  # nothing is said that is not kept
    table = evaluation.run(retriever.store).table
    figure = table[(table["averaging"] == "micro") & (table["k"] == 10)].iloc[0]
    told = f"{figure['mutual_proximity']:.3f} by mutual proximity, {figure['cosine']:.3f} by cosine, "
    assert told in html(at.run())


def test_an_upload_is_ordered_so_too_and_an_order_that_there_is_not_is_reported(app):
    at = upload(app("retrieval", hubness="csls"), png_of(np.asarray(draw(0, 99))))
    assert not complaints(at)
    assert "Ordered by CSLS" in html(at)
    assert all(card["note"].startswith("by cosine rank") for card in cards(at))
    at = app("retrieval", image=image_id("chest_02.png"), hubness="euclid")
    assert "hubness = euclid. cosine is used instead" in complaints(at)


def test_only_the_query_s_anatomy_is_searched(app, copied_data, chest):
    collection, retriever = chest
    factors = Factors().suited(retriever.store)
    shutil.rmtree(factors.folder(retriever.store), ignore_errors=True)
    at = app("retrieval", image=image_id("chest_02.png"), exclude="none")
    assert "as the query" not in html(at)
    at.toggle[0].set_value(True).run()
    assert not complaints(at)
    assert value_of(at, "within") == "anatomy"
    row = collection.manifest.row_of(image_id("chest_02.png"))
    assert [card["row"] for card in cards(at)] == retriever.search(row, within_anatomy=True).rows().tolist()
    assert "Only XR chest, as the query." in html(at)
    assert "P@10 of the full label" not in html(at)  # which says nothing that is not kept
    table = factors.run(retriever.store).table
    within = table[(table["factor"] == "within") & (table["modality"] == "") & (table["k"] == 10)].iloc[0]
    assert f"{within['share']:.3f} within their own anatomy" in html(at.run())


def test_an_anatomy_that_is_not_known_is_not_searched_within(app):
    at = upload(app("retrieval", within="anatomy"), png_of(np.asarray(draw(0, 99))))
    assert at.toggle[0].disabled
    assert not at.toggle[0].value
    assert "of this query modality and anatomy are not known" in words(at)
    assert len(cards(at)) == 10
    at = app("retrieval", image=image_id("chest_02.png"), within="modality")
    assert "Expected within to be one of those there are" in words(at)


def test_fewer_images_than_asked_for_is_said(app):
    at = app("retrieval", image=image_id("chest_00.png"), k="30", where=[f"pathologies={HAN_LABEL}"])
    assert "Only 5 of 30" in html(at)


def test_browsing_by_label_and_by_name(app):
    at = app("retrieval")
    next(box for box in at.selectbox if box.label == "Pathology").select(HTML_LABEL).run()
    assert "10 images" in words(at)
    at.text_input[0].set_value("ABDOMEN_1").run()
    assert "5 images" in words(at)
    at.text_input[0].set_value("no such name").run()
    assert "No image fits" in words(at)
    assert not complaints(at)


def test_paging_reaches_every_image_once(app):
    at = app("retrieval")
    first = [card["row"] for card in cards(at)]
    next(button for button in at.button if button.label == "Next page").click().run()
    assert sorted(first + [card["row"] for card in cards(at)]) == list(range(61))
    assert "41 to 61 of 61" in words(at)


def test_random_picks_an_image_of_those_browsed(app):
    at = app("retrieval", of_pathologies=HAN_LABEL)
    next(button for button in at.button if button.label == "Random").click().run()
    assert not complaints(at)
    row = open_collection("small").manifest.row_of(value_of(at, "image"))
    assert open_collection("small").manifest.record(row)["pathologies"] == [HAN_LABEL]


def test_an_upload_finds_what_it_looks_like_and_leaves_the_url(app):
    at = upload(app("retrieval"), png_of(np.asarray(draw(1, 99))))
    assert not complaints(at)
    assert {card["lines"][0]["value"] for card in cards(at)} == {"abdomen"}
    assert all("word" not in line for card in cards(at) for line in card["lines"])
    assert "<b>10</b> abdomen" in html(at)
    assert "not part of the link" in words(at)
    assert "upload.png" in html(at)


def test_exact_copies_of_an_upload_are_left_out_unless_asked_for(app, small_data):
    data = (small_data.parent / "small-data-source" / "chest_00.png").read_bytes()
    copies = {image_id("chest_00.png"), image_id("chest_copy.png")}
    at = upload(app("retrieval"), data)
    assert not copies & {card["image_id"] for card in cards(at)}
    left_out(at).set_value([]).run()
    assert copies <= {card["image_id"] for card in cards(at)}
    assert cards(at)[0]["similarity"] == "1.000"


def test_an_upload_that_is_in_the_collection_can_be_exchanged_for_it(app, small_data):
    data = (small_data.parent / "small-data-source" / "brain_04.png").read_bytes()
    at = upload(app("retrieval"), data)
    next(button for button in at.button if button.label == "Use the one of the collection").click().run()
    assert value_of(at, "image") == image_id("brain_04.png")
    assert "same anatomy" in html(at)
    assert not complaints(at)


def dicom_of(frames):
    """A multi-frame grayscale DICOM file of (F, H, W) uint8."""
    data = FileDataset("", {}, file_meta=FileMetaDataset(), preamble=b"\0" * 128)
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UltrasoundMultiFrameImageStorage
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid()
    data.Modality, data.PatientName = "US", "Not^Shown"
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.WindowCenter, data.WindowWidth = "120", "240"
    data.PixelData = frames.tobytes()
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_a_slice_of_an_uploaded_volume_can_be_chosen(app):
    slices = np.stack([np.asarray(draw(kind, 99)) for kind in (0, 1, 2)])
    # Right to left, front to back: as nibabel's axes run, seen in the other direction.
    volume = np.ascontiguousarray(np.flip(slices, axis=(1, 2)).transpose(2, 1, 0))
    at = upload(app("retrieval"), nifti_bytes(volume, spacing=(1, 1, 4), packed=True), name="scan.nii.gz")
    assert not complaints(at)
    assert at.slider[0].label == "Slice"
    assert "2 of 3" in html(at)
    assert "Its slices are axial, across the axis on which it is coarsest." in html(at)
    at.slider[0].set_value(1).run()
    assert "1 of 3" in html(at)
    assert not complaints(at)


def test_a_frame_of_a_multi_frame_upload_can_be_chosen(app):
    frames = np.stack([np.asarray(draw(kind, 99)) for kind in (0, 1, 2)])
    at = upload(app("retrieval"), dicom_of(frames), name="film.dcm")
    assert not complaints(at)
    assert "2 of 3" in html(at)
    assert "center 120, width 240 (0 to 240), from header" in html(at)
    assert "Not^Shown" not in html(at)
    assert {card["lines"][0]["value"] for card in cards(at)} == {"abdomen"}
    for frame, anatomy in ((3, "brain"), (1, "chest"), (2, "abdomen")):
        at.slider[0].set_value(frame).run()
        assert f"{frame} of 3" in html(at)
        assert {card["lines"][0]["value"] for card in cards(at)} == {anatomy}


def test_an_image_whose_file_is_gone_still_has_its_hits(app, copied_data, tmp_path):
    record = json.loads((copied_data / "collection.json").read_text())
    (copied_data / "collection.json").write_text(json.dumps(record | {"image_root": str(tmp_path / "gone")}))
    at = app("retrieval", image=image_id("chest_00.png"))
    assert "chest_00.png, but it is not there" in complaints(at)
    assert len(cards(at)) == 10
    assert all(card["source"] for card in cards(at))


def test_an_encoder_of_another_version_is_refused_for_uploads_only(app, copied_data):
    path = copied_data / "encoders" / "pixels" / "encoder.json"
    record = json.loads(path.read_text())
    record["artifacts"]["embeddings"]["of"]["encoder"] = "0" * 64
    path.write_text(json.dumps(record | {"fingerprint": "0" * 64}))
    at = upload(app("retrieval"), png_of(np.asarray(draw(0, 99))))
    assert "Build small with pixels again." in complaints(at)
    links = {link.proto.label: link for link in at.main if link.type == "page_link"}
    link = links["Build it on the Collections page"]
    assert link.proto.query_string == "show=small&part=encoders"
    assert not cards(at)
    at = app("retrieval", image=image_id("chest_00.png"))
    assert not complaints(at)
    assert len(cards(at)) == 10


@pytest.mark.parametrize(
    "data", [b"", b"this is text", b"\x89PNG\r\n\x1a\n broken"], ids=["empty", "text", "truncated"]
)
def test_an_upload_that_is_no_image_is_an_error_that_names_it(app, data):
    at = upload(app("retrieval"), data, name="<i>bad</i>.png")
    assert "<i>bad</i>.png" in complaints(at)
    at.segmented_control[0].set_value("collection").run()
    assert not complaints(at)
    assert cards(at)


def test_an_upload_outlives_a_visit_to_another_page(app):
    at = upload(app("retrieval"), png_of(np.asarray(draw(0, 99))), name="mine.png")
    at.switch_page("app.py").run()
    at.switch_page("pages/retrieval.py").run()
    assert "Still here: mine.png" in words(at)
    assert len(cards(at)) == 10
    next(button for button in at.button if button.label == "Remove").click().run()
    assert not cards(at)
    assert "Still here" not in words(at)


def test_the_query_comes_back_with_the_page(app):
    query = image_id("brain_00.png")
    at = app("retrieval", image=query, k="4")
    at.switch_page("app.py").run()
    links = {link.proto.label: link.proto for link in at.get("page_link")}
    assert "image=" in links["Retrieval"].query_string
    assert "k=4" in links["Retrieval"].query_string


def hits_box(at):
    return next(box for box in at.number_input if box.label == "Hits")


def value_of(at, name):
    value = at.query_params[name]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def test_the_formula_label_is_tamed_in_the_csv(app):
    from pages.parts.frame.csv_text import csv_bytes

    collection = open_collection("small")
    rows = np.flatnonzero(collection.manifest.mask({"pathologies": [FORMULA_LABEL]}))
    text = csv_bytes(collection.manifest.rows(rows, ["image_id", "pathologies"])).decode()
    assert text.count(f"'{FORMULA_LABEL}") == len(rows) == 5
    assert f",{FORMULA_LABEL}" not in text
