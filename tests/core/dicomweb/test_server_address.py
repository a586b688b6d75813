from __future__ import annotations

import pytest

from radcbir_core.dicomweb.server_address import PASSWORD, TOKEN, URL, USER, address_of, configured
from radcbir_core.errors import ServerError

SECRETS = {USER: "me", PASSWORD: "hush"}


@pytest.mark.parametrize(
    "url",
    ["", "pacs", "ftp://pacs/x", "file:///etc/passwd", "http://me:hush@pacs/x", "http://pacs/x?a=1", "http://pacs/#a",
     "http://pacs:99999/", "http://pa cs/", "http:///x", "http://pacs/\r\nX: y", "http://[::1"],
)  # fmt: skip
def test_other_addresses_are_refused_without_being_repeated(url) -> None:
    with pytest.raises(ServerError) as caught:
        address_of(url, {})
    assert "hush" not in str(caught.value)
    assert "address of a DICOMweb server" in str(caught.value)


def test_credentials_go_to_the_server_they_were_set_for() -> None:
    settings = {URL: "https://pacs.example/rs", **SECRETS}
    assert address_of("https://PACS.example:443/other", settings).authorization == "Basic bWU6aHVzaA=="
    for other in ("http://pacs.example/rs", "https://pacs.example:8443/rs", "https://pacs.example.evil/rs"):
        assert address_of(other, settings).authorization == ""
    assert address_of("http://anywhere/rs", SECRETS).authorization.startswith("Basic ")
    assert address_of("http://localhost/rs", {TOKEN: "abc"}).authorization == "Bearer abc"


def test_credentials_are_shown_nowhere_and_said_to_be_unencrypted() -> None:
    address = address_of("http://pacs.example/rs", SECRETS)
    assert "hush" not in repr(address)
    assert "bWU6" not in repr(address)
    assert "unencrypted" in address.notes[0]
    assert address_of("http://127.0.0.1:8042/x", SECRETS).notes == ()
    assert address_of("https://pacs.example/x", SECRETS).notes == ()


@pytest.mark.parametrize("settings", [{USER: "me"}, {PASSWORD: "x"}, {**SECRETS, TOKEN: "t"}, {TOKEN: "a b"}])
def test_half_of_the_credentials_is_none(settings) -> None:
    with pytest.raises(ServerError) as caught:
        address_of("http://localhost/", settings)
    assert "hush" not in str(caught.value)


def test_nothing_is_configured_unless_it_is_named(monkeypatch) -> None:
    monkeypatch.delenv(URL, raising=False)
    assert configured() is None
    monkeypatch.setenv(URL, "http://localhost:8042/dicom-web/")
    address = configured()
    assert (address.named, address.path) == ("localhost:8042", "/dicom-web")
