"""Asking a DICOMweb server: searches as JSON (QIDO-RS), and one instance at a time (WADO-RS).

Owns the connection and its rules. What is asked is a path below the address that was given and nothing else: no
redirect is followed, and no address in an answer is ever asked, so that neither a visitor nor a server can make this
machine ask another. Proxies of the environment are not used. Every answer has a limit of bytes and of time. An answer
that fails on the way is asked for again, a few times. Messages name the server and never an identifier.

Searching: PS3.18, 10.6 and 8.3.4; retrieving: PS3.18, 10.4.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final
from urllib.parse import quote, urlencode

from radcbir_core.dicomweb.multipart import MultipartError, media_type_of, parts_of
from radcbir_core.dicomweb.server_address import PASSWORD, TOKEN, USER, ServerAddress
from radcbir_core.errors import ImageError, ServerError

INSTANCE_BYTES: Final = 512 * 1024 * 1024
"""The largest instance that is taken, as of any file."""
SEARCH_BYTES: Final = 64 * 1024 * 1024
_PAGE: Final = 500
_SILENCE_SECONDS: Final = 60.0
_PIECE: Final = 256 * 1024
PAUSES: Final = (0.2, 1.0, 4.0)
"""Before each further try, in seconds."""
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
_ANY_SYNTAX: Final = 'multipart/related; type="application/dicom"; transfer-syntax=*'
_DICOM: Final = 'multipart/related; type="application/dicom"'

STUDY, SERIES, INSTANCE, MODALITY = "0020000D", "0020000E", "00080018", "00080060"
_NUMBER: Final = "00200013"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance on a server, by its identifiers, which are never shown or kept.

    Attributes:
        study: Its study instance UID.
        series: Its series instance UID.
        instance: Its SOP instance UID.
        modality: Of its series; "" where the server does not say.
        number: Its instance number; 0 where the server does not say.
    """

    study: str
    series: str
    instance: str
    modality: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What a server may cost.

    Attributes:
        instance_bytes: Of one instance.
        search_bytes: Of one page of what a search finds.
        seconds: For one answer in all.
        silence: For the next bytes of one.
        pauses: Before each further try, in seconds.
    """

    instance_bytes: int = INSTANCE_BYTES
    search_bytes: int = SEARCH_BYTES
    seconds: float = 600.0
    silence: float = _SILENCE_SECONDS
    pauses: tuple[float, ...] = field(default_factory=lambda: PAUSES)


class InstanceError(ImageError):
    """One instance that the server does not give as it should; others may be well."""


class _TooLongError(Exception):
    """An answer is longer than ``most`` bytes; what it was an answer to says whoever asked."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most


class _PackedError(Exception):
    """An answer is packed."""


