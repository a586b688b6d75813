"""Mutations of every file of a built collection and of its archive: one line of error, or an answer; never a crash.

Usage: python -m benchmarks.mutations [--each 12] [--seed 0] [--keep FOLDER]

Draws 60 small images, imports and builds them with ``pixels``, and exports them. Then every file of the collection, and
every member of the archive (whose digests are made right again, so that the mutation is met behind them), is changed in
``--each`` ways: bits flipped, cut off, zeroed, exchanged with another file, and, where the form of the file is known,
values of another kind put in. With each, a process of its own opens the collection or the archive, searches exactly and
approximately, reads pictures and the map, runs all evaluations, and lists what is there. Counts how it ended:

    answered    everything worked; whether the answers are those of before is said too
    refused     an error of RadCBIR's own, which is one line
    traceback   another error: a fault, listed
    crashed     the process died: a fault, listed

Ends with exit code 1 where there is a fault.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NAME = "mutated"
IMAGES = 60
_PER_PROCESS = 40
_SKIPPED = {".lock"}
_OF_TWO = {"comparison", "neighborhoods"}
"""Evaluations of two encoders: they read what the others read."""


# What is changed.


def flip(content: bytes, random: np.random.Generator) -> bytes:
    """Change a few bits anywhere."""
    changed = bytearray(content)
    for place in random.integers(0, max(len(changed), 1), size=min(3, len(changed))):
        changed[place] ^= 1 << int(random.integers(8))
    return bytes(changed)


def truncate(content: bytes, random: np.random.Generator) -> bytes:
    """Cut off the end."""
    return content[: int(random.integers(0, max(len(content), 1)))]


def zero(content: bytes, random: np.random.Generator) -> bytes:
    """Zero a stretch."""
    start = int(random.integers(0, max(len(content), 1)))
    stop = min(len(content), start + 1 + int(random.integers(0, 4096)))
    return content[:start] + bytes(stop - start) + content[stop:]


def append(content: bytes, random: np.random.Generator) -> bytes:
    """Add bytes behind the end."""
    return content + random.bytes(int(random.integers(1, 200)))


def odd_json(content: bytes, random: np.random.Generator) -> bytes:
    """Put a value of another kind somewhere, repeat a key, or nest without end."""
    value = json.loads(content)
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [value]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, dict | list):
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            places += [(inner, key) for key in keys]
            waiting.extend(inner[key] for key in keys)
    if not places:
        return b"null"
    inner, key = places[int(random.integers(len(places)))]
    choices = [None, "text", -1, 10**40, 0.5, True, [], {}, [None], {"a": None}, "x" * 5000, "../../x", "\0", "DEEP"]
    chosen = choices[int(random.integers(len(choices)))]
    inner[key] = float("nan") if random.random() < 0.05 else chosen
    text = json.dumps(value)
    if random.random() < 0.05:
        text = text[:-1] + ',"a":1,"a":2}'
    return text.replace('"DEEP"', "[" * 100_000 + "]" * 100_000).encode()


def odd_array(content: bytes, random: np.random.Generator) -> bytes:
    """Another order, type or shape, or values that cannot be."""
    array = np.load(io.BytesIO(content))
    put = array.copy()
    if put.size:
        put.reshape(-1)[int(random.integers(put.size))] = (
            np.nan if put.dtype.kind == "f" else random.integers(-(2**31), 2**31)
        )
    changed = [
        np.asfortranarray(array),
        array.astype(">f8"),
        array.astype(np.int64),
        array.astype(np.complex64),
        array.astype("U8"),
        array[:-1],
        np.concatenate([array, array]),
        array.reshape(-1),
        array[..., None],
        put,
        np.zeros((0,), array.dtype),
    ]
    file = io.BytesIO()
    np.save(file, changed[int(random.integers(len(changed)))])
    return file.getvalue()


def odd_table(content: bytes, random: np.random.Generator) -> bytes:
    """A parquet table with a column of another type, without one, with fewer rows, or without values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    if table.num_columns:
        number = int(random.integers(table.num_columns))
        name = table.column_names[number]
        rows = table.num_rows
        changed = [
            table.drop_columns([name]),
            table.set_column(number, name, pa.array(["text"] * rows)),
            table.set_column(number, name, pa.array(range(rows), pa.int64())),
            table.set_column(number, name, pa.nulls(rows, table.schema.field(number).type)),
            table.set_column(number, name, pa.array([[None]] * rows, pa.list_(pa.string()))),
            table.slice(0, rows // 2),
            table.append_column(name, table.column(number)),
            table.rename_columns([f"{other}x" for other in table.column_names]),
        ]
        table = changed[int(random.integers(len(changed)))]
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


Mutation = Callable[[bytes, np.random.Generator], bytes]

PLAIN: tuple[Mutation, ...] = (flip, truncate, zero, append)
ODD: dict[str, Mutation] = {".json": odd_json, ".npy": odd_array, ".parquet": odd_table}


def mutated(path: str, content: bytes, others: Sequence[bytes], *, seed: int) -> tuple[str, bytes]:
    """What a file becomes, and what was done to it.

    Args:
        path: Its name, which says its form.
        content: What is in it.
        others: What is in other files, to be exchanged with it.
        seed: Decides everything.
    """
    random = np.random.default_rng(seed)
    odd = ODD.get(Path(path).suffix)
    if odd is not None and seed % 2:
        return odd.__name__, odd(content, random)
    number = int(random.integers(len(PLAIN) + 1))
    if number == len(PLAIN):
        return "swap", others[int(random.integers(len(others)))]
    return PLAIN[number].__name__, PLAIN[number](content, random)


# What is done with it.


def exercise(name: str = NAME, *, evaluations: bool = True) -> str:
    """Everything that reads a collection; what identifies the answers.

    Args:
        name: The collection's.
        evaluations: Whether these are run too, which takes most of the time.

    Raises:
        RadcbirError: Something was refused; everything else is still tried before.
    """
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.corrections import read_corrections
    from radcbir_core.collections.inventory import listed, sizes_of
    from radcbir_core.collections.kept_counts import counts_of
    from radcbir_core.errors import RadcbirError
    from radcbir_core.evaluation import EVALUATIONS
    from radcbir_core.search.opening import searcher_of
    from radcbir_core.search.retriever import Retriever

    listed()
    collection = open_collection(name)
    said: list[str] = []
    refusals: list[RadcbirError] = []

    def attempt(look: Callable[[], object]) -> None:
        try:
            said.append(repr(look()))
        except RadcbirError as error:
            refusals.append(error)

    def evaluated(kind: str) -> object:
        result = EVALUATIONS[kind].of().run(store)
        return result.summary().to_csv(), result.title, result._repr_html_()

    attempt(lambda: collection.problems().to_csv())
    attempt(lambda: read_corrections(collection).to_csv())
    attempt(lambda: counts_of(collection))
    attempt(lambda: sizes_of(collection.folder).total > 0)
    attempt(lambda: [collection.manifest.record(row) for row in (0, len(collection) - 1)])
    attempt(lambda: [collection.thumbnail(row) for row in range(len(collection))])
    attempt(lambda: repr(collection.read_image(0).pixels))
    for encoder_id in collection.encoder_ids():
        try:
            store = collection.store(encoder_id)
        except RadcbirError as error:
            refusals.append(error)
            continue
        attempt(lambda store=store: (store.title, bool(store.standings())))
        attempt(lambda store=store: (store.projection(), store.neighbor_ids, store.neighbor_similarities))
        attempt(lambda e=encoder_id: Retriever(collection, e).search(3, k=5).rows().tolist())
        attempt(
            lambda store=store: (
                searcher_of(store)
                .search(searcher_of(store).queries_of(np.array([1])), k=5, method="approximate")
                .rows.tolist()
            )
        )
        for kind in EVALUATIONS:
            if evaluations and kind not in _OF_TWO:
                attempt(lambda kind=kind: evaluated(kind))
    if refusals:
        raise refusals[0]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


def outcome(work: Callable[[], str], *, right: str) -> tuple[str, str]:
    """How something ended: a word, and what there is to say of it."""
    from radcbir_core.errors import RadcbirError

    try:
        answer = work()
    except RadcbirError as error:
        lines = str(error).splitlines()
        return ("refused", lines[0][:300]) if len(lines) <= 2 else ("traceback", f"an error of {len(lines)} lines")
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-3:]
        where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(last))
        return "traceback", f"{type(error).__name__}: {str(error)[:160]} at {where}"
    return "answered", "as before" if answer == right else "otherwise"


