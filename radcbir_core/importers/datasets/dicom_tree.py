"""The format ``dicom``: a tree of DICOM files, or a DICOMDIR.

Owns which elements of a header may reach the manifest, the pseudonyms of identifiers, and the slices of volumes. Only
elements on the list below are read; of these, identifiers are replaced by salted pseudonyms, and the others are terms
of the standard (dicom_terms.py) or numbers, and are dropped where they are anything else. Decoding is
``radcbir_core.images``' business.

Elements and their meaning: DICOM PS3.6; modules of PS3.3 C.7.1.1 (patient), C.7.2.1 (study), C.7.3.1 (series), C.7.6.2
(image plane). DICOMDIR: PS3.3 F.3 and F.5, PS3.10 8.5.
"""

from __future__ import annotations

import hmac
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from radcbir_core.collections.manifests.manifest import FRAME_COLUMN
from radcbir_core.errors import ImageError, ManifestError
from radcbir_core.images import read_directory, read_header
from radcbir_core.images.dicom import pixel_annotation
from radcbir_core.images.dicom.numbers import is_no_number, numbers
from radcbir_core.images.dicom.quick_header import quick_elements
from radcbir_core.importers.datasets.dicom_terms import is_term
from radcbir_core.importers.datasets.manifest_tables import dataset_names
from radcbir_core.importers.request import ImportRequest
from radcbir_core.importers.rows.checking import file_below
from radcbir_core.importers.rows.image_files import Walk, image_files
from radcbir_core.importers.rows.sources import Cell, Row, Source, real
from radcbir_core.vocabulary import normal_identifier
from radcbir_core.wording import counted

SALT_NAME = "pseudonyms.salt"
SAME_INSTANCE = "Expected each DICOM instance once, but a file before has its UID too."
IDENTIFIERS = ("PatientID", "IssuerOfPatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
"""Elements that are read to tell patients, studies, series and images apart, and never written."""

ALLOWED = ("Modality", "BodyPartExamined", "ViewPosition", "ImageLaterality", "Laterality", "SliceThickness")
"""Elements whose values may reach the manifest."""

_PLANE = {"ImagePositionPatient": 3, "ImageOrientationPatient": 6}
_GEOMETRY = (*_PLANE, "InstanceNumber")
_OTHERS = (*pixel_annotation.ELEMENTS, "Rows", "Columns", "NumberOfFrames", "SpecificCharacterSet")
_ELEMENTS = (*IDENTIFIERS, *ALLOWED, *_GEOMETRY, *_OTHERS)
_QUICK = tuple(name for name in _ELEMENTS if name != "SpecificCharacterSet")
_REQUIRED = frozenset({"SOPInstanceUID", "Rows", "Columns"})
COLUMNS = (
    *("image_id", "path", "modality", "anatomy", "view", "patient_id", "study_id", "series_id"),
    *("dicom_modality", "laterality", "slice_thickness_mm", *pixel_annotation.COLUMNS, FRAME_COLUMN),
)
_DICOMDIR = "dicomdir"
_LOOKED_AT = 20
_MOST_FRAMES = 100_000

PATHS_KEPT = (
    "Identifiers in the DICOM headers were replaced by pseudonyms. The paths of the files are kept as they are, "
    "because the images are read from them: folders named after patients still name them."
)


def recognizes(path: Path) -> bool:
    """Whether this is a DICOMDIR, a folder with one, or a folder whose first images are all DICOM."""
    from radcbir_core.images.file_types import HEAD_BYTES, sniff

    if path.is_file():
        return path.name.lower() == _DICOMDIR
    if _dicomdir_in(path):
        return True
    first = [name for name, _ in zip(image_files(path), range(_LOOKED_AT), strict=False)]
    for name in first:
        try:
            with (path / name).open("rb") as handle:
                if sniff(handle.read(HEAD_BYTES)) != "DICOM":
                    return False
        except OSError:
            return False
    return bool(first)


def read(paths: Sequence[Path], request: ImportRequest) -> list[Source]:
    """Open trees of DICOM files.

    Args:
        paths: Folders, or DICOMDIRs. A folder with a DICOMDIR stands for it.
        request: For ``every``, ``modality``, ``anatomy``, and the salt.

    Raises:
        ManifestError: A path is neither, or a DICOMDIR cannot be read.
    """
    places = [real(path) for path in paths]
    for place, path in zip(places, paths, strict=True):
        if not place.exists():
            raise ManifestError(f"Expected a folder of DICOM files or a DICOMDIR, but {path} does not exist. Check it.")
    folders = [place if place.is_dir() else place.parent for place in places]
    return [
        _read(place, folder, name, request)
        for place, folder, name in zip(places, folders, dataset_names(folders), strict=True)
    ]


def _read(path: Path, folder: Path, name: str, request: ImportRequest) -> Source:
    directory = path if path.is_file() else _dicomdir_in(path)
    walk = None
    if directory is not None:
        files: Iterable[str] = list(_listed(directory, request))
        expected = len(list(files))
    else:
        walk = Walk(masks=request.masks, leave_out=request.leave_out)
        files, expected = walk.files(folder), 0
        if next(image_files(folder), None) is None:
            raise ManifestError(f"Expected DICOM files, but {folder} has none, in no folder below. Check the path.")
    notes = [PATHS_KEPT]
    reader = Reader(name, folder, request, notes, listed=directory is not None, walk=walk)
    return Source(
        origin=directory or folder,
        root=folder,
        dataset=name,
        rows=reader.rows(files),
        columns=COLUMNS,
        expected=expected,
        notes=notes,
        private_files={SALT_NAME: request.salt.hex().encode()},
    )


def _dicomdir_in(folder: Path) -> Path | None:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.lower() == _DICOMDIR and entry.is_file())
    return folder / names[0] if names else None


