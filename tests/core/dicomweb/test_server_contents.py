"""What is found on a server, level by level; on a real Orthanc the same as on one that the test has written."""

from __future__ import annotations

import pytest

from radcbir_core.dicomweb.client import Client, Instance, ServerLimits
from radcbir_core.dicomweb.server_address import address_of
from radcbir_core.dicomweb.server_contents import Wanted, find_by_uid, find_instances
from radcbir_core.errors import ServerError
from tests.dicom_servers import CREDENTIALS, a_few_studies, orthanc, slice_of, stand_in, store

CT = [Instance("1.2.9", "1.2.9.1", f"1.2.9.1.{number}", "CT", number) for number in (1, 2, 3)]
DX = [Instance("1.2.9", "1.2.9.2", "1.2.9.2.9", "DX", 9)]
MR = [Instance("1.2.8", "1.2.8.1", f"1.2.8.1.{number}", "MR", number) for number in (21, 22)]


@pytest.fixture(params=["a stand-in", "Orthanc"], scope="module")
def server(request, tmp_path_factory):
    if request.param == "Orthanc":
        with orthanc(tmp_path_factory.mktemp("orthanc")) as url:
            store(url, a_few_studies())
            yield url
    else:
        with stand_in() as (url, _):
            yield url


def asked(url: str) -> Client:
    return Client(address_of(url, CREDENTIALS), limits=ServerLimits(pauses=(0.01,)))


def found(url: str, **wanted) -> list[Instance]:
    with asked(url) as client:
        return sorted(find_instances(client, Wanted(**wanted)), key=lambda one: (one.study, one.series, one.number))


def test_all_a_study_a_series_or_what_matches(server) -> None:
    assert found(server) == [*MR, *CT, *DX]
    assert found(server, studies=("1.2.9",)) == [*CT, *DX]
    assert found(server, series=("1.2.9.2", "1.2.8.1")) == [*MR, *DX]
    assert found(server, matching={"Modality": ["MR", "DX"]}) == [*MR, *DX]
    assert found(server, studies=("1.2.9",), matching={"Modality": ["CT"]}) == CT
    assert found(server, matching={"StudyDate": ["20240203"]}) == [*CT, *DX]
    assert found(server, studies=("1.2.9",), matching={"StudyDate": ["20230101"]}) == []
    assert found(server, matching={"Modality": ["US"]}) == []


def test_an_identifier_need_not_say_of_what_it_is(server) -> None:
    with asked(server) as client:
        assert sorted(find_by_uid(client, "1.2.9"), key=lambda one: one.series) == [*CT, *DX]
        assert find_by_uid(client, " 1.2.9.1 ") == CT
        (one,) = find_by_uid(client, "1.2.9.1.2")
        assert (one.study, one.series, one.instance) == ("1.2.9", "1.2.9.1", "1.2.9.1.2")
        with pytest.raises(ServerError, match="none of this identifier"):
            find_by_uid(client, "1.2.99")
        for wrong in ("", "SECRET^NAME", "1.2/../.."):
            with pytest.raises(ServerError, match="unique identifiers") as caught:
                find_by_uid(client, wrong)
            assert "SECRET" not in str(caught.value)


def test_what_is_named_and_not_there_is_said(server) -> None:
    for wanted in ({"studies": ("1.2.99",)}, {"series": ("1.2.9.1", "1.2.99")}):
        with pytest.raises(ServerError, match="does not have"):
            found(server, **wanted)


def test_patients_are_not_searched_for() -> None:
    for keyword in ("PatientID", "PatientName", "AccessionNumber"):
        with pytest.raises(ServerError, match="are never asked for"):
            Wanted(matching={keyword: ["x"]}).check()


def test_a_file_of_a_real_server_is_the_one_that_it_was_given(server) -> None:
    with asked(server) as client:
        assert client.retrieve(CT[0])[-400:] == slice_of(1)[-400:]


def test_far_too_much_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.dicomweb.server_contents.MOST_INSTANCES", 3)
    with stand_in() as (url, _), pytest.raises(ServerError, match="at most 3 images"):
        found(url)
