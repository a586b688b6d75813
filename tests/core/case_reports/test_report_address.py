"""The address in a report: it names no patient, and opens the same again."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.case_reports.report_address import has_digests, with_ids, without_names
from radcbir_core.collections.collection import open_collection
from radcbir_core.errors import ImageNotFoundError


@pytest.fixture
def small(small_data, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return open_collection("small")


def test_there_and_back_again(small) -> None:
    one, other, third = (str(small.manifest.record(row)["image_id"]) for row in (3, 9, 12))
    parameters = {
        "collection": ["small"],
        "image": [one],
        "add": [f"like:{other}", f"image:-0.5:{third}", "text:0.5:a: b", "no step"],
        "select": ["box:0,1,2,3", f"image:{other}", f"-image:{third}", f"encoder@image:{one}"[:8] + "box:1,2,3,4"],
        "where": ["modality=CT"],
        "k": ["5"],
    }
    further = {"find": ["Doe"], "beside": [other], "browse": ["patient_id=Doe"], "what no page knows": ["Doe"]}
    anonymous = without_names({**parameters, **further}, small)
    assert anonymous is not None
    assert has_digests(anonymous)
    assert not has_digests(parameters)
    said = str(anonymous)
    assert not [image_id for image_id in (one, other, third) if image_id in said]
    assert set(anonymous) == set(parameters)
    assert with_ids(anonymous, small) == parameters
    assert with_ids(parameters, small) == parameters
    assert without_names({"k": ["5"]}, small) == {"k": ["5"]}


def test_of_several_copies_of_a_file_the_one_that_was_asked_for_opens(small, monkeypatch) -> None:
    manifest = type(small.manifest)
    digest = str(small.manifest.record(3)["sha256"])
    names = [str(small.manifest.record(row)["image_id"]) for row in (3, 9, 12)]
    plain, rows_with = manifest.record, manifest.rows_with

    def record(self, row, columns=None):
        return plain(self, row, columns) | (
            {"sha256": digest} if row in (9, 12) and "sha256" in (columns or ()) else {}
        )

    def rows(self, column, value):
        return np.array([3, 9, 12]) if (column, value) == ("sha256", digest) else rows_with(self, column, value)

    monkeypatch.setattr(manifest, "record", record)
    monkeypatch.setattr(manifest, "rows_with", rows)
    parameters = {
        "image": [names[1]],
        "add": [f"like:{names[2]}", f"unlike:{names[0]}"],
        "select": [f"-image:{names[2]}"],
    }
    anonymous = without_names(parameters, small)
    assert anonymous is not None
    assert len({anonymous["image"][0], *(word.partition(":")[2] for word in anonymous["add"])}) == 3
    assert with_ids(anonymous, small) == parameters
    assert with_ids({"image": [f"sha256:{digest}"]}, small) == {"image": [names[0]]}, "as addresses were before"
    with pytest.raises(ImageNotFoundError, match="is of 3 of its images, and number 4 is meant"):
        with_ids({"image": [f"sha256:{digest}~4"]}, small)


def test_an_image_without_a_digest_keeps_its_id_unless_it_names_its_patient(small, monkeypatch) -> None:
    image_id = str(small.manifest.record(3)["image_id"])
    manifest = type(small.manifest)
    for patient, kept in (("p77", True), ("", True), (image_id[:4].upper(), False)):
        monkeypatch.setattr(
            manifest, "record", lambda self, row, columns=None, who=patient: {"sha256": "", "patient_id": who}
        )
        assert (without_names({"image": [image_id]}, small) is not None) == kept


def test_an_unknown_digest_is_an_error_with_advice(small) -> None:
    with pytest.raises(ImageNotFoundError, match=r"Expected the digest of a file that small has.*Open the collection"):
        with_ids({"image": ["sha256:" + "0" * 64]}, small)
