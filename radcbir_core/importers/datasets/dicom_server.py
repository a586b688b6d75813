"""The format ``dicomweb``: instances of a DICOMweb server, de-identified on the way and kept in the data folder.

Owns what is asked of the server for an import, the folder that keeps what came, and that going on is possible: an
instance that is there is not asked for again. Nothing that identifies is ever written: of a file that came only what
shows and places its pictures is kept (``images.dicom.stripping``), and identifiers are pseudonyms by the collection's
salt, those that an import of the same files from a folder would make. What becomes of headers is dicom_tree.py's.

The folder lies among the uploads, readable by their owner alone: it stays as long as a collection uses it, and for a
day otherwise.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc

from radcbir_core.collections.collection import Collection
from radcbir_core.dicomweb.client import Client, Instance
from radcbir_core.dicomweb.server_address import ServerAddress, address_of
from radcbir_core.dicomweb.server_contents import Wanted, find_instances
from radcbir_core.errors import ImageError, ManifestError, ServerError
from radcbir_core.images import read_header, strip_dicom
from radcbir_core.images.dicom import pixel_annotation
from radcbir_core.importers.datasets.dicom_terms import is_term
from radcbir_core.importers.datasets.dicom_tree import (
    ALLOWED,
    COLUMNS,
    IDENTIFIERS,
    SALT_NAME,
    Reader,
    patient_of,
    pseudonym_digest,
)
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.sources import Row, Source
from radcbir_core.importers.uploads.kept_uploads import uploads_folder
from radcbir_core.storage import atomic_bytes, disk_errors, make_private_folder
from radcbir_core.wording import counted

FETCHED: Final = (
    "Fetched from a DICOMweb server, de-identified on the way: of each file only what shows and places its pictures "
    "was kept. Text that is burned into pixels stays."
)
DATASET: Final = "dicomweb"

_DIGEST_BYTES: Final = 10
_TERMS: Final = tuple(keyword for keyword in ALLOWED if keyword != "SliceThickness")
_PIXELS: Final = tuple(keyword for keyword in pixel_annotation.ELEMENTS if keyword != "SOPClassUID")
_MOST_FAULTS: Final = 50
_UID: Final = re.compile(r"2\.25\.([0-9]{1,25})")
_PATIENT: Final = re.compile(r"\0P([0-9a-f]{20})")


def recognizes(path: Path) -> bool:
    """Never: a server is no path."""
    del path
    return False


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Ask a server what it has; the images are fetched as the rows are read.

    Args:
        paths: None that means anything.
        request: For ``server``, ``wanted``, the name and the salt.

    Raises:
        ManifestError: No server is named, or it has nothing of what is wanted.
        ServerError: It does not answer as it should.
        StorageError: No space left, or no permission.
    """
    del paths
    if not request.server:
        raise ManifestError("Expected the address of a DICOMweb server, but none is given. Give it.")
    address = address_of(request.server)
    with Client(address) as client:
        instances = list(find_instances(client, request.wanted))
    if not instances:
        raise ManifestError(
            f"Expected images, but {address.named} has none of what is wanted. Look what it has, or choose more widely."
        )
    folder, request = _folder(address, request)
    images = folder / DATASET
    with disk_errors(folder):
        images.mkdir(mode=0o700, exist_ok=True)
    notes = [FETCHED, *address.notes]
    faults: list[Row] = []
    reader = Reader(DATASET, images, request, notes, listed=True, digest=partial(_kept_digest, request.salt))

    def rows() -> Iterator[Row]:
        yield from reader.rows(_fetched(address, instances, images, request, faults))
        yield from faults

    return [
        Source(
            origin=images,
            root=Path(os.path.realpath(images)),
            dataset=DATASET,
            rows=rows(),
            columns=COLUMNS,
            expected=len(instances),
            notes=notes,
            private_files={SALT_NAME: request.salt.hex().encode()},
        )
    ]


def count_instances(client: Client, wanted: Wanted) -> dict[str, int]:
    """How many images there are of each modality, of what is wanted; nothing is fetched.

    Args:
        client: Whose server.
        wanted: What of it.

    Raises:
        ServerError: The server does not answer as it should.
    """
    counts: dict[str, int] = {}
    for instance in find_instances(client, wanted):
        shown = instance.modality.upper() if is_term("Modality", instance.modality.upper()) else "other"
        counts[shown] = counts.get(shown, 0) + 1
    return counts


def known_instance(collection: Collection, uid: str) -> str | None:
    """The image_id of an instance that a collection has, by the pseudonym that the collection's salt makes; or None.

    Of an instance with several frames it is that of none of them.
    """
    salt = collection.folder / SALT_NAME
    if not salt.is_file():
        return None
    ending = f"/{pseudonym_digest(bytes.fromhex(salt.read_text()), 'instance', uid).hex()}"
    ids = collection.manifest.arrow("image_id")
    found = pc.indices_nonzero(pc.ends_with(ids, ending))
    return str(ids[found[0].as_py()]) if len(found) else None


