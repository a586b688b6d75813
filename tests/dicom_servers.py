"""DICOMweb servers for tests: a real Orthanc as a child of the test, and one in this process that can misbehave."""

from __future__ import annotations

import base64
import ctypes
import http.client
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
from pydicom import dcmread

from radcbir_core.dicomweb.server_address import PASSWORD, TOKEN, URL, USER
from tests.core.images.dicom_files import SECRET, dicom_bytes

ORTHANC = shutil.which("Orthanc")
PLUGINS = ("/usr/share/orthanc/plugins/libOrthancDicomWeb.so", "/usr/lib/orthanc/libOrthancDicomWeb.so")
CREDENTIALS = {USER: "radcbir", PASSWORD: "hush-hush"}


def slice_of(number: int, *, study: str = "1.2.9", series: str = "", modality: str = "CT", **elements) -> bytes:
    """A file of a slice with text about SECRET in many places; each number has its own pixels and UID."""
    series = series or f"{study}.1"
    pixels = np.random.default_rng(number).integers(0, 1000, (16, 12), dtype=np.uint16)
    standard = {
        "SOPInstanceUID": f"{series}.{number}",
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "Modality": modality,
        "InstanceNumber": str(number),
        "BodyPartExamined": "CHEST",
        "StudyDate": "20240203",
        "StudyDescription": SECRET,
        "AccessionNumber": SECRET,
        "PatientBirthDate": "19700101",
        "ImageComments": SECRET,
    }
    return dicom_bytes(pixels, **{**standard, **elements})


def a_few_studies() -> list[bytes]:
    """Two studies of two patients: three CT slices, one X-ray beside them, and two MR slices."""
    ct = [slice_of(number) for number in (3, 1, 2)]
    beside = slice_of(9, series="1.2.9.2", modality="DX", ViewPosition="PA", StudyDate="20240203")
    mr = [slice_of(n, study="1.2.8", modality="MR", PatientID="SECRET 2", StudyDate="20230101") for n in (21, 22)]
    return [*ct, beside, *mr]


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """A running Orthanc with its DICOMweb plugin: its address. It ends with the block, or with this process."""
    plugin = next((path for path in PLUGINS if Path(path).exists()), None)
    if ORTHANC is None or plugin is None:
        pytest.skip("Orthanc and its DICOMweb plugin are not installed: apt-get install orthanc orthanc-dicomweb")
    port = _free_port()
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {CREDENTIALS[USER]: CREDENTIALS[PASSWORD]},
        "Plugins": [plugin],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "StableAge": 1,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        child = subprocess.Popen(
            [ORTHANC, str(folder / "orthanc.json")],
            stdout=log,
            stderr=log,
            preexec_fn=_dies_with_its_parent,  # noqa: PLW1509 - one call of the C library
        )
    try:
        _wait_until_it_answers(child, port, folder / "orthanc.log")
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def store(address: str, files: list[bytes]) -> None:
    """Give files to an Orthanc."""
    for data in files:
        _ask_orthanc(address.removesuffix("/dicom-web"), "/instances", data)


