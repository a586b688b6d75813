"""Where a DICOMweb server is, and what it is to know us by.

Owns the address that an administrator or somebody at a terminal gives, the credentials from the environment, and to
whom these are sent: to the server that they were set for, and to nobody else. It opens no connection.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from radcbir_core.errors import ServerError

URL: Final = "RADCBIR_DICOMWEB_URL"
USER: Final = "RADCBIR_DICOMWEB_USER"
PASSWORD: Final = "RADCBIR_DICOMWEB_PASSWORD"  # noqa: S105 - the name of a setting
TOKEN: Final = "RADCBIR_DICOMWEB_TOKEN"  # noqa: S105 - the name of a setting

_OWN: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A DICOMweb server.

    Attributes:
        scheme: ``http`` or ``https``.
        host: Its name or number.
        port: As given, or the scheme's.
        path: What its services begin with, without a slash at the end: ``/dicom-web``.
        authorization: What is sent as ``Authorization``; "" for nothing. It is in no representation and no message.
    """

    scheme: str
    host: str
    port: int
    path: str
    authorization: str = field(default="", repr=False)

    @property
    def named(self) -> str:
        """The server in messages: its name and port, and nothing else of the address.

        Example:
            >>> address_of("https://pacs.example/dicom-web").named
            'pacs.example:443'
        """
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """What says whether two addresses are of one server."""
        return self.scheme, self.host, self.port

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know about it, one sentence each."""
        if self.authorization and self.scheme == "http" and self.host not in _OWN:
            return (f"The credentials for {self.named} go over the network unencrypted (http). Use https.",)
        return ()


def address_of(url: str, settings: Mapping[str, str] | None = None) -> ServerAddress:
    """The server at an address, with the credentials that were set for it.

    Args:
        url: ``http://…`` or ``https://…``, up to what its services begin with.
        settings: Where the credentials stand (:data:`USER` and :data:`PASSWORD`, or :data:`TOKEN`); the environment by
            default. Where :data:`URL` stands there too, they are for that server only.

    Raises:
        ServerError: It is no such address; or only a part of the credentials is set.

    Example:
        >>> address_of("http://localhost:8042/dicom-web/", {}).path
        '/dicom-web'
        >>> address = address_of("https://pacs.example/rs", {USER: "me", PASSWORD: "secret"})
        >>> address.authorization, "secret" in repr(address)
        ('Basic bWU6c2VjcmV0', False)
        >>> address_of("https://else.example/rs", {URL: "https://pacs.example/rs", TOKEN: "secret"}).authorization
        ''
    """
    settings = os.environ if settings is None else settings
    address = _parsed(url)
    intended = settings.get(URL, "").strip()
    if intended and _parsed(intended).origin != address.origin:
        return address
    return ServerAddress(address.scheme, address.host, address.port, address.path, _authorization(settings))


def configured(settings: Mapping[str, str] | None = None) -> ServerAddress | None:
    """The server that an administrator has named in the settings; None where there is none.

    Raises:
        ServerError: As :func:`address_of`.

    Example:
        >>> configured({}) is None, configured({URL: "http://localhost:8042/dicom-web"}).port
        (True, 8042)
    """
    settings = os.environ if settings is None else settings
    url = settings.get(URL, "").strip()
    return address_of(url, settings) if url else None


def _parsed(url: str) -> ServerAddress:
    # The address itself is not repeated: somebody may have written a password into it.
    refusal = ServerError(
        "Expected the address of a DICOMweb server as http://host:port/path or https://…, without name, password, "
        f"question mark or fragment, but it is another. Give it plainly; credentials go into {USER} and {PASSWORD}, or "
        f"{TOKEN}."
    )
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise refusal from None
    strange = any(character <= " " or character == "\x7f" or ord(character) > 126 for character in url.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname or strange:
        raise refusal
    if "@" in parts.netloc or parts.query or parts.fragment or "?" in url or "#" in url:
        raise refusal
    return ServerAddress(
        parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/")
    )


def _authorization(settings: Mapping[str, str]) -> str:
    user, password, token = (settings.get(name, "").strip() for name in (USER, PASSWORD, TOKEN))
    if token and not (user or password):
        if any(not 32 < ord(character) < 127 for character in token):
            raise ServerError(f"Expected a token of printable characters without blanks in {TOKEN}. Set it again.")
        return f"Bearer {token}"
    if bool(user) != bool(password) or token:
        raise ServerError(
            f"Expected {USER} and {PASSWORD}, or {TOKEN}, but another part of the three is set. Set one or the other."
        )
    if not user:
        return ""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
