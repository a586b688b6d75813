"""The doctor: whether this installation works, what is wrong with it, and what to do about each fault.

Owns the checks and their order. What needs torch, and the query that must work without network, runs in a process of
its own, in which every connection is refused: a library that breaks or is killed takes only that process with it, and
what was found until then is told. Nothing here repairs or changes anything; the commands print what is found.

It must import nothing but the standard library before it looks: a package that is missing is what it is asked about.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from radcbir_core.errors import EncoderUnavailableError, RadcbirError, Remedy, StaleError
from radcbir_core.installation import INSTALL, PACKAGE, ROOT
from radcbir_core.wording import counted

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection
    from radcbir_core.encoders import Encoder, EncoderEntry

Result = Literal["ok", "warning", "failed"]

GRAVITY: Final[tuple[Result, ...]] = ("ok", "warning", "failed")
"""In a list that people read, what is wrong stands last, where the eye is."""
PYTHON: Final = (3, 11)
COMMITTED: Final = "radcbir-mini"
PHANTOMS: Final = 12
WARNING_BYTES: Final = 5 * 10**9
FAILED_BYTES: Final = 500 * 10**6
MINUTES: Final = 10
"""How long the process of its own may take; a kit of a large encoder takes a minute on a slow disk."""

_CONNECTING = frozenset({"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        result: ``failed``: something does not work; ``warning``: it works, but not as it should.
        found: What there is.
        advice: What to do; empty where nothing is to be done.
        remedy: The same as an action of RadCBIR, where it is one.
    """

    check: str
    result: Result
    found: str
    advice: str = ""
    remedy: Remedy | None = None


def examine() -> list[Finding]:
    """Run all checks; none of them raises."""
    return [
        *_kept("Python", check_python),
        *_kept("packages", check_packages),
        *_kept("data folder", check_data_folder),
        *_kept("collections", check_collections),
        *check_in_own_process(),
    ]


def examine_plainly() -> int:
    """Run all checks and print them one a line, with nothing but the standard library; 1 if any failed, else 0."""
    findings = examine()
    for finding in sorted(findings, key=lambda finding: GRAVITY.index(finding.result)):
        print(f"{finding.result:8}{finding.check}: {finding.found}{'. ' if finding.advice else ''}{finding.advice}")
    return int(any(finding.result == "failed" for finding in findings))