def _listed(directory: Path, request: ImportRequest) -> Iterator[str]:
    """The files of a DICOMDIR's image records, relative to its folder."""
    if directory.stat().st_size > request.limits.max_bytes:
        raise ManifestError(
            f"Expected a DICOMDIR of at most {request.limits.max_bytes:,} bytes, but {directory} is larger. "
            "Import its folder's images without it."
        )
    try:
        for parts in read_directory(directory, limits=request.limits):
            yield _as_on_disk(directory.parent, parts)
    except ImageError as error:
        raise ManifestError(
            f"Expected a DICOMDIR, but {directory} cannot be read as one. Copy it again, or import its folder's images."
        ) from error


def _as_on_disk(folder: Path, parts: Sequence[str]) -> str:
    """The path of a file ID; its names are in upper case on the medium, and often in lower case once copied."""
    for spelled in (list(parts), [part.lower() for part in parts]):
        if (folder / "/".join(spelled)).is_file():
            return "/".join(spelled)
    return "/".join(parts)


@dataclass(slots=True)
class _Slice:
    """One file or frame on its way to a row."""

    path: str
    cells: dict[str, Cell]
    series: bytes
    place: float | None
    frame: int | None = None
    number: float = 0.0
    again: bool = False

    def order(self, *, placed: bool) -> float:
        """By what the slices of a series are sorted: their place, or their number."""
        return self.place if placed and self.place is not None else self.number


