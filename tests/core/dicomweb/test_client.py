"""Asking a server: what is believed, what is refused, what is tried again, and that nobody else is ever asked."""

from __future__ import annotations

import time

import pytest

from radcbir_core.dicomweb.client import INSTANCE, STUDY, Client, Instance, InstanceError, ServerLimits, text_of
from radcbir_core.dicomweb.server_address import PASSWORD, USER, address_of
from radcbir_core.errors import ServerError
from tests.core.images.dicom_files import SECRET
from tests.dicom_servers import slice_of, stand_in

QUICK = ServerLimits(instance_bytes=200_000, search_bytes=100_000, seconds=0.3, silence=2.0, pauses=(0.01,))
ONE = Instance("1.2.9", "1.2.9.1", "1.2.9.1.1")


def client(url: str, **settings: str) -> Client:
    return Client(address_of(url, settings), limits=QUICK)


def test_each_page_of_a_search_is_asked_for_until_nothing_new_comes() -> None:
    for options in ({}, {"page": 1}, {"page": 2}, {"ignores_offset": True}):
        with stand_in(**options) as (url, _), client(url) as asked:
            found = [text_of(item, INSTANCE) for item in asked.search("studies/1.2.9/series/1.2.9.1/instances")]
            assert sorted(found) == ["1.2.9.1.1", "1.2.9.1.2", "1.2.9.1.3"]
            assert [text_of(item, STUDY) for item in asked.search("studies", {"StudyDate": "20230101"})] == ["1.2.8"]
            assert list(asked.search("studies", {"StudyDate": "18990101"})) == []


def test_an_instance_comes_as_it_is_kept_in_parts_or_plain() -> None:
    with stand_in() as (url, does), client(url) as asked:
        assert asked.retrieve(ONE) == slice_of(1)
        assert "transfer-syntax=*" in does.headers["Accept"]
        assert does.headers["Accept-Encoding"] == "identity"
        does.faults[ONE.instance] = "plain"
        assert asked.retrieve(ONE) == slice_of(1)
        does.faults[ONE.instance] = "once 406"
        assert asked.retrieve(ONE) == slice_of(1)
        assert "transfer-syntax" not in does.headers["Accept"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("404", "it answers 404 (Not Found)"),
        ("500", "it answers 500"),
        ("text", "gives something else"),
        ("no boundary", "none, or cut off"),
        ("endless", "at most 200,000 bytes"),
        ("packed", "not packed"),
    ],
)
def test_one_instance_that_does_not_come_is_an_error_of_its_own(fault, said) -> None:
    with stand_in(faults={ONE.instance: fault}) as (url, _), client(url) as asked:
        with pytest.raises(InstanceError) as caught:
            asked.retrieve(ONE)
        assert said in str(caught.value)
        assert SECRET not in str(caught.value)
        assert "1.2.9" not in str(caught.value)
        assert asked.retrieve(Instance("1.2.9", "1.2.9.1", "1.2.9.1.2")) == slice_of(2)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "Expected to be let in"),
        ("403", "Expected to be let in"),
        ("redirect", "is never followed"),
        ("drop", "does not answer"),
        ("cut", "does not answer, or not to the end"),
        ("slow", "takes too long"),
    ],
)
def test_a_server_that_is_gone_or_refuses_is_an_error_of_all(fault, said) -> None:
    with stand_in() as (other, elsewhere):
        options = {"faults": {ONE.instance: fault}, "elsewhere": f"{other}/studies"}
        with stand_in(**options) as (url, _), client(url) as asked:
            with pytest.raises(ServerError) as caught:
                asked.retrieve(ONE)
            assert said in str(caught.value)
        assert elsewhere.asked == []


@pytest.mark.parametrize("fault", ["once 500", "once 503", "once drop", "once cut"])
def test_what_fails_on_the_way_is_asked_for_again(fault) -> None:
    with stand_in(faults={ONE.instance: fault}) as (url, does), client(url) as asked:
        assert asked.retrieve(ONE) == slice_of(1)
        assert len(does.asked) == 2


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("text", "Expected what a search finds as JSON"),
        ("400", "Expected an answer to a search"),
        ("redirect", "is never followed"),
        ("401", "Expected to be let in"),
        ("endless", "Expected a search to be answered in at most 100,000 bytes"),
        ("packed", "not packed"),
    ],
)
def test_a_search_that_brings_something_else_is_an_error_of_the_server(fault, said) -> None:
    """Not of an instance, which would be left out while the rest goes on."""
    with stand_in(search_fault=fault) as (url, _), client(url) as asked, pytest.raises(ServerError, match=said):
        list(asked.search("studies"))


def test_a_server_that_is_not_there_is_said() -> None:
    with stand_in() as (url, _):
        pass
    began = time.monotonic()
    with pytest.raises(ServerError, match="it goes on"), client(url) as asked:
        list(asked.search("studies"))
    assert time.monotonic() - began < 5


def test_credentials_are_sent_and_never_told() -> None:
    settings = {USER: "me", PASSWORD: "hush-hush"}
    with stand_in(authorization="Basic bWU6aHVzaC1odXNo") as (url, _):
        with client(url, **settings) as asked:
            assert len(list(asked.search("studies"))) == 2
        with client(url) as asked, pytest.raises(ServerError) as caught:
            list(asked.search("studies"))
    assert "hush" not in str(caught.value)


def test_only_identifiers_get_into_a_path() -> None:
    with stand_in() as (url, does), client(url) as asked:
        for uid in ("../../admin", "1.2/..", "", "1.2\r\nX: y", "1" * 65):
            with pytest.raises(InstanceError, match="unique identifiers"):
                asked.retrieve(Instance("1.2", "1.2", uid))
        assert does.asked == []


def test_proxies_of_the_environment_are_not_used(monkeypatch) -> None:
    with stand_in() as (proxy, other), stand_in() as (url, _):
        monkeypatch.setenv("http_proxy", proxy)
        with client(url) as asked:
            assert len(list(asked.search("studies"))) == 2
        assert other.asked == []
