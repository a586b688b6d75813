"""Phantoms → a collection: the images are drawn by helper processes and written beside their manifest.

Owns the making of a phantom collection: who draws, where the files lie, the manifest's rows with the ground truth as
columns, and going on after a kill. What is drawn is ``radcbir_core.synthetic.phantoms``' business.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, BinaryIO, Final, cast

import pandas as pd
import pyarrow as pa

from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.collections.corrections import remove_manifests
from radcbir_core.collections.layout import UNFINISHED, Layout, check_name, collections_folder
from radcbir_core.collections.manifests.manifest import COLUMNS, Manifest
from radcbir_core.collections.records.record import PROBLEM_COLUMNS, manifest_facts, write_record
from radcbir_core.collections.writing import (
    link_or_copy,
    refuse_existing,
    resumable_addition,
    resumable_collection,
    revised_collection,
    write_collection,
)
from radcbir_core.embed import carry_over
from radcbir_core.errors import CollectionError
from radcbir_core.messages import end_helper, receive, send
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import atomic_bytes, disk_errors, make_private_folder, refuse_full_disk, sync_folder
from radcbir_core.synthetic.phantoms.patients import Patient, patients
from radcbir_core.synthetic.phantoms.scenes import SIDE

DEFAULT_NAME: Final = "phantoms"
DEFAULT_IMAGES: Final = 2400
DEFAULT_SEED: Final = 20
VERSION: Final = 1
"""Counts up whenever the same seed gives other images, so that a half-made collection is not finished by other code."""

TITLE: Final = "Phantoms: synthetic images with known ground truth"
LICENCE: Final = "Apache-2.0"
TRUTH_COLUMNS: Final = ("lesion_size_mm", "lesion_contrast", "lesion_x", "lesion_y", "lesion_place")
"""The ground truth of each image; empty in a normal one."""

TO_BE_DRAWN: Final = "to_be_drawn"
"""The fact of a collection that was begun with few patients: what it is to become."""

PARTS: Final = "parts"
"""The folder of an unfinished collection that holds the rows of its finished parts."""

# Several processes with several threads each would only get into each other's way.
_ONE_THREAD: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_PATIENTS_A_PART = 4
_BYTES_AN_IMAGE = 32_000  # of the demonstration with all that is built of it
_PARTS_A_FOLDER = 256
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in COLUMNS if name not in {"pathologies", "width", "height", "duplicate_group"}),
        ("pathologies", pa.list_(pa.string())),
        *((name, pa.int32()) for name in ("width", "height", "duplicate_group")),
        *((name, pa.string() if name == "lesion_place" else pa.float32()) for name in TRUTH_COLUMNS),
        ("licence", pa.string()),
    ]
)


def make_phantoms(
    *,
    name: str = DEFAULT_NAME,
    images: int = DEFAULT_IMAGES,
    seed: int = DEFAULT_SEED,
    split: str | None = None,
    labels: int | None = None,
    begin_with: int | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Collection:
    """Draw a phantom collection; stopped or killed and called again, it goes on where it stopped.

    The same ``images`` and ``seed`` give the same files on every machine with the same versions of NumPy and Pillow.

    Args:
        name: The new collection's name.
        images: How many, at least 1.
        seed: 0 or more; another seed gives other patients.
        split: Put all patients on this side; by default six of ten train, one validates and three test.
        labels: How many labels the images have together; all by default, so that of few images each has another.
        begin_with: So many patients, a multiple of 4, are drawn and make the collection for now;
            :func:`complete_phantoms` adds the others. All by default.
        workers: Drawing processes; one a CPU core by default.
        progress: Told the number of images, as step "draw".

    Raises:
        CollectionExistsError: The name is taken.
        CollectionError: Another process is making it, or ``images`` or ``seed`` is out of range.
        StorageError: The disk has no room for so many images and what is built of them, or no permission.
    """
    check_name(name)
    refuse_existing(name)
    if images < 1 or seed < 0:
        raise CollectionError(
            f"Expected at least 1 image and a seed of at least 0, but images = {images}, seed = {seed}. Correct them."
        )
    _refuse_full_disk(name, images)
    plan = _Plan(images=images, seed=seed, labels=labels, split=split)
    begun = None if begin_with is None else begin_with // _PATIENTS_A_PART
    with resumable_collection(name, key=plan.key) as folder:
        table = _drawn(folder, plan, parts=slice(0, begun), workers=workers, told=progress)
        write_collection(
            folder,
            name=name,
            title=TITLE,
            image_root=Path("images"),
            manifest=Manifest(table, digest=""),
            problems=pd.DataFrame([], columns=PROBLEM_COLUMNS),
            facts={
                "problems": 0,
                "duplicates": 0,
                "duplicate_groups": 0,
                "changes": [],
                **_counts(name, len(table), seed=seed),
                **({TO_BE_DRAWN: plan.to_json()} if len(table) < images else {}),
            },
        )
        shutil.rmtree(folder / PARTS)
    return open_collection(name)


def images_planned(collection: Collection) -> int:
    """How many images a collection has once it is complete."""
    plan = collection.record.get(TO_BE_DRAWN)
    return int(plan["images"]) if plan else len(collection)


def complete_phantoms(
    name: str,
    *,
    fill: Callable[[Collection], object],
    workers: int | None = None,
    progress: Progress = silent,
) -> Collection:
    """Draw what is missing of a collection that was begun with few patients, and add it; nothing where none is.

    The collection stays as it is and can be used until the complete one takes its place, with the same images as if
    all had been drawn at once. Stopped or killed and called again, it goes on where it stopped.

    Args:
        name: The collection's.
        fill: Called with the complete collection before it takes the other's place, to embed it.
        workers: As for :func:`make_phantoms`.
        progress: Told the number of images, as step "draw".

    Raises:
        CollectionNotFoundError: There is none of that name.
        StaleError: Its labels were corrected meanwhile.
        CollectionError: Another process is changing or building it.
        StorageError: No space left, or no permission.
    """
    before = open_collection(name)
    if TO_BE_DRAWN not in before.record:
        return before
    plan = _Plan(**before.record[TO_BE_DRAWN])
    begun = len(set(before.manifest.column("patient_id"))) // _PATIENTS_A_PART
    with resumable_addition(name, key=plan.key) as added:
        rest = _drawn(added, plan, parts=slice(begun, None), before=len(before), workers=workers, told=progress)
    with revised_collection(name, digest=before.digest) as folder:
        for path in (added / "images").rglob("*.png"):
            target = folder / "images" / path.relative_to(added / "images")
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, target)
        table = pa.concat_tables([before.manifest.table.select(_SCHEMA.names).cast(_SCHEMA), rest])
        manifest = Layout(folder).manifest
        Manifest(table, digest="").write(manifest)
        record = {key: value for key, value in before.record.items() if key != TO_BE_DRAWN}
        write_record(folder, record | manifest_facts(manifest, table) | _counts(name, len(table), seed=plan.seed))
        remove_manifests(folder, keep={manifest.name})
        complete = Collection(folder)
        carry_over(before, complete)
        fill(complete)
    shutil.rmtree(added, ignore_errors=True)
    return open_collection(name)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What decides of every image.

    Attributes:
        images: How many there are.
        seed: Another one gives other patients.
        labels: How many labels they have together; all where None.
        split: The side that all are on; each patient's own where None.
    """

    images: int
    seed: int
    labels: int | None
    split: str | None = None

    @property
    def key(self) -> str:
        """What a folder that holds a part of it is called by."""
        side = [self.split] if self.split else []
        labels = [f"{self.labels} labels"] if self.labels else []
        return "-".join(["phantoms", str(VERSION), str(self.images), str(self.seed), *side, *labels])

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def _counts(name: str, images: int, *, seed: int) -> dict[str, Any]:
    """What the record says of so many images."""
    source = {"origin": f"drawn from seed {seed}", "dataset": name, "rows": images, "images": images}
    return {"sources": [source], "licences": {LICENCE: images}}


