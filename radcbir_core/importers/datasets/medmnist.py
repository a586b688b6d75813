"""The format ``medmnist``: the ``.npz`` files of MedMNIST v2 and MedMNIST+, 2-D and 3-D, of any size.

Owns what the files hold; what their classes mean says medmnist_sets.py. The arrays of the larger sizes are compressed,
so that no single image can be read from them; each is written once, as a PNG in the collection's own folder, while the
file streams by. Stopped and run again, it goes on after the last finished part. Nothing of the archive is unpacked or
unpickled.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.layout import check_name, data_folder
from radcbir_core.collections.writing import refuse_existing, resumable_collection
from radcbir_core.errors import ManifestError
from radcbir_core.importers.datasets.medmnist_sets import DATA_SETS
from radcbir_core.importers.importing import gather
from radcbir_core.importers.request import ImportReport, ImportRequest
from radcbir_core.importers.rows.sources import Cell, Row, Source, real
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_bytes

SPLITS = ("train", "val", "test")
_ARRAYS = frozenset(f"{split}_{what}.npy" for split in SPLITS for what in ("images", "labels"))
_NAME = re.compile(r"([a-z0-9]+?)(?:_(\d+))?")
_PART = 512
_LARGEST_SIDE, _MOST_CLASSES = 512, 1000

NO_PATIENTS = (
    "MedMNIST has no patient ids: images of one patient may be among each other's hits, and cannot be left out. Slices "
    "of one volume share a series and a study."
)


def recognizes(path: Path) -> bool:
    """Whether this is an ``.npz`` file with the name of a data set."""
    return path.is_file() and path.suffix == ".npz" and _data_set_of(path) is not None


def run(request: ImportRequest, *, progress: Progress = silent) -> ImportReport:
    """Import ``.npz`` files; of volumes, every so many slices.

    Args:
        request: Its ``paths``, or what to ``download``; ``every``, for volumes; ``check``.
        progress: Told the images as they are written, as step "write", and as they are checked, as step "import".

    Raises:
        ManifestError: A file is not one of MedMNIST, is damaged, or holds anything else; or the download failed.
        CollectionExistsError: The name is taken.
        StorageError: No space left, or no permission.
    """
    check_name(request.name)
    refuse_existing(request.name)
    paths = [real(path) for path in request.paths] + ([_downloaded(request.download)] if request.download else [])
    files = [_File(path) for path in paths]
    key = hashlib.sha256(
        repr([(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths] + [request.every]).encode()
    )
    with resumable_collection(request.name, key=f"medmnist-{key.hexdigest()[:16]}") as folder:
        total = sum(file.images(request.every) for file in files)
        done = 0
        progress("write", 0, total)
        for file in files:
            for count in file.write(folder, request.every):
                done += count
                progress("write", done, total)
        sources = [file.source(folder / "images", request.every) for file in files]
        gathered = gather(sources, request, progress=progress)
        gathered.write(folder, request, root=Path(os.path.relpath(gathered.root, folder)))
        for marker in folder.glob(".parts-*"):
            marker.unlink()
    return gathered.report(request.name)


def look(path: Path, request: ImportRequest, *, pictures: int) -> tuple[Source, list[npt.NDArray[np.uint8]]]:
    """A file before anything of it is written: its rows, and the pictures of the first ones.

    Args:
        path: The file.
        request: Its ``every``, for volumes.
        pictures: How many pictures.

    Raises:
        ManifestError: It is not one of MedMNIST, or damaged.
    """
    file = _File(real(path))
    return file.source(file.path.parent, request.every), file.first(pictures, request.every)


def _data_set_of(path: Path) -> str | None:
    match = _NAME.fullmatch(path.stem)
    return match[1] if match and match[1] in DATA_SETS else None


class _File:
    """One ``.npz`` file: six arrays in a zip archive, of which images are read as a stream.

    Raises:
        ManifestError: It is not one of MedMNIST.
    """

    def __init__(self, path: Path) -> None:
        name = _data_set_of(path)
        if name is None or path.suffix != ".npz":
            raise ManifestError(
                f"Expected a file named after a data set of MedMNIST, such as pneumoniamnist_64.npz, but it is "
                f"{path.name}. Known are {', '.join(DATA_SETS)}."
            )
        self.path = path
        self.name = name
        self.facts = DATA_SETS[name]
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.labels: dict[str, npt.NDArray[np.int64]] = {}
        with self._archive() as archive:
            strange = sorted(set(archive.namelist()) - _ARRAYS)
            missing = sorted(_ARRAYS - set(archive.namelist()))
            if strange or missing or len(archive.namelist()) != len(_ARRAYS):
                fault = (
                    f"also has {strange[0][:80]!r}" if strange else f"lacks {missing[0]}" if missing else "repeats one"
                )
                raise ManifestError(
                    f"Expected the arrays {', '.join(sorted(_ARRAYS))} and nothing else, but {path} {fault}. "
                    "Give MedMNIST's own file."
                )
            for split in SPLITS:
                self.shapes[split] = self._shape(archive, split)
                self.labels[split] = self._labels(archive, split)

    @property
    def volumes(self) -> bool:
        """Whether its images are slices of volumes."""
        return self.name.endswith("3d")

    def slices(self, every: int) -> range:
        """Which slices of a volume are taken; of an image, the one there is."""
        depth = self.shapes["train"][1] if self.volumes else 1
        return range(min(every // 2, depth // 2), depth, every) if self.volumes else range(1)

    def images(self, every: int) -> int:
        """How many images there will be."""
        return sum(shape[0] for shape in self.shapes.values()) * len(self.slices(every))

    def write(self, folder: Path, every: int) -> Iterator[int]:
        """Write the images as PNG, part by part; parts that an earlier run has finished are passed over.

        Yields:
            How many images each part has.
        """
        slices = self.slices(every)
        with self._archive() as archive:
            for split in SPLITS:
                shape = self.shapes[split]
                each = int(np.prod(shape[1:]))
                with archive.open(f"{split}_images.npy") as stream:
                    self._header(stream, f"{split}_images")
                    for start in range(0, shape[0], _PART):
                        count = min(_PART, shape[0] - start)
                        data = self._read_exactly(stream, count * each)
                        # The marker comes last, because it says that the part's images are all there.
                        marker = folder / f".parts-{self.path.stem}-{split}-{start}"
                        if not marker.is_file():
                            pixels = np.frombuffer(data, np.uint8).reshape(count, *shape[1:])
                            self._write_part(folder / "images", split, start, pixels, slices)
                            atomic_bytes(marker, b"")
                        yield count * len(slices)

    def first(self, count: int, every: int) -> list[npt.NDArray[np.uint8]]:
        """The first pictures of the train split, in the order of its rows."""
        slices = self.slices(every)
        shape = self.shapes[SPLITS[0]]
        wanted = min(-(-count // len(slices)), shape[0])
        with self._archive() as archive, archive.open(f"{SPLITS[0]}_images.npy") as stream:
            self._header(stream, f"{SPLITS[0]}_images")
            data = self._read_exactly(stream, wanted * int(np.prod(shape[1:])))
        images = np.frombuffer(data, np.uint8).reshape(wanted, *shape[1:])
        return [image[place] if self.volumes else image for image in images for place in slices][:count]

    def _write_part(
        self, folder: Path, split: str, start: int, pixels: npt.NDArray[np.uint8], slices: Sequence[int]
    ) -> None:
        from PIL import Image

        for number, image in enumerate(pixels, start):
            for place in slices:
                path = folder / self._path(split, number, place)
                path.parent.mkdir(parents=True, exist_ok=True)
                buffer = BytesIO()
                Image.fromarray(image[place] if self.volumes else image).save(buffer, "PNG")
                path.write_bytes(buffer.getvalue())

    def _path(self, split: str, number: int, place: int) -> str:
        slice_name = f"-{place:03d}" if self.volumes else ""
        return f"{self.path.stem}/{split}/{number // 1000:04d}/{number:06d}{slice_name}.png"

    def source(self, root: Path, every: int) -> Source:
        """Its images, once they are written."""
        notes = [NO_PATIENTS]
        for split, documented in zip(SPLITS, self.facts.counts, strict=True):
            if self.shapes[split][0] != documented:
                notes.append(
                    f"{self.path.name}: {split} has {self.shapes[split][0]} images, documented are {documented}."
                )
        return Source(
            origin=self.path,
            root=real(root),
            dataset=self.path.stem,
            rows=self._rows(every),
            columns=[
                "image_id",
                "path",
                "split",
                "modality",
                "anatomy",
                "pathologies",
                "study_id",
                "series_id",
                "slice",
            ],
            expected=self.images(every),
            licence=self.facts.licence,
            notes=notes,
        )

    def _rows(self, every: int) -> Iterator[Row]:
        for split in SPLITS:
            for number, label in enumerate(self.labels[split]):
                classes, reason = self._classes(label)
                for place in self.slices(every):
                    path = self._path(split, number, place)
                    volume = f"{self.path.stem}/{split}/{number:06d}"
                    cells: dict[str, Cell] = {
                        "image_id": f"{volume}-{place:03d}" if self.volumes else volume,
                        "path": path,
                        "split": split,
                        "modality": self.facts.modality,
                        "anatomy": self.facts.anatomy or (classes[0] if classes else ""),
                        "pathologies": classes if self.facts.anatomy else [],
                        "study_id": volume if self.volumes else "",
                        "series_id": volume if self.volumes else "",
                        "slice": str(place) if self.volumes else "",
                    }
                    yield Row(0, cells, reason)

    def _classes(self, label: npt.NDArray[np.int64]) -> tuple[list[str], str]:
        """What a label stands for, or why it stands for nothing."""
        names = self.facts.classes
        if self.facts.several:
            if len(label) == len(names) and set(label.tolist()) <= {0, 1}:
                return [name for name, there in zip(names, label, strict=True) if there] or ["normal"], ""
            return [], f"Expected {len(names)} zeros and ones as a label, but it is {label.tolist()[:20]}."
        if len(label) == 1 and 0 <= label[0] < len(names):
            return [names[int(label[0])]], ""
        return [], f"Expected a label from 0 to {len(names) - 1}, but it is {label.tolist()[:20]}."

    def _shape(self, archive: zipfile.ZipFile, split: str) -> tuple[int, ...]:
        with archive.open(f"{split}_images.npy") as stream:
            shape, dtype = self._header(stream, f"{split}_images")
        sides = shape[1:4] if self.volumes else shape[1:3]
        plain = len(shape) == (4 if self.volumes else 3) or (not self.volumes and len(shape) == 4 and shape[3] == 3)
        if dtype != np.uint8 or not plain or not all(1 <= side <= _LARGEST_SIDE for side in sides):
            raise ManifestError(
                f"Expected images of 8 bits, gray or RGB, of at most {_LARGEST_SIDE} pixels a side, but {split}_images "
                f"of {self.path} is {dtype}, {' x '.join(map(str, shape))}. Give MedMNIST's own file."
            )
        documented = self.facts.counts[SPLITS.index(split)]
        if shape[0] > documented:
            raise ManifestError(
                f"Expected at most {documented:,} images, as {self.name} has, but {split}_images of {self.path} "
                f"announces {shape[0]:,}. Give MedMNIST's own file."
            )
        return shape

    def _labels(self, archive: zipfile.ZipFile, split: str) -> npt.NDArray[np.int64]:
        with archive.open(f"{split}_labels.npy") as stream:
            shape, dtype = self._header(stream, f"{split}_labels")
            rows = self.shapes[split][0]
            if (
                dtype.kind not in "iu"
                or len(shape) not in {1, 2}
                or shape[0] != rows
                or shape[-1] > max(rows, _MOST_CLASSES)
            ):
                raise ManifestError(
                    f"Expected a whole number or a row of them for each of {rows} images, but {split}_labels of "
                    f"{self.path} is {dtype}, {' x '.join(map(str, shape))}. Give MedMNIST's own file."
                )
            data = self._read_exactly(stream, int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(data, dtype).reshape(rows, shape[1] if len(shape) == 2 else 1).astype(np.int64)

    def _header(self, stream: IO[bytes], what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Shape and type of an array, read from its header; the stream stands at its values then."""
        try:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(stream)
        except ValueError as error:
            raise ManifestError(
                f"Expected a NumPy array, but {what} of {self.path} is none. Copy the file again from its source."
            ) from error
        if fortran or dtype.hasobject:
            raise ManifestError(
                f"Expected plain numbers in C order, but {what} of {self.path} is another kind of array. "
                "Give MedMNIST's own file."
            )
        return shape, dtype

    def _read_exactly(self, stream: IO[bytes], size: int) -> bytes:
        data = stream.read(size)
        if len(data) < size:
            raise ManifestError(
                f"Expected all of the values that an array announces, but {self.path} breaks off. "
                "Copy the file again from its source."
            )
        return data

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise ManifestError(
                f"Expected a whole .npz file, but {self.path} cannot be read as one. Copy it again from its source."
            ) from error
        except FileNotFoundError as error:
            raise ManifestError(
                f"Expected a file of MedMNIST, but {self.path} does not exist. Check the path."
            ) from error