def is_uid(text: str) -> bool:
    """Whether a text is a DICOM unique identifier (PS3.5, 9.1), and so harmless in a path.

    Example:
        >>> [is_uid(text) for text in ("1.2.840.10008", "1.2/../x", "", "1." * 40 + "1")]
        [True, False, False, False]
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


class Client:
    """A connection to a server, kept for the next question; not safe to share between threads.

    Args:
        address: Of the server.
        limits: What it may cost.
    """

    def __init__(self, address: ServerAddress, *, limits: ServerLimits | None = None) -> None:
        self.address = address
        self._limits = limits or ServerLimits()
        self._connection: http.client.HTTPConnection | None = None
        self._any_syntax = True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def search(self, level: str, matching: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Search for studies, series or instances, page by page.

        Args:
            level: Below the address: ``studies``, ``series``, ``studies/UID/series`` and so on.
            matching: Keyword or tag → value.

        Yields:
            Each found item once, as DICOM JSON (PS3.18, F.2): tag → element.

        Raises:
            ServerError: The server does not answer, refuses, or answers with something else.
        """
        key = {"studies": STUDY, "series": SERIES, "instances": INSTANCE}[level.rpartition("/")[2]]
        seen: set[str] = set()
        while True:
            query = urlencode({**(matching or {}), "limit": _PAGE, "offset": len(seen)})
            before = len(seen)
            for item in self._found(f"{level}?{query}"):
                uid = text_of(item, key)
                if is_uid(uid) and uid not in seen:
                    seen.add(uid)
                    yield item
            # A server may give fewer than it is asked for, or begin anew: it is done once a page brings nothing new.
            if len(seen) == before:
                return

    def retrieve(self, instance: Instance) -> bytes:
        """The file of one instance, as the server keeps it.

        Raises:
            InstanceError: The server does not have it, gives something else, or more than the limit.
            ServerError: The server does not answer, or lets nobody in.
        """
        for uid in (instance.study, instance.series, instance.instance):
            if not is_uid(uid):
                raise InstanceError("Expected unique identifiers of DICOM, but the server names others. Leave it out.")
        path = f"studies/{instance.study}/series/{instance.series}/instances/{instance.instance}"
        try:
            status, kind, body = self._instance_at(path)
        except _TooLongError as error:
            raise InstanceError(
                f"Expected an instance of at most {error.most:,} bytes, but the server's answer is longer. Leave it "
                "out, or import it from a folder."
            ) from error
        except _PackedError as error:
            raise InstanceError(str(error)) from error
        if status != 200:
            raise InstanceError(
                f"Expected an instance from the server, but it answers {status} ({_reason(status)}). Ask whoever runs "
                "it, or leave the instance out."
            )
        return self._dicom_in(kind, body)

    def _instance_at(self, path: str) -> tuple[int, str, bytes]:
        status, kind, body = self._asked(path, _ANY_SYNTAX if self._any_syntax else _DICOM, self._limits.instance_bytes)
        if status in {400, 406, 415} and self._any_syntax:
            # Some do not know that any transfer syntax may be asked for.
            self._any_syntax = False
            status, kind, body = self._asked(path, _DICOM, self._limits.instance_bytes)
        return status, kind, body

    def _dicom_in(self, kind: str, body: bytes) -> bytes:
        media, _, boundary = media_type_of(kind)
        if media == "application/dicom":
            return body
        if media == "multipart/related":
            try:
                for part, content in parts_of(body, boundary):
                    if part in {"application/dicom", ""}:
                        return content
            except MultipartError as error:
                raise InstanceError(
                    "Expected a whole answer in parts (multipart/related), but the server's is none, or cut off. Try "
                    "again."
                ) from error
        raise InstanceError(
            "Expected a DICOM file (application/dicom), but the server gives something else. Check that the address is "
            "that of its DICOMweb service."
        )

    def _found(self, path: str) -> list[dict[str, Any]]:
        try:
            status, kind, body = self._asked(path, "application/dicom+json", self._limits.search_bytes)
        except _TooLongError as error:
            raise ServerError(
                f"Expected a search to be answered in at most {error.most:,} bytes, but the answer of "
                f"{self.address.named} is longer. Search for less: single studies, or fewer days."
            ) from error
        except _PackedError as error:
            raise ServerError(str(error)) from error
        if status == 204:
            return []
        if status != 200:
            raise ServerError(
                f"Expected an answer to a search, but {self.address.named} answers {status} ({_reason(status)}). Check "
                "that the address is that of its DICOMweb service, and what may be searched for."
            )
        found = _list_in(kind, body)
        if found is None:
            raise ServerError(
                f"Expected what a search finds as JSON, but {self.address.named} answers with something else. Check "
                "that the address is that of its DICOMweb service, such as http://host:8042/dicom-web."
            )
        return found

    def _asked(self, path: str, accept: str, most: int) -> tuple[int, str, bytes]:
        """Status, media type and body of an answer; asked for again where the way there fails."""
        fault = "does not answer"
        pauses = (0.0, *self._limits.pauses)
        for number, pause in enumerate(pauses):
            time.sleep(pause)
            try:
                status, kind, body = self._once(path, accept, most)
            except ssl.SSLCertVerificationError as error:
                self.close()
                raise ServerError(
                    f"Expected a certificate that can be trusted, but that of {self.address.named} cannot. Let "
                    "SSL_CERT_FILE name the file with your hospital's certificates."
                ) from error
            except (OSError, http.client.HTTPException) as error:
                self.close()
                fault = "takes too long" if isinstance(error, TimeoutError) else "does not answer, or not to the end"
                continue
            except BaseException:
                self.close()
                raise
            if status not in _AGAIN or number == len(pauses) - 1:
                self._refuse_strangers(status)
                return status, kind, body
        raise ServerError(
            f"Expected an answer from {self.address.named}, but it {fault}. See that the server runs, and do the same "
            "again: it goes on."
        )

    def _refuse_strangers(self, status: int) -> None:
        if status in {401, 403, 407}:
            raise ServerError(
                f"Expected to be let in, but {self.address.named} answers {status} ({_reason(status)}). Set {USER} and "
                f"{PASSWORD}, or {TOKEN}, in the environment."
            )
        if 300 <= status < 400:
            raise ServerError(
                f"Expected an answer from {self.address.named}, but it sends us to another address ({status}), which "
                "is never followed. Give the address where the service is."
            )

    def _once(self, path: str, accept: str, most: int) -> tuple[int, str, bytes]:
        connection = self._connected()
        headers = {"Accept": accept, "Accept-Encoding": "identity", "User-Agent": "RadCBIR"}
        if self.address.authorization:
            headers["Authorization"] = self.address.authorization
        connection.request("GET", f"{quote(self.address.path, safe='/%~')}/{path}", headers=headers)
        answer = connection.getresponse()
        body = self._body(answer, most)
        kind = answer.headers.get("Content-Type", "")
        if answer.will_close:
            self.close()
        return answer.status, kind, body

    def _body(self, answer: http.client.HTTPResponse, most: int) -> bytes:
        """A body to its end, which comes in time and within the limit."""
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _PackedError("Expected an answer that is not packed, but the server packs it. Switch that off there.")
        end = time.monotonic() + self._limits.seconds
        announced = answer.length
        pieces, size = [], 0
        while piece := answer.read1(min(_PIECE, most + 1 - size)):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                self.close()
                raise _TooLongError(most)
            if time.monotonic() > end:
                raise TimeoutError
        if announced is not None and size < announced:
            raise http.client.IncompleteRead(b"", announced - size)
        answer.close()  # so that the connection can be asked again
        return b"".join(pieces)

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            address, silence = self.address, self._limits.silence
            if address.scheme == "https":
                context = ssl.create_default_context()
                self._connection = http.client.HTTPSConnection(
                    address.host, address.port, timeout=silence, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(address.host, address.port, timeout=silence)
        return self._connection


def _list_in(kind: str, body: bytes) -> list[dict[str, Any]] | None:
    """The objects of a list in JSON; None where it is something else."""
    if media_type_of(kind)[0] not in {"application/dicom+json", "application/json"}:
        return None
    try:
        found = json.loads(body) if body.strip() else []
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(item, dict) for item in found) else None


def text_of(item: Mapping[str, Any], tag: str) -> str:
    """The first value of an element in DICOM JSON as text; "" where there is none.

    Example:
        >>> text_of({"00080060": {"vr": "CS", "Value": ["CT"]}}, MODALITY), text_of({"00080060": {}}, MODALITY)
        ('CT', '')
    """
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, Mapping) else None
    first = values[0] if isinstance(values, list) and values else ""
    return str(first).strip() if isinstance(first, str | int | float) else ""


def number_of(item: Mapping[str, Any]) -> int:
    """The instance number in DICOM JSON; 0 where there is none.

    Example:
        >>> number_of({"00200013": {"vr": "IS", "Value": [7]}}), number_of({})
        (7, 0)
    """
    text = text_of(item, _NUMBER)
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else 0


def _reason(status: int) -> str:
    return http.client.responses.get(status, "unknown")
