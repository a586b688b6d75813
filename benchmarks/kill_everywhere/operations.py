"""What changes collections: each operation, and the data folder that it begins with."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from PIL import Image

from radcbir_core.burned_text.text_rule import Place
from radcbir_core.storage import atomic_bytes
from tests.core.collections.records.test_migration import as_form_one

NAME: Final = "small"
NEW: Final = "other"


@dataclass(frozen=True)
class Operation:
    """Something that changes a collection.

    Attributes:
        name: For the table.
        do: Does it, in a copy of one of :func:`prepare`'s folders: ``data``, ``out``, and a link to the ``source``.
        begins: Which of these folders.
        partly: Whether what is made may be there in part: then each file is as before or as after, and each artifact
            that, or known not to be current.
        exchanges: Whether it lets two folders take each other's place.
    """

    name: str
    do: Callable[[Path], object]
    begins: str = "built"
    partly: bool = False
    exchanges: bool = False


def prepare(root: Path) -> None:
    """Write the sources and the data folders that operations begin with, each a folder of ``root``."""
    source = root / "source"
    _write_images(source, "a", 5)
    _write_images(source / "more", "b", 3)
    _write_dicom(source / "dicom", 2)
    (source / "first.csv").write_text("path,pathologies\na4.png,cyst\n")
    (source / "corrections.csv").write_text("path,pathologies\na0.png,effusion\na1.png,\n")
    (source / "changed.csv").write_text((source / "manifest.csv").read_text().replace("mass", "nodule"))
    vectors = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    (source / "vectors").mkdir()
    np.save(source / "vectors" / "v.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    rows = "".join(f"{number},v{number}.png,XR,chest,mass\n" for number in range(5))
    (source / "vectors" / "v.csv").write_text("image_id,path,modality,anatomy,pathologies\n" + rows)
    for name in ("empty", "imported", "built", "form-one", "vectors-there", "mapped"):
        folder = root / name
        (folder / "data").mkdir(parents=True)
        (folder / "out").mkdir()
        (folder / "source").symlink_to(source)
        use(folder)
        if name == "vectors-there":
            _embeddings(folder, encoder_id="one")
        elif name != "empty":
            import_source(folder)
        if name in {"built", "form-one", "mapped"}:
            _build(folder)
        if name == "mapped":
            _map(folder, seed=0)
        if name == "built":
            apply_corrections(folder, "first.csv")
            _review(folder, "look again")
            _find_text(folder)
            _write_reviews(source / "reviews.csv")
            _make_study(folder, "one")
            _read(folder)
            _archive(folder, source / "archive.zip")
        if name == "form-one":
            as_form_one(folder / "data" / "collections" / NAME)


def use(folder: Path) -> None:
    """Let RadCBIR use the data folder in a folder."""
    os.environ["RADCBIR_DATA"] = str(folder / "data")


def import_source(folder: Path, name: str = NAME, **options: object) -> None:
    """Import the source, or with other options what else they say."""
    from radcbir_core.importers import ImportRequest, import_as

    given = {"paths": [folder / "source" / "manifest.csv"], "format_name": None, **options}
    paths, format_name = given.pop("paths"), given.pop("format_name")
    import_as(ImportRequest(paths, name, **given), format_name=format_name)  # type: ignore[arg-type]


def _add(folder: Path) -> None:
    import_source(folder, paths=[folder / "source" / "more" / "manifest.csv"], add=True)


def _take(folder: Path) -> None:
    import_source(folder, paths=[folder / "source" / "changed.csv"], add=True, take_changes=True)


def _dicom(folder: Path) -> None:
    import_source(folder, NEW, paths=[folder / "source" / "dicom"], format_name="dicom", salt=bytes(32))


def _embeddings(folder: Path, *, encoder_id: str) -> None:
    import_source(
        folder, "vectors", paths=[folder / "source" / "vectors"], format_name="embeddings", encoder_id=encoder_id
    )


def _build(_: Path) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.encoders import load_encoder
    from radcbir_core.pipeline import build_collection

    build_collection(open_collection(NAME), load_encoder("pixels"), workers=1)


def _rebuild(_: Path) -> None:
    """Another version of the encoder: what is there is of the one before."""
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.encoders import load_encoder
    from radcbir_core.pipeline import build_collection

    encoder = load_encoder("pixels")
    encoder.fingerprint = "another"
    build_collection(open_collection(NAME), encoder, workers=1)


def _map(_: Path, *, seed: int) -> None:
    """A map by a name, laid out anew where it is there."""
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.projection.map_making import laying_out, make_map
    from radcbir_core.projection.map_options import MapOptions

    collection = open_collection(NAME)
    with collection.building("pixels", doing=laying_out("wide")):
        make_map(collection.store("pixels"), "wide", options=MapOptions(seed=seed))


def _delete_map(_: Path) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.projection.map_making import delete_map

    delete_map(open_collection(NAME), "pixels", "wide")


def apply_corrections(folder: Path, table: str = "corrections.csv") -> None:
    """Correct labels by a table of the source."""
    from radcbir_core.importers.relabeling import correct_labels

    correct_labels(NAME, folder / "source" / table, by="somebody")


def _review(_: Path, note: str) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.reviews.reviewing import write_note

    collection = open_collection(NAME)
    write_note(collection, (collection.manifest.record(0)["image_id"], ""), note, by="somebody")


def _write_reviews(path: Path) -> None:
    from radcbir_core.collections.collection import open_collection

    ids = open_collection(NAME).manifest.column("image_id")
    path.write_text(f"kind,text,image_id,hit_id\ntag,mass?,{ids[0]},\ntag,unlike,{ids[0]},{ids[1]}\n")


def _review_import(folder: Path) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.reviews.review_table import import_reviews, read_table

    import_reviews(open_collection(NAME), read_table(folder / "source" / "reviews.csv"), by="somebody")


def _make_study(_: Path, name: str) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.reader_study.study_making import StudyRequest, make_study
    from radcbir_core.search.retriever import Retriever

    request = StudyRequest(name, ("mass", "normal"), 2, practice=0, k=1)
    make_study(Retriever(open_collection(NAME), "pixels"), request, by="somebody")


def _remove_study(_: Path) -> None:
    from radcbir_core.collections.reader_studies.study_definition import remove_study

    remove_study(NAME, "one")


def _read(_: Path, *, answers: bool = False) -> None:
    """Have a reader join and be shown a case, or answer it."""
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.reader_studies.study_definition import read_study
    from radcbir_core.reader_study.reading_course import Answered, write_answer, write_joined, write_shown

    collection = open_collection(NAME)
    study = read_study(collection.folder, "one")
    step = write_joined(collection, study, "R1", by="somebody").steps[0]
    if answers:
        write_answer(collection, study, "R1", step, Answered("mass", 3, 1.0), by="somebody")
    else:
        write_shown(collection, study, "R1", step, by="somebody")


class _Found:
    """Takes a line at the same place of each picture for text, without networks."""

    name = "one line"

    def __call__(self, pixels: object) -> list[Place]:  # noqa: ARG002 - as a detector is called
        return [Place((0.1, 0.8, 0.7, 0.9), height=0.1, long=6, symbols=6, sure=0.9)]


def _find_text(_: Path) -> None:
    from radcbir_core.burned_text.text_finding import find_text
    from radcbir_core.collections.collection import open_collection

    find_text(open_collection(NAME), _Found(), workers=1)


def _black_out(_: Path) -> None:
    from radcbir_core.burned_text.thumbnail_blackout import black_out_thumbnails

    black_out_thumbnails(NAME)


def _rename(_: Path) -> None:
    from radcbir_core.collections.changes import rename_collection

    rename_collection(NAME, NEW)


def _rename_and_title(_: Path) -> None:
    from radcbir_core.collections.changes import rename_collection

    rename_collection(NAME, NEW, title="Another title")


def _title(_: Path) -> None:
    from radcbir_core.collections.changes import rename_collection

    rename_collection(NAME, NAME, title="Another title")


def _relocate(folder: Path) -> None:
    from radcbir_core.collections.changes import relocate_images

    relocate_images(NAME, folder / "source" / "more" / "..")


def _remove(_: Path) -> None:
    from radcbir_core.collections.changes import remove_collection

    remove_collection(NAME)


def _archive(folder: Path, path: Path | None = None) -> None:
    from radcbir_core.collections.archive import write_archive
    from radcbir_core.collections.collection import open_collection

    write_archive(open_collection(NAME), path or folder / "out" / "small.zip", images=True)


def _open_archive(folder: Path) -> None:
    from radcbir_core.collections.archive import open_archive

    open_archive(folder / "source" / "archive.zip", NEW)


def _export_manifest(folder: Path) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.export import export_manifest

    export_manifest(open_collection(NAME), folder / "out" / "manifest.csv")


def _export_embeddings(folder: Path) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.search.embeddings_export import export_embeddings

    export_embeddings(open_collection(NAME).store("pixels"), folder / "out" / "v.parquet")


def _export_pair(folder: Path) -> None:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.search.embeddings_export import export_embeddings

    export_embeddings(open_collection(NAME).store("pixels"), folder / "out" / "v.npy")


def _resumed(folder: Path) -> None:
    """What is made part by part, and gone on with."""
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.records.record import PROBLEM_COLUMNS
    from radcbir_core.collections.writing import resumable_collection, write_collection

    with resumable_collection(NEW, key="parts") as unfinished:
        for part in sorted((folder / "source").glob("a*.png")):
            place = unfinished / "images" / part.name
            if not place.exists():
                atomic_bytes(place, part.read_bytes(), sync_name=False)
        write_collection(
            unfinished,
            name=NEW,
            title="Drawn",
            image_root=Path("images"),
            manifest=open_collection(NAME).manifest,
            problems=pd.DataFrame([], columns=PROBLEM_COLUMNS),
            facts={},
        )


def _write_images(folder: Path, letter: str, number: int) -> None:
    folder.mkdir(parents=True)
    lines = ["path,modality,anatomy,pathologies,patient_id,split"]
    for row in range(number):
        pixels = np.random.default_rng([ord(letter), row]).integers(0, 255, (24, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{letter}{row}.png")
        label = ("mass", "normal")[row % 2]
        lines.append(f"{letter}{row}.png,XR,chest,{label},p{row // 2},{'test' if row == number - 1 else 'train'}")
    (folder / "manifest.csv").write_text("\n".join([*lines, ""]))


def _write_dicom(folder: Path, number: int) -> None:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

    folder.mkdir()
    for row in range(number):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(row)])
        file = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        file.PatientID, file.StudyInstanceUID = f"Somebody {row}", generate_uid(entropy_srcs=["study", str(row)])
        file.SeriesInstanceUID, file.Modality = generate_uid(entropy_srcs=["series", str(row)]), "CR"
        file.Rows = file.Columns = 16
        file.SamplesPerPixel, file.PhotometricInterpretation = 1, "MONOCHROME2"
        file.BitsAllocated = file.BitsStored = 8
        file.HighBit, file.PixelRepresentation = 7, 0
        pixels = np.random.default_rng(row).integers(0, 255, (16, 16), dtype=np.uint8)
        file.PixelData = pixels.tobytes()
        file.save_as(folder / f"{row}.dcm", enforce_file_format=True)


OPERATIONS: Final = (
    Operation("import", partial(import_source, name=NEW)),
    Operation("import, DICOM with a salt", _dicom),
    Operation("import, embeddings", partial(_embeddings, encoder_id="one"), begins="empty"),
    Operation(
        "import, a second encoder's embeddings",
        partial(_embeddings, encoder_id="two"),
        begins="vectors-there",
        exchanges=True,
    ),
    Operation("import, part by part", _resumed),
    Operation("import --add", _add, exchanges=True),
    Operation("import --add --take-changes", _take, exchanges=True),
    Operation("relabel", apply_corrections),
    Operation("relabel, of form 1", apply_corrections, begins="form-one"),
    Operation("review", partial(_review, note="see left")),
    Operation("review-import", _review_import),
    Operation("reader study, made", partial(_make_study, name="two")),
    Operation("reader study, answered", partial(_read, answers=True)),
    Operation("reader study, removed", _remove_study),
    Operation("find-text", _find_text, begins="imported", partly=True),
    Operation("black-out", _black_out, exchanges=True),
    Operation("rename", _rename),
    Operation("rename, of form 1", _rename_and_title, begins="form-one"),
    Operation("rename and title", _rename_and_title),
    Operation("title", _title),
    Operation("relocate", _relocate),
    Operation("remove", _remove),
    Operation("archive", _archive),
    Operation("open an archive", _open_archive),
    Operation("export, manifest", _export_manifest),
    Operation("export, embeddings", _export_embeddings),
    Operation("export, embeddings and their table", _export_pair, partly=True),
    Operation("build", _build, begins="imported", partly=True),
    Operation("build, another version", _rebuild, partly=True),
    Operation("map", partial(_map, seed=0)),
    Operation("map, laid out anew", partial(_map, seed=1), begins="mapped"),
    Operation("map, deleted", _delete_map, begins="mapped"),
    Operation("build, of form 1", _build, begins="form-one", partly=True),
)