def _kept(check: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What ``look`` finds; what it raises is one more finding, so that the other checks still run."""
    findings: list[Finding] = []
    try:
        findings.extend(look())
    except RadcbirError as error:
        findings.append(_of_error(check, error))
    except Exception as error:  # noqa: BLE001 - whatever is broken here is what the doctor is asked for
        findings.append(Finding(check, "failed", f"{type(error).__name__}: {_line(error)}", INSTALL))
    return findings


def _of_error(check: str, error: RadcbirError) -> Finding:
    """An error's own words: what was expected and found, and behind the last full stop but one, what to do."""
    expectation, stop, advice = str(error).rpartition(". ")
    return Finding(check, "failed", f"{expectation}." if stop else advice, advice if stop else "", error.remedy)


def _line(words: object) -> str:
    r"""The first line of an error or a text, or its kind where it has none, fit for a table.

    Example:
        >>> _line(ValueError("short\nand long")), _line(KeyError())
        ('short', 'KeyError')
    """
    lines = [line.strip() for line in str(words).splitlines() if line.strip()]
    return "".join(c if c.isprintable() else "?" for c in lines[0])[:300] if lines else type(words).__name__


def check_python() -> Iterator[Finding]:
    """Whether this Python is recent enough.

    Example:
        >>> [finding.result for finding in check_python()]
        ['ok']
    """
    version = platform.python_version()
    running = f"{version} on {platform.system()} {platform.machine()}"
    wanted = ".".join(map(str, PYTHON))
    if sys.version_info[:2] < PYTHON:
        yield Finding("Python", "failed", running, f"Install Python {wanted} or newer, and RadCBIR with it.")
    else:
        yield Finding("Python", "ok", running)


def check_packages(requirements: Path | None = None) -> Iterator[Finding]:
    """Whether the packages of requirements.txt are installed, in exactly these versions.

    Args:
        requirements: The file; that of the repository by default.
    """
    path = ROOT / "requirements.txt" if requirements is None else requirements
    try:
        pins = _pins(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        yield Finding("packages", "warning", f"{path}: {_line(error)}", "Restore that file, or install RadCBIR again.")
        return
    good = 0
    for name, wanted in pins:
        try:
            # A local version, as the +cpu of torch's CPU build, is the same release.
            installed = importlib.metadata.version(name).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            yield Finding(f"package {name}", "failed", f"not installed; {wanted} is needed", INSTALL)
            continue
        if installed == wanted:
            good += 1
        else:
            advice = f"Run: pip install {name}=={wanted}"
            yield Finding(f"package {name}", "warning", f"{installed}; tested with {wanted}", advice)
    yield Finding("packages", "ok", f"{good} of {len(pins)} exactly as in {path.name}")


def _pins(text: str) -> list[tuple[str, str]]:
    r"""Names and versions of ``name[extra]==version`` lines.

    Example:
        >>> _pins("# a remark\npylibjpeg[openjpeg]==2.1.0\n\ntorch==2.13.0  # why\n")
        [('pylibjpeg', '2.1.0'), ('torch', '2.13.0')]
    """
    return re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s#;]+)", text, flags=re.MULTILINE)


def check_data_folder() -> Iterator[Finding]:
    """Whether the data folder is there or can be made, can be written, and has room."""
    from radcbir_core.collections.layout import data_folder

    folder = data_folder()
    advice = "Set RADCBIR_DATA to a folder that you can write to."
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        yield Finding("data folder", "failed", f"{folder}: {nearest} is a file", advice)
        return
    try:
        with tempfile.TemporaryFile(dir=nearest) as handle:
            handle.write(b"room for a little?")
            handle.flush()
    except OSError as error:
        yield Finding("data folder", "failed", f"{nearest} cannot be written: {error.strerror}", advice)
    else:
        state = f"{folder}, can be written" if nearest == folder else f"{folder}, not there yet; it can be made"
        yield Finding("data folder", "ok", state)
    free = shutil.disk_usage(nearest).free
    result: Result = "failed" if free < FAILED_BYTES else "warning" if free < WARNING_BYTES else "ok"
    room = f"A collection needs about 5 kB an image and encoder. Free some space, or {advice[0].lower()}{advice[1:]}"
    yield Finding("disk space", result, f"{free / 1e9:,.1f} GB free for {folder}", "" if result == "ok" else room)


def check_collections() -> Iterator[Finding]:
    """Whether each collection can be read, its images are where they were, and its steps are current."""
    from radcbir_core.collections.layout import list_collections

    names = list_collections()
    if not names:
        yield Finding(
            "collections", "ok", "none yet", "To try everything, have the demonstration made.", Remedy("demo")
        )
    for name in names:
        yield from _kept(f"collection {name}", partial(_check_collection, name))


def _check_collection(name: str) -> Iterator[Finding]:
    from radcbir_core.collections.collection import open_collection

    check = f"collection {name}"
    collection = open_collection(name)
    images = len(collection.manifest)
    if not collection.image_root.is_dir():
        yield Finding(
            check,
            "warning",
            f"{counted(images, 'image')}; their folder {collection.image_root} is not here",
            "Bring it back to open images large and to embed with further encoders; searching works without.",
        )
    yield from _check_thumbnails(collection)
    yield from _kept(f"{check}, reviews", partial(_check_reviews, collection))
    yield from _kept(f"{check}, text in pixels", partial(_check_text_boxes, collection))
    yield from _check_studies(collection)
    for encoder_id in collection.encoder_ids():
        yield from _kept(f"{check}, {encoder_id}", partial(_check_store, name, encoder_id))
    yield Finding(check, "ok", f"{counted(images, 'image')}, {counted(len(collection.encoder_ids()), 'encoder')}")


def _check_thumbnails(collection: Collection) -> Iterator[Finding]:
    """Say where thumbnails are not those that were made; a shard that is not there is made as it is needed."""
    damaged = collection.thumbnails.damaged(len(collection.manifest))
    if damaged:
        encoders = collection.encoder_ids()
        options = {"encoder": collection.store(encoders[0]).spec} if encoders else {}
        yield Finding(
            f"collection {collection.name}, thumbnails",
            "failed",
            f"{counted(len(damaged), 'file')} damaged, first {damaged[0]}",
            f"Build {collection.name} again, and they are made anew.",
            Remedy("build", collection.name, options),
        )


def _check_reviews(collection: Collection) -> Iterator[Finding]:
    """Say where entries of the log of reviews cannot be read; nothing where nobody has said anything."""
    from radcbir_core.collections.reviews.review_log import read_log

    log = read_log(collection.folder)
    if log.damaged:
        line, reason = log.damaged[0]
        told = (
            f"{counted(len(log.damaged), 'line')} of {collection.layout.reviews} cannot be read, first {line}: {reason}"
        )
        advice = "They are left out, and the others hold. Mend them in the file, or remove them."
        yield Finding(f"collection {collection.name}, reviews", "warning", told, advice)


def _check_text_boxes(collection: Collection) -> Iterator[Finding]:
    """Say where the table of where text was found is damaged, which opening it raises; nothing where it is not."""
    collection.burned_text()
    yield from ()


def _check_studies(collection: Collection) -> Iterator[Finding]:
    """Say which reader studies cannot be read, and where answers of one cannot; nothing where there is none."""
    from radcbir_core.collections.reader_studies.study_definition import list_studies

    check = f"collection {collection.name}, reader studies"
    names: list[str] = []

    def listed() -> Iterator[Finding]:
        names.extend(list_studies(collection.folder))
        yield from ()

    yield from _kept(check, listed)
    for name in names:
        yield from _kept(check, partial(_check_study, collection, name, check))


def _check_study(collection: Collection, name: str, check: str) -> Iterator[Finding]:
    """Say whether a study cannot be read, which reading it raises, and how many lines of its answers cannot."""
    from radcbir_core.collections.reader_studies.reading_log import log_path, read_readings
    from radcbir_core.collections.reader_studies.study_definition import read_study

    read_study(collection.folder, name)
    log = read_readings(collection.folder, name)
    if log.damaged:
        line, reason = log.damaged[0]
        path = log_path(collection.folder, name)
        told = f"{counted(len(log.damaged), 'line')} of {path} cannot be read, first {line}: {reason}"
        advice = "They are left out, and the others hold. Mend them in the file, or remove them."
        yield Finding(check, "warning", told, advice)


def _check_store(name: str, encoder_id: str) -> Iterator[Finding]:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.images import DECODING
    from radcbir_core.search.opening import vectors_of

    store = open_collection(name).store(encoder_id)
    states = store.standings()
    unfinished = [
        f"{artifact.title} {states[artifact.name].state}: {states[artifact.name].reason}"
        for artifact in store.expected
        if states[artifact.name].state != "current"
    ]
    if unfinished:
        advice = f"Build {name} with {encoder_id} again."
        build = Remedy("build", name, {"encoder": store.spec})
        yield Finding(f"collection {name}, {encoder_id}", "warning", "; ".join(unfinished), advice, build)
        return
    rows = vectors_of(store).shape[0]
    told = f"{rows:,} embeddings; all {len(store.expected)} steps current"
    advice = ""
    if before := store.earlier_recipes():
        told += f"; made by an earlier version of their recipe, which is still read: {', '.join(before)}"
    if not store.imported and store.decoding < DECODING:
        told += f"; images decoded by version {store.decoding}, which is {DECODING} now"
        advice = (
            "Where pixels are not square, color has 16 bits, or TIFFs hold signed gray or big-endian gray of 32 bits, "
            "import the images anew to have them as shown today."
        )
    yield Finding(f"collection {name}, {encoder_id}", "ok", told, advice)


def check_in_own_process(command: Sequence[str] | None = None) -> list[Finding]:
    """What is found with torch, and with every connection refused, by a process of its own.

    Args:
        command: What to run; this module by default.
    """
    path = os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
    findings: list[Finding] = []
    errors = ""
    ended = ""
    try:
        done = subprocess.run(  # noqa: S603
            command or [sys.executable, "-m", "radcbir_core.doctor"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            timeout=60 * MINUTES,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        findings, ended = _told(error.stdout), f"had not finished after {MINUTES} minutes"
    except OSError as error:
        ended = f"could not be started: {_line(error)}"
    else:
        findings = _told(done.stdout)
        errors = done.stderr.decode("utf-8", "replace").strip()
        if done.returncode:
            ended = f"ended with exit code {done.returncode}"
    if ended:
        last = f" after {findings[-1].check}" if findings else ""
        words = f": {_line(errors.splitlines()[-1])}" if errors else ""
        advice = f"Close other programs to free memory and try again. {INSTALL}"
        findings.append(
            Finding("encoders and a query", "failed", f"the process that checks them {ended}{last}{words}", advice)
        )
    return findings


def _told(output: bytes | None) -> list[Finding]:
    """The findings among the lines that the other process wrote; libraries may have written others."""
    findings = []
    for line in (output or b"").decode("utf-8", "replace").splitlines():
        if line.startswith('{"check": '):
            try:
                told = json.loads(line)
                remedy = told.pop("remedy", None)
                findings.append(Finding(**told, remedy=remedy and Remedy(**remedy)))
            except (ValueError, TypeError):
                continue  # cut off where the process was killed
    return findings


def main() -> None:
    """What the process of its own does: refuse connections, look, and write each finding as one line of JSON."""
    attempts = refuse_connections()
    loaded: list[Encoder] = []
    for check, look in (
        ("torch", check_torch),
        ("torchvision", check_torchvision),
        (f"encoder {COMMITTED}", partial(check_committed, loaded)),
        ("a query without network", partial(check_query, loaded, attempts)),
        ("encoders", check_encoders),
        ("kits", check_kits),
    ):
        for finding in _kept(check, look):
            print(json.dumps(asdict(finding)), flush=True)


def refuse_connections() -> list[str]:
    """Refuse every connection of this process from now on, and every question for a name's address.

    It cannot be undone, and covers what goes through Python's sockets, as all libraries that RadCBIR uses do.

    Returns:
        Whom it was tried to reach; grows.
    """
    attempts: list[str] = []

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CONNECTING:
            return
        whom = next((part for part in reversed(arguments) if isinstance(part, str | tuple)), arguments)
        if event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], str | bytes):
            return  # a path: a local socket, within this machine
        if event == "socket.getaddrinfo":
            whom = arguments[0]
        attempts.append(_line(str(whom)))
        raise OSError("the doctor allows no connection")

    sys.addaudithook(refuse)
    return attempts


def check_torch() -> Iterator[Finding]:
    """Whether torch can be imported, and where it computes."""
    import torch

    from radcbir_core.encoders.torch.support import resolve_device

    device = resolve_device("auto")
    installed = f"{torch.__version__}, computes on {device}"
    if device == "cuda":
        installed += f": {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}"
    elif device == "cpu":
        installed += f" with {counted(torch.get_num_threads(), 'thread')}"
    torch.ones(2, 2, device=device).sum().item()
    yield Finding("torch", "ok", installed)


def check_torchvision() -> Iterator[Finding]:
    """Whether open_clip and torchvision can be imported, with its operators or with the stand-ins for them."""
    from radcbir_core.encoders.torch.support import import_open_clip

    import_open_clip()
    # It comes with open_clip and timm, in the version that fits torch; only here is it asked for by itself.
    torchvision = importlib.import_module("torchvision")
    compiled = torchvision.extension._has_ops()
    state = "its operators load" if compiled else "made for another torch; stand-ins for two operators are in place"
    yield Finding("torchvision", "ok", f"{torchvision.__version__}: {state}")


def check_committed(loaded: list[Encoder]) -> Iterator[Finding]:
    """Whether the encoder of the repository is whole and gives the embeddings of its probe.

    Args:
        loaded: It is put here.
    """
    from radcbir_core.encoders import registry
    from radcbir_core.encoders.torch.soundness import KNOWN_FAULTS

    started = time.monotonic()
    loaded.append(registry.load_encoder(COMMITTED, device="cpu"))
    folder = registry.ROOT / f"data/encoders/{COMMITTED}"
    yield Finding(f"encoder {COMMITTED}", "ok", f"comes with RadCBIR; {_verified(folder, time.monotonic() - started)}")
    if fault := KNOWN_FAULTS.get(loaded[-1].weights_digest):
        advice = "Use another encoder for such images."
        yield Finding(f"weights of {COMMITTED}", "warning", f"not sound: {fault}", advice)
    from radcbir_core.collections.layout import list_collections

    for name in list_collections():
        yield from _kept(f"collection {name}, {COMMITTED}", partial(_check_fingerprint, name, loaded[-1]))


def _check_fingerprint(name: str, encoder: Encoder) -> Iterator[Finding]:
    """Say where a collection's embeddings were made by another version of ``encoder`` than is here now."""
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.search.retriever import check_encoder

    collection = open_collection(name)
    if encoder.encoder_id not in collection.encoder_ids():
        return
    try:
        check_encoder(collection.store(encoder.encoder_id), encoder)
    except StaleError as error:
        fault = _of_error(f"collection {name}, {encoder.encoder_id}", error)
        yield replace(fault, result="warning")


def _verified(folder: Path, seconds: float) -> str:
    from radcbir_core.encoders.kits.kit_json import read_kit

    kit = read_kit(folder)
    if kit is None:
        return "no kit.json to verify it by"
    if kit.probe is None:
        return f"{counted(len(kit.files), 'file')} verified, no probe ({seconds:.1f} s)"
    images, texts = kit.probe.get("encoded", len(kit.probe["images"])), len(kit.probe["texts"])
    return (
        f"{counted(len(kit.files), 'file')} verified; {counted(images, 'image')} and {counted(texts, 'text')} of its "
        f"probe give the recorded embeddings ({seconds:.1f} s)"
    )


def check_query(loaded: Sequence[Encoder], attempts: list[str]) -> Iterator[Finding]:
    """Whether phantoms can be drawn, embedded and found again, by an image and by a sentence, with no network.

    Args:
        loaded: The encoder of the repository, if it could be loaded.
        attempts: Of connections, as :func:`refuse_connections` lists them.
    """
    check = "a query without network"
    if not loaded:
        yield Finding(check, "failed", f"there is no {COMMITTED} to ask", "Mend that encoder first.")
        return
    encoder = loaded[0]
    started, before = time.monotonic(), len(attempts)
    with tempfile.TemporaryDirectory(prefix="radcbir-doctor-") as folder, _data_in(folder):
        similarity, hits = _ask(encoder)
    answered = (
        f"{PHANTOMS} phantoms drawn and embedded; an image found itself (similarity {similarity:.3f}) and a sentence "
        f"{hits} images ({time.monotonic() - started:.1f} s)"
    )
    if similarity < 0.99:
        yield Finding(check, "failed", f"an image does not find itself: similarity {similarity:.3f}", INSTALL)
    elif tried := attempts[before:]:
        yield Finding(
            check, "warning", f"{answered}, but it was tried to reach {', '.join(sorted(set(tried)))}", INSTALL
        )
    else:
        yield Finding(check, "ok", answered)


def _ask(encoder: Encoder) -> tuple[float, int]:
    """How similar a phantom's first hit is, 0 if it is another one, and how many images a sentence finds."""
    from radcbir_core.embed import embed
    from radcbir_core.search.queries.query import ImageQuery, TextQuery
    from radcbir_core.search.retriever import Retriever
    from radcbir_core.synthetic.phantom_collection import make_phantoms

    collection = make_phantoms(name="doctor", images=PHANTOMS, workers=1)
    with collection.building(encoder.encoder_id):
        embed(collection, encoder, workers=1)
    retriever = Retriever(collection, encoder.encoder_id, encoder=lambda: encoder)
    row = PHANTOMS // 2
    answer = retriever.search(ImageQuery(collection.read_image(row).pixels), k=1)
    similarity = float(answer.similarities()[0]) if int(answer.rows()[0]) == row else 0.0
    return similarity, len(retriever.search(TextQuery("CT of the head with hemorrhage"), k=5))


@contextmanager
def _data_in(folder: str) -> Iterator[None]:
    """Let the data folder be another one; for a process that does nothing else meanwhile."""
    before = os.environ.get("RADCBIR_DATA")
    os.environ["RADCBIR_DATA"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["RADCBIR_DATA"]
        else:
            os.environ["RADCBIR_DATA"] = before


def check_encoders() -> Iterator[Finding]:
    """Which of the known encoders are on this machine; one that is not is no fault."""
    from radcbir_core.encoders import known_encoders

    for entry in known_encoders():
        if entry.encoder_id != COMMITTED:
            yield from _kept(f"encoder {entry.encoder_id}", partial(_check_entry, entry))


def _check_entry(entry: EncoderEntry) -> Iterator[Finding]:
    from radcbir_core.encoders import registry

    check = f"encoder {entry.encoder_id}"
    if entry.family == "pixels":
        yield Finding(check, "ok", "needs no files")
        return
    try:
        checkpoint = registry.find_checkpoint(entry.encoder_id)
    except EncoderUnavailableError:
        kit = "" if entry.own_file else "; without network: make a kit of it where there is one"
        advice = f"If it is wanted: {entry.bring_in}{kit}, and name the kit's folder as the encoder."
        yield Finding(check, "ok", "not on this machine", advice, entry.kit)
        return
    size = checkpoint.weights_path.stat().st_size
    yield Finding(check, "ok", f"in the local cache, {size / 1e6:,.0f} MB")


def check_kits() -> Iterator[Finding]:
    """Whether each kit in the folder of encoders is whole and gives the embeddings of its probe."""
    from radcbir_core.collections.layout import data_folder
    from radcbir_core.encoders import registry
    from radcbir_core.encoders.kits.kit_json import KIT

    committed = registry.ROOT / f"data/encoders/{COMMITTED}"
    places = dict.fromkeys((registry.ROOT / "data" / "encoders", data_folder().absolute() / "encoders"))
    for place in places:
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder != committed and (folder / KIT).is_file():
                yield from _kept(f"kit {folder.name}", partial(_check_kit, folder))


def _check_kit(folder: Path) -> Iterator[Finding]:
    from radcbir_core.encoders import registry

    started = time.monotonic()
    encoder = registry.load_encoder(f"local-dir:{folder}", device="cpu")
    verified = f"{encoder.title}; {_verified(folder, time.monotonic() - started)}"
    yield Finding(f"kit {folder.name}", "ok", verified, f"To use it, name {folder} as the encoder.")


if __name__ == "__main__":
    main()