def _folder(address: ServerAddress, request: ImportRequest) -> tuple[Path, ImportRequest]:
    """Where what comes is kept, and the request with the salt that its pseudonyms are made with.

    An import that begins anew goes on with the salt of the one that was stopped; one that adds has the collection's.
    """
    key = f"{request.name}\0{address.scheme}\0{address.host}\0{address.port}\0{address.path}"
    folder = _place(key)
    salt = folder / SALT_NAME
    with disk_errors(folder):
        kept = bytes.fromhex(salt.read_text()) if salt.is_file() else b""
        if request.add and kept and kept != request.salt:
            folder = _place(f"{key}\0{hashlib.sha256(request.salt).hexdigest()}")
            salt, kept = folder / SALT_NAME, request.salt if (folder / SALT_NAME).is_file() else b""
        make_private_folder(uploads_folder().parent)
        uploads_folder().mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)  # used just now, and not to be removed as one that nobody wants
        if not kept:
            atomic_bytes(salt, request.salt.hex().encode())
            salt.chmod(0o600)
            kept = request.salt
    return folder, replace(request, salt=kept)


def _place(key: str) -> Path:
    return uploads_folder() / f"dicomweb-{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _fetched(
    address: ServerAddress, instances: Sequence[Instance], folder: Path, request: ImportRequest, faults: list[Row]
) -> Iterator[str]:
    """The path of each instance once it is there, below the folder; those that do not come are added to the faults."""
    in_a_row = 0
    with Client(address) as client:
        for done, instance in enumerate(instances):
            path = _path_of(instance, request.salt)
            target = folder / path
            if not target.is_file():
                try:
                    content = _deidentified(client.retrieve(instance), instance, request)
                except ImageError as error:
                    faults.append(Row(0, {"path": path}, str(error)))
                    in_a_row += 1
                    if in_a_row >= _MOST_FAULTS:
                        raise ServerError(
                            f"Expected images from {address.named}, but of {in_a_row} one after the other none can be "
                            f"used; the last: {error}"
                        ) from error
                    continue
                except ServerError as error:
                    raise ServerError(f"{error} {counted(done, 'image')} of {len(instances):,} stay here.") from error
                with disk_errors(target):
                    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    atomic_bytes(target, content, sync_name=False)
                    os.utime(folder.parent)  # an import may take longer than what nobody uses is kept
            in_a_row = 0
            yield path


def _path_of(instance: Instance, salt: bytes) -> str:
    """Where an instance is kept: folders of its study and series, by their pseudonyms."""
    study = pseudonym_digest(salt, "study", instance.study).hex()
    series = pseudonym_digest(salt, "series", instance.series).hex()
    return f"{study}/{series}/{pseudonym_digest(salt, 'instance', instance.instance).hex()}.dcm"


def _deidentified(data: bytes, instance: Instance, request: ImportRequest) -> bytes:
    """The file of an instance as it is kept.

    Raises:
        ImageError: It is no DICOM file, is damaged, or is another instance than was asked for.
    """
    name, salt = "the server's file", request.salt
    header = read_header(data, [*IDENTIFIERS, *_TERMS, *_PIXELS], name=name, limits=request.limits)
    if str(header.get("SOPInstanceUID") or "") != instance.instance:
        raise ImageError("Expected the instance that was asked for, but the server gives another. Tell who runs it.")
    values = {keyword: _term(header, keyword) for keyword in _TERMS}
    values |= {keyword: pixel_annotation.term(header, keyword) for keyword in _PIXELS}
    patient = patient_of(header)
    values["PatientID"] = f"P{pseudonym_digest(salt, 'patient', patient).hex()}" if patient else ""
    for kind, keyword in (
        ("study", "StudyInstanceUID"),
        ("series", "SeriesInstanceUID"),
        ("instance", "SOPInstanceUID"),
    ):
        uid = str(header.get(keyword) or "")
        values[keyword] = f"2.25.{int.from_bytes(pseudonym_digest(salt, kind, uid))}" if uid else ""
    return strip_dicom(data, values, name=name, limits=request.limits)


def _term(header: dict[str, Any], keyword: str) -> str:
    text = str(header.get(keyword) or "").strip().upper()
    return text if text and is_term(keyword, text) else ""


def _kept_digest(salt: bytes, kind: str, value: str) -> bytes:
    r"""The digest that a kept file has instead of an identifier; of anything else, one like it.

    Example:
        >>> _kept_digest(b"", "study", "2.25.7").hex(), _kept_digest(b"", "patient", "\0P" + "ab" * 10).hex()
        ('00000000000000000007', 'abababababababababab')
    """
    found = (_PATIENT if kind == "patient" else _UID).fullmatch(value)
    if found is None:
        return pseudonym_digest(salt, kind, value)
    if kind == "patient":
        return bytes.fromhex(found[1])
    number = int(found[1])
    return number.to_bytes(_DIGEST_BYTES) if number < 1 << 8 * _DIGEST_BYTES else pseudonym_digest(salt, kind, value)
