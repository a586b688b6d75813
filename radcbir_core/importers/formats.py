"""The formats that can be imported: their names, what each understands, and which one a path has.

Owns the table of formats and the way from a request to the module that carries it out. A format's module is imported
when it is needed and has ``recognizes(path) -> bool`` and one of two functions. ``read(paths, request) ->
list[Source]``: its images are files and its rows go through the common import, alone or together with other data
sets. ``run(request, *, progress) -> ImportReport``: it makes a collection in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from zipfile import is_zipfile

from radcbir_core.errors import ManifestError, Remedy
from radcbir_core.importers.adding import add_sources
from radcbir_core.importers.datasets.manifest_tables import has_manifest
from radcbir_core.importers.datasets.own_tables import is_parquet
from radcbir_core.importers.importing import import_sources
from radcbir_core.importers.request import ImportReport, ImportRequest
from radcbir_core.importers.rows.image_files import is_left_out
from radcbir_core.importers.rows.sources import Row, Source
from radcbir_core.importers.rows.volume_slices import with_slices
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: What a request calls it.
        about: What it is, in a few words.
        module: The module of this package that reads it, with its folder.
        sign: What it is recognized by.
        options: The attributes of :class:`ImportRequest` that it understands, of those in ``request.OPTIONS``.
        has_volumes: Whether a file that it names may be a volume, of which each slice is an image.
    """

    name: str
    about: str
    module: str
    sign: str
    options: frozenset[str] = frozenset({"check", "leave_out"})
    has_volumes: bool = False

    @property
    def makes_collection(self) -> bool:
        """Whether it makes a collection in its own way, and so stands alone."""
        return hasattr(self.load(), "run")

    def load(self) -> ModuleType:
        """Its module."""
        return import_module(f"radcbir_core.importers.{self.module}")