def _ask_orthanc(base: str, path: str, data: bytes | None = None) -> bytes:
    name = f"{CREDENTIALS[USER]}:{CREDENTIALS[PASSWORD]}"
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    headers = {"Authorization": f"Basic {base64.b64encode(name.encode()).decode()}"}
    with closing(connection):
        connection.request("GET" if data is None else "POST", path, data, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise ConnectionError(answer.status)
        return answer.read()


def _wait_until_it_answers(child: subprocess.Popen, port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if child.poll() is not None:
            break
        with suppress(OSError):
            _ask_orthanc(f"http://127.0.0.1:{port}", "/dicom-web/studies")
            return
        time.sleep(0.05)
    raise AssertionError(f"Orthanc does not answer: {log.read_text(errors='replace')[-2000:]}")


def _dies_with_its_parent() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@dataclass
class StandIn:
    """What a server in this process does.

    Attributes:
        files: What it has; as a server keeps them.
        faults: SOP instance UID → what it does instead of giving it.
        dies_after: How many files it gives before it is gone.
        page: The most items that it gives in one page of a search.
        ignores_offset: Whether each page of a search is the first.
        authorization: What it wants to be sent.
        asked: The paths that it was asked for.
        headers: The headers of the last question.
    """

    files: list[bytes] = field(default_factory=a_few_studies)
    faults: dict[str, str] = field(default_factory=dict)
    dies_after: int = -1
    page: int = 1000
    ignores_offset: bool = False
    authorization: str = ""
    search_fault: str = ""
    elsewhere: str = "http://127.0.0.1:9/elsewhere"
    asked: list[str] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    given: int = 0

    def items(self) -> list[dict[str, str]]:
        """What it says of each file."""
        return [_said_of(data) for data in self.files]


@cache
def _said_of(data: bytes) -> dict[str, str]:
    names = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality", "InstanceNumber", "StudyDate")
    header = dcmread(BytesIO(data))
    return {name: str(header.get(name, "")) for name in names}


_TAGS = {
    "StudyInstanceUID": "0020000D",
    "SeriesInstanceUID": "0020000E",
    "SOPInstanceUID": "00080018",
    "Modality": "00080060",
    "InstanceNumber": "00200013",
}
_LEVELS = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        does: StandIn = self.server.does
        does.asked.append(self.path)
        does.headers = dict(self.headers)
        if does.authorization and self.headers.get("Authorization") != does.authorization:
            return self._give(401, "text/plain", b"who?")
        parts = urlsplit(self.path)
        words = parts.path.strip("/").split("/")[1:]
        asked = dict(zip(words[::2], words[1::2], strict=False))
        if "instances" in asked:
            return self._file(does, asked["instances"])
        if does.search_fault:
            return self._fault(does, does.search_fault)
        query = dict(parse_qsl(parts.query))
        return self._search(does, words[-1], asked, query)

    def _search(self, does: StandIn, level: str, asked: dict[str, str], query: dict[str, str]) -> None:
        matching = {"StudyInstanceUID": asked.get("studies"), "SeriesInstanceUID": asked.get("series")}
        matching |= {name: query[name] for name in query if name not in ("limit", "offset")}
        matching["Modality"] = matching.pop("ModalitiesInStudy", matching.get("Modality"))
        found: dict[str, dict[str, str]] = {}
        for item in does.items():
            if all(value is None or item[name] == value for name, value in matching.items()):
                found.setdefault(item[_LEVELS[level]], item)
        start = 0 if does.ignores_offset else int(query.get("offset", 0))
        page = list(found.values())[start : start + min(does.page, int(query.get("limit", 1000)))]
        if not page:
            return self._give(204, "application/dicom+json", b"")
        said = [{_TAGS[name]: {"vr": "UI", "Value": [item[name]]} for name in _TAGS} for item in page]
        return self._give(200, "application/dicom+json", json.dumps(said).encode())

    def _file(self, does: StandIn, uid: str) -> None:
        if 0 <= does.dies_after <= does.given:
            return self._drop()
        fault = does.faults.get(uid, "")
        if fault.startswith("once "):
            does.faults[uid] = ""
            return self._fault(does, fault.removeprefix("once "))
        place = next(n for n, item in enumerate(does.items()) if item["SOPInstanceUID"] == uid)
        if fault:
            return self._fault(does, fault, does.files[place])
        does.given += 1
        return self._give_parts(does.files[place])

    def _fault(self, does: StandIn, fault: str, data: bytes = b"") -> None:
        if fault.isdigit():
            self._give(int(fault), "text/plain", SECRET.encode())
        elif fault == "redirect":
            self._give(302, "text/plain", b"", Location=does.elsewhere)
        elif fault == "drop":
            self._drop()
        elif fault == "text":
            self._give(200, "text/html", b"<html>log in</html>")
        elif fault == "garbage":
            self._give_parts(b"no DICOM at all")
        elif fault == "another":
            self._give_parts(slice_of(77))
        elif fault == "plain":
            self._give(200, "application/dicom", data)
        elif fault == "no boundary":
            self._give(200, 'multipart/related; type="application/dicom"', data)
        elif fault == "packed":
            self._give(200, "application/dicom", data, **{"Content-Encoding": "gzip"})
        elif fault == "cut":
            self._send(200, "application/dicom", {"Content-Length": str(len(data) + 10)}, data)
            self.close_connection = True
        elif fault == "endless":
            self._send(200, "application/dicom", {"Connection": "close"}, b"")
            with suppress(OSError):
                while True:
                    self.wfile.write(bytes(65536))
        elif fault == "slow":
            self._send(200, "application/dicom", {"Connection": "close"}, b"")
            with suppress(OSError):
                while True:
                    self.wfile.write(b"0")
                    time.sleep(0.02)
        else:
            raise AssertionError(fault)

    def _give_parts(self, data: bytes) -> None:
        body = b"--b1\r\nContent-Type: application/dicom\r\n\r\n" + data + b"\r\n--b1--\r\n"
        self._give(200, 'multipart/related; type="application/dicom"; boundary="b1"', body)

    def _give(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self._send(status, kind, {"Content-Length": str(len(body)), **headers}, body)

    def _send(self, status: int, kind: str, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def _drop(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def stand_in(**options: Any) -> Iterator[tuple[str, StandIn]]:
    """A server in this process: its address, and what it does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.does = StandIn(**options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/rs", server.does
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server is configured, and no credentials are set."""
    for name in (URL, USER, PASSWORD, TOKEN):
        monkeypatch.delenv(name, raising=False)