def _refuse_full_disk(name: str, images: int) -> None:
    """Refuse more images than the disk has room for; what an earlier run has left of them is room, too.

    Raises:
        StorageError: There is no room for them, or no permission.
    """
    folder = collections_folder()
    with disk_errors(folder):
        make_private_folder(folder)
    there = 0
    for path in (path for kept in folder.glob(f"{UNFINISHED}{name}+*") for path in kept.rglob("*")):
        with suppress(OSError):  # somebody else's, who is at work on it: that is said later
            there += path.stat().st_size
    total = max(images * _BYTES_AN_IMAGE - there, 0)
    refuse_full_disk(folder, total, purpose=f"draw and build {images:,} phantoms", kept_free=0)


def _drawn(
    folder: Path, plan: _Plan, *, parts: slice, before: int = 0, workers: int | None, told: Progress
) -> pa.Table:
    """The manifest's rows of some parts; draws what is not there yet, a bounded number of parts ahead.

    Args:
        folder: Where images and finished parts lie.
        plan: What decides of them.
        parts: Which.
        before: How many images earlier parts have.
        workers: Drawing processes; one a CPU core where None.
        told: Told the number of images.
    """
    workers = workers or os.cpu_count() or 1
    everyone = _parts(patients(plan.images, seed=plan.seed, labels=plan.labels))
    numbered = islice(enumerate(everyone), parts.start, parts.stop)
    done, tables = before, []
    told("draw", done, plan.images)
    helpers = _Helpers()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="draw")
    try:
        submitted: Iterator[Future[pa.Table]] = (
            pool.submit(_part, folder, number, part, seed=plan.seed, labels=plan.labels, helpers=helpers)
            for number, part in numbered
        )
        waiting = deque(islice(submitted, 2 * workers))
        while waiting:
            table = waiting.popleft().result()
            waiting.extend(islice(submitted, 1))
            done += table.num_rows
            told("draw", done, plan.images)
            tables.append(_on_one_side(table, plan.split) if plan.split else table)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        helpers.end()
    return pa.concat_tables(tables)