MANIFEST = Format(
    "manifest",
    "manifest.csv tables, or images without labels",
    "datasets.manifest_tables",
    "a manifest.csv, or a table with a column path",
    frozenset({"check", "image_root", "masks", "leave_out", "suffix", "every"}),
    has_volumes=True,
)
CSV = Format(
    "csv",
    "any CSV, with a mapping of its columns",
    "datasets.own_tables",
    "a table without a column path",
    frozenset(
        {"check", "image_root", "mapping", "modality", "anatomy", "uncertain", "leave_out", "suffix", "no_header"}
        | {"every"}
    ),
    has_volumes=True,
)
PARQUET = Format(
    "parquet",
    "any parquet table, with a mapping of its columns",
    "datasets.own_tables",
    "a parquet file",
    CSV.options - {"no_header"},
    has_volumes=True,
)
FORMATS: tuple[Format, ...] = (
    MANIFEST,
    Format(
        "embeddings",
        "vectors without images, and their encoder: HDF5 as the paper publishes it, .npy, .npz or parquet, and a table",
        "vectors.embeddings",
        "HDF5, or the columns of the paper's unified CSV",
        frozenset({"image_root", "encoder_id", "uncertain"}),
    ),
    Format("nih14", "NIH ChestX-ray14", "datasets.nih14", "its table Data_Entry_2017"),
    Format("radimagenet", "RadImageNet", "datasets.radimagenet", "one of its three tables"),
    Format(
        "chexpert",
        "CheXpert",
        "datasets.chexpert",
        "a train.csv with its columns",
        frozenset({"check", "uncertain", "leave_out"}),
    ),
    Format(
        "mimic-cxr",
        "MIMIC-CXR-JPG",
        "datasets.mimic_cxr",
        "its table of splits",
        frozenset({"check", "uncertain", "leave_out"}),
    ),
    Format(
        "dicom",
        "DICOM files, or a DICOMDIR",
        "datasets.dicom_tree",
        "its first images, or a DICOMDIR",
        frozenset({"check", "every", "modality", "anatomy", "masks", "leave_out"}),
    ),
    Format(
        "dicomweb",
        "a DICOMweb server",
        "datasets.dicom_server",
        "its address",
        frozenset({"check", "modality", "anatomy", "server", "wanted"}),
    ),
    Format(
        "medmnist",
        "MedMNIST v2 and MedMNIST+ (.npz)",
        "datasets.medmnist",
        "an .npz file with a data set's name",
        frozenset({"check", "every", "download"}),
    ),
    Format(
        "folder",
        "modality/anatomy/pathology/image",
        "datasets.labeled_folders",
        "folders named after modalities",
        frozenset({"check", "every", "modality", "anatomy", "masks", "leave_out"}),
        has_volumes=True,
    ),
    Format(
        "nifti",
        "NIfTI volumes (.nii, .nii.gz)",
        "datasets.nifti_volumes",
        "its first images, or its name",
        frozenset({"check", "every", "modality", "anatomy", "masks", "leave_out"}),
        has_volumes=True,
    ),
    CSV,
    PARQUET,
)
"""Every format, in the order in which a path is tried; a folder with a ``manifest.csv`` is one before all of them."""


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        ManifestError: There is none.
    """
    for known in FORMATS:
        if known.name == name:
            return known
    names = ", ".join(known.name for known in FORMATS)
    raise ManifestError(f"Expected a format of {names}, but format = {name!r}. Choose one of these.")


def detect(path: Path, *, mapped: bool = False) -> Format:
    """The format of a path whose layout is plain; ``manifest`` where it is none of the others.

    Args:
        path: A file or a folder.
        mapped: Whether a column mapping is given: a file is then a table to be read with it.

    Raises:
        ManifestError: There is nothing at this path.
    """
    if not path.expanduser().exists():
        raise ManifestError(f"Expected a table or a folder to import, but {path} does not exist. Check the path.")
    if path.is_file() and path.suffix != ".npz" and is_zipfile(path):
        raise ManifestError(
            f"Expected a folder or a table, but {path} is a ZIP archive. Unpack it, and import its folder."
        )
    if has_manifest(path):
        return MANIFEST
    if mapped and path.is_file():
        return _format_of_table(path)
    recognized = next((known for known in FORMATS if known is not MANIFEST and known.load().recognizes(path)), MANIFEST)
    return _format_of_table(path) if recognized == CSV else recognized


def _format_of_table(path: Path) -> Format:
    return PARQUET if is_parquet(path) else CSV


def import_as(request: ImportRequest, *, format_name: str | None = None, progress: Progress = silent) -> ImportReport:
    """Import what is asked for as a new collection, or into one that is there (``request.add``).

    Several paths make one collection together, each in its own format if none is named. A format that makes a
    collection in its own way stands alone.

    Args:
        request: What to import, and how.
        format_name: The format of all paths; found out by looking at each path by default.
        progress: Told the number of images.

    Raises:
        CollectionExistsError: The name is taken.
        ManifestError: A path is not of its format, an option has no meaning for it, or not one image can be used.
        StorageError: No space left, or no permission.
    """
    formats = formats_of(request, format_name=format_name)
    if request.take_changes and not request.add:
        raise ManifestError(
            "Expected changes to be taken while adding to a collection, but this makes a new one. Add to the one that "
            "has them.",
            remedy=Remedy("again", options={"add": True}),
        )
    if formats[0].makes_collection:
        if request.add and formats[0].name != "embeddings":
            raise ManifestError(
                f"Expected a format whose images stay where they are to add from, but {formats[0].name} "
                "writes images of its own. Import under another name."
            )
        if request.take_changes:
            raise ManifestError(
                "Expected tables of embeddings that say of known images what the collection says, but changes are "
                "to be taken. Leave that out, or take the changes of the images' own table."
            )
        report: ImportReport = formats[0].load().run(request, progress=progress)
        return report
    if request.add:
        return add_sources(lambda salted: sources_of(salted, formats), request, progress=progress)
    return import_sources(lambda: sources_of(request, formats), request, progress=progress)


def formats_of(request: ImportRequest, *, format_name: str | None = None) -> list[Format]:
    """The format of each path of a request, once all that it asks for means something.

    Args:
        request: What to import, and how.
        format_name: The format of all paths; found out by looking at each path by default.

    Returns:
        One a path; one for a data set to download, and for a server.

    Raises:
        ManifestError: A path is not there, an option has no meaning for its format, or formats that cannot be imported
            together.
    """
    if request.download and format_name is None:
        format_name = "medmnist"
    if request.server:
        if request.paths:
            raise ManifestError(
                "Expected a DICOMweb server alone, but there is something else to import too. Import that by itself, "
                "and add it to the collection."
            )
        format_name = format_name or "dicomweb"
    if not request.paths and not request.download and not request.server:
        raise ManifestError("Expected something to import, but no SOURCE is given. Name a folder or a table.")
    named = None if format_name is None else format_named(format_name)
    formats = [named or detect(path, mapped=bool(request.mapping)) for path in request.paths or [Path()]]
    understood = frozenset().union(*(known.options for known in formats))
    request.refuse_unused(" and ".join(dict.fromkeys(known.name for known in formats)), understood)
    for known in dict.fromkeys(formats):
        if known.makes_collection and set(formats) != {known}:
            raise ManifestError(
                f"Expected data sets whose images are files, but one of {len(request.paths)} paths has the format "
                f"{known.name}, which makes a collection of its own. Import it alone."
            )
    return formats


def reason_for(path: Path, known: Format) -> str:
    """What a path was recognized by, where :func:`detect` found its format.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> reason_for(folder, MANIFEST)
        'neither a table nor folders that name labels, so its images have none'
        >>> (folder / "manifest.csv").touch()
        >>> reason_for(folder, MANIFEST), reason_for(folder / "manifest.csv", MANIFEST)
        ('its manifest.csv', 'a column path')
    """
    if known != MANIFEST:
        return known.sign
    if path.is_file():
        return "a column path"
    if (path / "manifest.csv").is_file():
        return "its manifest.csv"
    if has_manifest(path):
        return "the manifest.csv in folders below"
    return "neither a table nor folders that name labels, so its images have none"


def sources_of(request: ImportRequest, formats: Sequence[Format]) -> list[Source]:
    """The sources of all paths in their order; paths of one format in a row are read together.

    Args:
        request: What to import.
        formats: Of each path; none that makes a collection in its own way.

    Raises:
        ManifestError: A path is not of its format.
    """
    sources: list[Source] = formats[0].load().read([], request) if request.server else []
    together: list[Path] = []
    for position, path in enumerate(request.paths):
        together.append(path)
        if position + 1 == len(request.paths) or formats[position + 1] != formats[position]:
            found: list[Source] = formats[position].load().read(together, request)
            for source in found:
                if request.leave_out:
                    source.rows = _without(source.rows, request.leave_out, source.notes)
                if formats[position].has_volumes:
                    with_slices(source, request)
            sources += found
            together = []
    return sources


def _without(rows: Iterable[Row], patterns: Sequence[str], notes: list[str]) -> Iterator[Row]:
    """The rows whose paths no pattern matches; how many others there were is said."""
    left_out = 0
    for row in rows:
        if is_left_out(str(row.cells.get("path", "")), patterns):
            left_out += 1
        else:
            yield row
    if left_out:
        notes.append(f"Left out by {' and '.join(patterns)}: {counted(left_out, 'row')}.")