class Reader:
    """Reads the headers of one source.

    Args:
        dataset: What its image_ids begin with.
        folder: Where the files are.
        request: For the salt, how far files are checked, ``every``, and what the source does not say.
        notes: What is to be told of the import; grows as the headers are read.
        listed: Whether something else than a walk named the files, so that they may be anywhere.
        walk: The walk that finds them, for its own notes.
        digest: Makes 10 bytes of an identifier and its kind; by the salt of the request where it is not given.
    """

    def __init__(
        self,
        dataset: str,
        folder: Path,
        request: ImportRequest,
        notes: list[str],
        *,
        listed: bool,
        walk: Walk | None = None,
        digest: Callable[[str, str], bytes] | None = None,
    ) -> None:
        self._walk = walk
        self._dataset = dataset
        self._folder = folder
        self._listed = listed
        self._request = request
        self._notes = notes
        self._seen: dict[bytes, int] = {}  # of each instance, the size of its first file where that is looked at
        self._copies = 0
        self._larger_copies = 0
        self._burned = 0
        self._captured = 0
        self._dropped: dict[str, int] = defaultdict(int)
        self._no_number: dict[str, int] = defaultdict(int)
        # The slices of a series come one after the other: most patients, studies and series are those of the last file.
        self._digest = lru_cache(maxsize=1024)(digest or partial(pseudonym_digest, request.salt))

    def rows(self, files: Iterable[str]) -> Iterator[Row]:
        """The rows of files; every so many slices of a series only, if that is asked for."""
        if self._request.every == 1:
            for item in self._slices(files):
                yield item if isinstance(item, Row) else _row(item)
        else:
            yield from self._thinned(files)
        self._tell()

    def _thinned(self, files: Iterable[str]) -> Iterator[Row]:
        """The rows of the slices that are taken: of each series in the order of its anatomy, every so many."""
        every = self._request.every
        slices: list[_Slice] = []
        for item in self._slices(files):
            if isinstance(item, Row):
                yield item
            else:
                slices.append(item)
        volumes: dict[bytes, list[int]] = defaultdict(list)
        first: dict[str, int] = {}  # of several files of one instance
        for number, item in enumerate(slices):
            if first.setdefault(str(item.cells["image_id"]), number) == number:
                volumes[item.series].append(number)
        sampled: set[int] = set()
        for members in volumes.values():
            # Millimeters and numbers in a series cannot be compared: one slice without a place and all go by number.
            placed = all(slices[number].place is not None for number in members)
            members.sort(key=lambda number: (slices[number].order(placed=placed), slices[number].frame or 0, number))
            # From the middle of the first stretch on, so that the ends of a volume, often empty, are not preferred.
            sampled.update(members[min(every // 2, len(members) // 2) :: every])
        for item in slices:
            if first[str(item.cells["image_id"])] in sampled:
                yield _row(item)
            elif item.again:
                yield Row(0, {"path": item.path}, SAME_INSTANCE)
        self._notes.append(
            f"Of {len(first)} slices and frames, {len(sampled)} were taken: one of {every} in each series."
        )

    def _slices(self, files: Iterable[str]) -> Iterator[_Slice | Row]:
        for path in files:
            try:
                yield from self._of_header(path, self._header(path))
            except ImageError as error:
                yield Row(0, {"path": path}, str(error))

    def _header(self, path: str) -> Any:
        """What the file says of itself: something with ``get(keyword)``.

        Raises:
            ImageError: It cannot be read, is no DICOM, or lies outside the folder.
        """
        # A file found in a folder lies in it, unless it is a link, which quick_elements does not open; one that a
        # DICOMDIR names may be anywhere.
        if not self._listed:
            elements = quick_elements(f"{self._folder}/{path}", _QUICK, required=_REQUIRED)
            if elements is not None:
                return elements
        file = file_below(str(self._folder), path)
        elements = quick_elements(file, _QUICK, required=_REQUIRED) if self._listed else None
        return elements if elements is not None else read_header(Path(file), _ELEMENTS, limits=self._request.limits)

    def _of_header(self, path: str, header: Any) -> Iterator[_Slice | Row]:
        uid = str(header.get("SOPInstanceUID") or "")
        key = self._digest("instance", uid or path)
        if not (header.get("Rows") and header.get("Columns")):
            yield Row(0, {"path": path}, "Expected an image, but the DICOM object has no picture in it.")
            return
        # The file before may be one that is cut off, which only decoding tells: this one then stands for the image.
        again = self._is_copy(path, key)
        if not again:
            self._note_pixels(pixel_annotation.facts_of(header))
        cells = self._cells(path, header, image_id=f"{self._dataset}/{key.hex()}")
        series = self._digest("series", str(header.get("SeriesInstanceUID") or path))
        frames = int(sum(self._numbers(header, "NumberOfFrames", 1)))
        if frames <= 1:
            place = _place(*(self._numbers(header, keyword, count) for keyword, count in _PLANE.items()))
            number = sum(self._numbers(header, "InstanceNumber", 1))
            yield _Slice(path, cells, series, place, number=number, again=again)
            return
        size = (self._folder / path).stat().st_size
        if frames > min(_MOST_FRAMES, size):
            most = min(_MOST_FRAMES, size)
            reason = f"Expected at most {most:,} frames in a file of {size:,} bytes, but it says {frames:,}."
            yield Row(0, {"path": path}, reason)
            return
        # A file with several frames is a volume or a film of its own, even among others of its series.
        for frame in range(frames):
            own = {**cells, "image_id": f"{cells['image_id']}-{frame}", FRAME_COLUMN: str(frame)}
            yield _Slice(path, own, key, None, frame, again=again)

    def _note_pixels(self, said: Mapping[str, str]) -> None:
        burned, _, captured = (said[column] for column in pixel_annotation.COLUMNS)
        self._burned += burned == "YES"
        self._captured += burned == pixel_annotation.NOT_SAID and captured not in {"NO", pixel_annotation.NOT_SAID}

    def _is_copy(self, path: str, key: bytes) -> bool:
        """Whether a file before is of the same instance."""
        size = 0 if self._request.check == "decode" else (self._folder / path).stat().st_size
        if key not in self._seen:
            self._seen[key] = size
            return False
        self._copies += 1
        self._larger_copies += size > self._seen[key]
        return True

    def _cells(self, path: str, header: Any, *, image_id: str) -> dict[str, Cell]:
        patient = patient_of(header)
        modality = self._code(header, "Modality")
        laterality = self._code(header, "ImageLaterality") or self._code(header, "Laterality")
        return {
            "image_id": image_id,
            "path": path,
            "modality": modality or self._request.modality,
            "anatomy": self._code(header, "BodyPartExamined").lower() or self._request.anatomy,
            "view": self._code(header, "ViewPosition"),
            "patient_id": self._pseudonym("patient", patient),
            "study_id": self._pseudonym("study", str(header.get("StudyInstanceUID") or "")),
            "series_id": self._pseudonym("series", str(header.get("SeriesInstanceUID") or "")),
            "dicom_modality": modality,
            "laterality": laterality,
            "slice_thickness_mm": "".join(f"{number:g}" for number in self._numbers(header, "SliceThickness", 1)),
            **pixel_annotation.facts_of(header),
        }

    def _code(self, header: Any, keyword: str) -> str:
        """A term of the standard; "" where the element holds anything else, which is counted."""
        text = str(header.get(keyword) or "").strip().upper()
        if not text or is_term(keyword, text):
            return text
        self._dropped[keyword] += 1
        return ""

    def _numbers(self, header: Any, keyword: str, count: int) -> tuple[float, ...]:
        """The ``count`` numbers of an element, or none of them; an element that holds anything else is counted."""
        values = [value for value in numbers(header, keyword) if value is not None]
        if is_no_number(header, keyword, count=count):
            self._no_number[keyword] += 1
            return ()
        return tuple(values)

    def _pseudonym(self, kind: str, value: str) -> str:
        return f"{kind}-{self._digest(kind, value).hex()}" if value else ""

    def _tell(self) -> None:
        self._notes += self._walk.notes() if self._walk is not None else []
        if self._burned:
            self._notes.append(
                f"Files that say that identifying text is burned into their pixels (BurnedInAnnotation): {self._burned}"
                "."
            )
        if self._captured:
            self._notes.append(
                f"Secondary captures (of screens, films, documents) whose header does not say whether text is burned "
                f"into their pixels: {self._captured}. Look for text in them."
            )
        if self._larger_copies:
            self._notes.append(
                f"Of {counted(self._copies, 'file')} whose instance a file before is of too, {self._larger_copies:,} "
                "are larger: the file before, which stands for the image, may be cut off. That is known only where "
                "images are decoded at import."
            )
        for keyword, count in self._dropped.items():
            self._notes.append(f"{keyword} held no term of the standard in {counted(count, 'file')}, and was left out.")
        for keyword, count in self._no_number.items():
            self._notes.append(f"{keyword} was no number in {counted(count, 'file')}, and counts as not there.")


def patient_of(header: Any) -> str:
    """What tells patients apart: who issued the identifier, and the identifier; "" where there is none."""
    patient = normal_identifier(str(header.get("PatientID") or ""))
    issuer = str(header.get("IssuerOfPatientID") or "").strip()
    return f"{issuer}\0{patient}" if patient else ""


def pseudonym_digest(salt: bytes, kind: str, value: str) -> bytes:
    """The 10 bytes that stand for an identifier: the same for the same salt, and nothing without it."""
    return hmac.digest(salt, f"{kind}\0{value}".encode(), "sha256")[:10]


def _row(item: _Slice) -> Row:
    return Row(0, item.cells, frame=item.frame, again=SAME_INSTANCE if item.again else "")


def _place(position: Sequence[float], orientation: Sequence[float]) -> float | None:
    """Where a slice lies along the normal of its plane, in mm (PS3.3 C.7.6.2.1.1); None where that is not known."""
    if len(position) != 3 or len(orientation) != 6:
        return None
    row, column = orientation[:3], orientation[3:]
    normal = [row[(i + 1) % 3] * column[(i + 2) % 3] - row[(i + 2) % 3] * column[(i + 1) % 3] for i in range(3)]
    return sum(a * b for a, b in zip(position, normal, strict=True))