def _on_one_side(table: pa.Table, split: str) -> pa.Table:
    place = table.column_names.index("split")
    return table.set_column(place, "split", pa.array([split] * table.num_rows, pa.string()))


def _parts(everyone: Iterator[Patient]) -> Iterator[list[Patient]]:
    while part := list(islice(everyone, _PATIENTS_A_PART)):
        yield part


def _part(
    folder: Path, number: int, part: list[Patient], *, seed: int, labels: int | None, helpers: _Helpers
) -> pa.Table:
    """The rows of one part; its images are drawn and written unless an earlier run has done so."""
    record = folder / PARTS / f"{number:06d}.json"
    if record.is_file():
        return pa.Table.from_pylist(json.loads(record.read_text(encoding="utf-8")), schema=_SCHEMA)
    rows = []
    for patient in part:
        facts, data = helpers.draw({"number": patient.number, "left": patient.kept, "seed": seed, "labels": labels})
        start = 0
        for place, image in enumerate(facts, start=1):
            file = data[start : start + image["bytes"]]
            start += image["bytes"]
            path = f"{number // _PARTS_A_FOLDER:04d}/{patient.patient_id}-{place}.png"
            atomic_bytes(folder / "images" / path, file, sync_name=False)
            rows.append(_row(patient, image, path=path, sha256=hashlib.sha256(file).hexdigest()))
    sync_folder((folder / "images" / path).parent)
    # Last, because it says that the part's images are all there.
    atomic_bytes(record, json.dumps(rows).encode(), sync_name=False)
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _row(patient: Patient, image: dict[str, Any], *, path: str, sha256: str) -> dict[str, Any]:
    lesion = image["lesion"] or {}
    return {
        "image_id": Path(path).stem,
        "path": path,
        "dataset": "phantoms",
        "split": patient.split,
        "modality": patient.scene.modality,
        "anatomy": patient.scene.anatomy,
        "pathologies": [patient.pathology],
        "patient_id": patient.patient_id,
        "study_id": "",
        "caption": image["caption"],
        "view": image["view"],
        "sha256": sha256,
        "width": SIDE,
        "height": SIDE,
        "duplicate_group": -1,
        "lesion_size_mm": lesion.get("size_mm"),
        "lesion_contrast": lesion.get("contrast"),
        "lesion_x": lesion.get("x"),
        "lesion_y": lesion.get("y"),
        "lesion_place": lesion.get("place") or "",
        "licence": LICENCE,
    }


class _Helpers:
    """Drawing processes: one for each thread that asks, each started when first needed and used again.

    Processes, because drawing holds the interpreter; programs of their own, because a process that starts as a copy of
    a server with threads may hang, and one that starts by importing the server's main module would run a page.
    """

    def __init__(self) -> None:
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        self._all: list[subprocess.Popen[bytes]] = []

    def draw(self, request: dict[str, Any]) -> tuple[list[dict[str, Any]], bytes]:
        """The images of one patient.

        Raises:
            CollectionError: The process ended without an answer.
        """
        try:
            helper = self._idle.get_nowait()
        except Empty:
            helper = self._start()
        try:
            send(cast(BinaryIO, helper.stdin), request)
            answer, data = receive(cast(BinaryIO, helper.stdout))
        except (OSError, EOFError) as error:
            raise CollectionError(
                f"Expected the images of phantom patient {request['number']}, but the process that draws them ended "
                f"with exit code {helper.wait()}. Free some memory and start again; it goes on from what is finished."
            ) from error
        self._idle.put(helper)
        return answer["images"], data

    def _start(self) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        helper = subprocess.Popen(
            [sys.executable, "-m", "radcbir_core.synthetic.phantoms.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path},
        )
        self._all.append(helper)
        return helper

    def end(self) -> None:
        """End all processes."""
        for helper in self._all:
            end_helper(helper)