def relisted(members: dict[str, bytes]) -> bytes:
    """An archive of these members whose list agrees with them."""
    from radcbir_core.collections.archive.contents import LABEL, LIST, Member, write_list

    own = [name for name in members if name not in {LIST, LABEL}]
    text = io.StringIO()
    write_list([Member(hashlib.sha256(members[n]).hexdigest(), len(members[n]), n) for n in own], text)
    listed = text.getvalue().encode()
    label = json.loads(members[LABEL]) | {"members_sha256": hashlib.sha256(listed).hexdigest()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**members, LIST: listed, LABEL: json.dumps(label).encode()}.items():
            archive.writestr(name, content)
    return file.getvalue()


def tried_collection(whole: Path, place: Path, path: str, *, seed: int, right: str) -> tuple[str, str, str]:
    """Change a file of a copy of the data folder and look at everything."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place)
    os.environ["RADCBIR_DATA"] = str(place)
    folder = place / "collections" / NAME
    others = [file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()]
    what, content = mutated(path, (folder / path).read_bytes(), others, seed=seed)
    (folder / path).write_bytes(content)
    return (what, *outcome(exercise, right=right))


def tried_archive(whole: Path, place: Path, member: str, *, seed: int, right: str) -> tuple[str, str, str]:
    """Change a member of an archive, make its list agree, open it and look at everything."""
    from radcbir_core.collections.archive import open_archive
    from radcbir_core.pipeline import build_indexes

    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    os.environ["RADCBIR_DATA"] = str(place / "data")
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    what, members[member] = mutated(member, members[member], list(members.values()), seed=seed)
    (place / "a.zip").write_bytes(relisted(members))

    def work() -> str:
        build_indexes(open_archive(place / "a.zip", NAME))
        return exercise()

    return (what, *outcome(work, right=right))


# The processes.


def prepared(folder: Path) -> tuple[Path, Path]:
    """A data folder with a built collection, and its archive with the images."""
    from radcbir_core.collections.archive import write_archive
    from radcbir_core.encoders import load_encoder
    from radcbir_core.importers import import_collection
    from radcbir_core.pipeline import build_collection

    source, data = folder / "source", folder / "whole"
    (source / "images").mkdir(parents=True)
    random = np.random.default_rng(1)
    lines = ["path,modality,anatomy,pathologies,patient_id,split"]
    for number in range(IMAGES):
        pixels = random.integers(0, 90, size=(40, 40), dtype=np.uint8)
        pixels[number % 3 * 12 : number % 3 * 12 + 12] += 100
        Image.fromarray(pixels).save(source / "images" / f"{number:02}.png")
        split = "train" if number % 2 else "test"
        lines.append(f"images/{number:02}.png,XR,chest,finding {number % 3},p{number // 2},{split}")
    (source / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.environ["RADCBIR_DATA"] = str(data)
    collection = import_collection([source], name=NAME).collection
    build_collection(collection, load_encoder("pixels"))
    exercise()  # which keeps the results of all evaluations, so that they are changed too
    write_archive(collection, folder / "whole.zip", images=True)
    return data, folder / "whole.zip"


def files_of(data: Path, archive: Path) -> list[tuple[str, str]]:
    """What is changed: of the collection and of its archive, each file."""
    folder = data / "collections" / NAME
    own = [("collection", p.relative_to(folder).as_posix()) for p in sorted(folder.rglob("*")) if p.is_file()]
    with zipfile.ZipFile(archive) as opened:
        members = [("archive", name) for name in opened.namelist() if name not in {"archive.json", "members.csv"}]
    images = [member for member in members if member[1].startswith("images/")]
    return [pair for pair in (*own, *members) if Path(pair[1]).name not in _SKIPPED and pair not in images[1:]]


def child(folder: Path, numbers: Sequence[int], *, each: int, seed: int) -> None:
    """What a process of its own does: one mutation after the other, each told before and after."""
    data, archive = folder / "whole", folder / "whole.zip"
    os.environ["RADCBIR_DATA"] = str(data)
    right = exercise()
    files = files_of(data, archive)
    for number in numbers:
        kind, path = files[number // each]
        print(json.dumps({"begun": number}), flush=True)
        whole, tried = (data, tried_collection) if kind == "collection" else (archive, tried_archive)
        what, ended, about = tried(whole, folder / f"place-{os.getpid()}", path, seed=seed + number, right=right)
        told = {"number": number, "of": kind, "path": path, "what": what, "ended": ended, "about": about}
        print(json.dumps(told), flush=True)


def results(folder: Path, total: int, *, each: int, seed: int) -> Iterator[dict[str, Any]]:
    """How each mutation ended; a process that dies is followed by another, which goes on behind what killed it."""
    files = files_of(folder / "whole", folder / "whole.zip")
    waiting = list(range(total))
    while waiting:
        part = waiting[:_PER_PROCESS]
        command = [sys.executable, "-m", "benchmarks.mutations", "--child", str(folder), "--each", str(each)]
        done = subprocess.run(
            [*command, "--seed", str(seed), "--numbers", ",".join(map(str, part))],
            capture_output=True,
            text=True,
            check=False,
            timeout=3600,
        )
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        ended = {line["number"]: line for line in told if "number" in line}
        yield from ended.values()
        begun = [line["begun"] for line in told if "begun" in line]
        if done.returncode and not begun:
            raise RuntimeError(f"no process can begin: {done.stderr[-2000:]}")
        for number in begun:
            if number not in ended:
                kind, path = files[number // each]
                about = f"exit code {done.returncode}: {done.stderr.strip()[-200:]}"
                yield {"number": number, "of": kind, "path": path, "what": "?", "ended": "crashed", "about": about}
        waiting = [number for number in waiting if number not in set(begun)]


def main() -> int:
    """Run everything and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=12, help="mutations of each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="write how each ended here, as JSON lines")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--numbers", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child, [int(number) for number in asked.numbers.split(",")], each=asked.each, seed=asked.seed)
        return 0
    counts: Counter[tuple[str, str]] = Counter()
    faults: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="radcbir-mutations-") as name:
        folder = Path(name)
        prepared(folder)
        total = len(files_of(folder / "whole", folder / "whole.zip")) * asked.each
        for told in results(folder, total, each=asked.each, seed=asked.seed):
            word = f"{told['ended']} {told['about']}" if told["ended"] == "answered" else told["ended"]
            counts[told["of"], word] += 1
            if told["ended"] in {"traceback", "crashed"}:
                faults.setdefault(told["about"], []).append(told)
            if asked.keep:
                with asked.keep.open("a", encoding="utf-8") as handle:
                    handle.write(json.dumps(told) + "\n")
    for (kind, word), count in sorted(counts.items()):
        print(f"{kind:<12}{word:<24}{count:>6}")
    for about, cases in sorted(faults.items(), key=lambda item: -len(item[1])):
        first = cases[0]
        print(f"{len(cases):>4} x {first['ended']}: {about}; first {first['of']} {first['path']} ({first['what']})")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