def _downloaded(name: str) -> Path:
    """Fetch a data set with the package ``medmnist``, unless it was fetched before.

    Raises:
        ManifestError: No such data set, no such package, or no network.
    """
    match = _NAME.fullmatch(name)
    if not match or match[1] not in DATA_SETS:
        raise ManifestError(f"Expected a data set of MedMNIST, but download = {name!r}. Known: {', '.join(DATA_SETS)}.")
    folder = data_folder() / "downloads"
    path = folder / f"{name.removesuffix('_28')}.npz"
    if path.is_file():
        return real(path)
    try:
        import medmnist  # type: ignore[import-not-found]
    except ImportError as error:
        raise ManifestError(
            "Expected the package medmnist, which fetches its data sets, but it is not installed. Run: pip install "
            f"medmnist; or fetch {path.name} yourself and import the file."
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    kind = getattr(medmnist, medmnist.INFO[match[1]]["python_class"])
    try:
        kind(split="train", download=True, root=str(folder), size=int(match[2] or 28))
    except (RuntimeError, OSError, AssertionError, KeyError) as error:
        path.unlink(missing_ok=True)
        raise ManifestError(
            f"Expected to fetch {path.name}, but it failed: no network, or no such size. Fetch the file elsewhere and "
            "import it by its path."
        ) from error
    return real(path)
