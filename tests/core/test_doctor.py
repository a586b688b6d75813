"""The doctor: what is whole is ok, each fault is found and named, and nothing it meets makes it crash."""

from __future__ import annotations

import collections
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from radcbir_core import doctor
from radcbir_core.cli import main
from radcbir_core.collections.artifacts import NEIGHBORS
from radcbir_core.collections.collection import open_collection
from radcbir_core.doctor import Finding
from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.kits.fetching import add_probe
from radcbir_core.errors import EncoderError, EncoderUnavailableError, Remedy
from radcbir_core.images import DECODING
from tests.stale import outdate
from tests.stand_ins import make_small_phantoms

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def small(small_data, data) -> Path:
    return Path(shutil.copytree(small_data, data))


def results(findings) -> dict[str, str]:
    return {finding.check: finding.result for finding in findings}


def test_all_is_well_here_without_network(small, capsys) -> None:
    """The whole of it, in this very installation: exit code 0, and a query in the other process."""
    code = main(["doctor", "--json"])
    findings = [Finding(**facts) for facts in json.loads(capsys.readouterr().out)]
    faults = [finding for finding in findings if finding.result == "failed"]
    assert (code, faults) == (0, [])
    by_check = {finding.check: finding for finding in findings}
    assert by_check["a query without network"].result == "ok"
    assert by_check["a query without network"].found.startswith(
        "12 phantoms drawn and embedded; an image found itself (similarity 1.000) and a sentence 5 images"
    )
    assert "files verified" in by_check["encoder radcbir-mini"].found
    assert by_check["collection small, pixels"].found == "61 embeddings; all 6 steps current"
    assert {"Python", "packages", "data folder", "disk space", "torch", "torchvision", "encoder biomedclip"} <= set(
        by_check
    )


def test_the_command_prints_a_table_and_fails_where_something_does(data, monkeypatch, capsys) -> None:
    monkeypatch.setattr(doctor, "check_in_own_process", lambda: [Finding("torch", "failed", "none", "Install it.")])
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "│ torch " in out
    assert "Install it." in out
    assert out.splitlines()[-1].startswith("1 failed, ")
    monkeypatch.setattr(doctor, "check_in_own_process", lambda: [Finding("torch", "warning", "old", "Renew it.")])
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 failed, ")


def test_a_graph_of_an_earlier_recipe_that_is_still_read_is_said_to_be_of_it(small) -> None:
    record = small / "collections" / "small" / "encoders" / "pixels" / "encoder.json"
    facts = json.loads(record.read_text())
    facts["artifacts"]["neighbors"]["recipe"] = 1
    record.write_text(json.dumps(facts))
    (finding,) = [finding for finding in doctor.check_collections() if finding.check == "collection small, pixels"]
    assert (finding.result, finding.found) == (
        "ok",
        "61 embeddings; all 6 steps current; "
        "made by an earlier version of their recipe, which is still read: neighbors",
    )


def test_embeddings_of_an_earlier_decoding_are_said_to_be_of_it(small) -> None:
    record = small / "collections" / "small" / "encoders" / "pixels" / "encoder.json"
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({name: value for name, value in facts.items() if name != "decoding"}))
    (finding,) = [finding for finding in doctor.check_collections() if finding.check == "collection small, pixels"]
    assert (finding.result, finding.found) == (
        "ok",
        f"61 embeddings; all 6 steps current; images decoded by version 1, which is {DECODING} now",
    )
    assert finding.advice.endswith("import the images anew to have them as shown today.")


def test_entries_of_reviews_that_cannot_be_read_are_a_warning(small) -> None:
    (small / "collections" / "small" / "reviews.jsonl").write_bytes(b"{cut off")
    (finding,) = [finding for finding in doctor.check_collections() if "reviews" in finding.check]
    assert (finding.check, finding.result) == ("collection small, reviews", "warning")
    assert "1 line of" in finding.found
    assert "first 1: it is no JSON" in finding.found


def test_a_damaged_table_of_text_in_pixels_is_said_and_what_is_known_of_the_rest_as_well(small) -> None:
    (small / "collections" / "small" / "text-boxes.parquet").write_bytes(b"PAR1 cut off")
    findings = {finding.check: finding for finding in doctor.check_collections()}
    finding = findings["collection small, text in pixels"]
    assert finding.result == "failed"
    assert "is damaged" in finding.found + finding.advice
    assert findings["collection small"].result == "ok"


def test_thumbnails_that_are_damaged_are_said_with_what_mends_them(small, capsys) -> None:
    pictures = small / "collections" / "small" / "thumbnails" / "000000.bin"
    assert not [finding for finding in doctor.check_collections() if "thumbnails" in finding.check]
    pictures.write_bytes(pictures.read_bytes()[:-100])
    (finding,) = [finding for finding in doctor.check_collections() if "thumbnails" in finding.check]
    assert (finding.check, finding.result) == ("collection small, thumbnails", "failed")
    assert finding.found == f"1 file damaged, first {pictures}"
    assert finding.remedy == Remedy("build", "small", {"encoder": "pixels"})
    assert main(["build", "small", "--encoder", "pixels"]) == 0
    assert not [finding for finding in doctor.check_collections() if "thumbnails" in finding.check]


def test_an_old_python(monkeypatch) -> None:
    assert results(doctor.check_python()) == {"Python": "ok"}
    version = collections.namedtuple("version", "major minor micro")
    monkeypatch.setattr(sys, "version_info", version(3, 10, 9)[:])
    (finding,) = doctor.check_python()
    assert (finding.result, finding.advice) == ("failed", "Install Python 3.11 or newer, and RadCBIR with it.")


class TestPackages:
    def test_each_that_differs_is_named(self, tmp_path, monkeypatch) -> None:
        versions = {"torch": "2.13.0+cpu", "numpy": "1.0", "pylibjpeg": "2.1.0"}

        def version(name: str) -> str:
            if name in versions:
                return versions[name]
            raise doctor.importlib.metadata.PackageNotFoundError(name)

        monkeypatch.setattr(doctor.importlib.metadata, "version", version)
        (tmp_path / "requirements.txt").write_text(
            "# pinned\ntorch==2.13.0\nnumpy==2.4.6\npylibjpeg[openjpeg]==2.1.0\nabsent==1.2.3\n"
        )
        findings = list(doctor.check_packages(tmp_path / "requirements.txt"))
        assert findings == [
            Finding("package numpy", "warning", "1.0; tested with 2.4.6", "Run: pip install numpy==2.4.6"),
            Finding(
                "package absent", "failed", "not installed; 1.2.3 is needed", "Run: pip install -r requirements.txt"
            ),
            Finding("packages", "ok", "2 of 4 exactly as in requirements.txt"),
        ]

    def test_every_pin_of_the_repository_is_read(self) -> None:
        lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
        pins = [line for line in lines if line and not line.startswith("#")]
        assert len(doctor._pins("\n".join(lines))) == len(pins)

    def test_no_list(self, tmp_path) -> None:
        (finding,) = doctor.check_packages(tmp_path / "none.txt")
        assert (finding.result, finding.advice) == ("warning", "Restore that file, or install RadCBIR again.")


class TestDataFolder:
    def test_there_and_not_there_yet(self, data) -> None:
        folder, _ = doctor.check_data_folder()
        assert folder == Finding("data folder", "ok", f"{data}, not there yet; it can be made")
        assert not data.exists()
        data.mkdir()
        folder, _ = doctor.check_data_folder()
        assert folder == Finding("data folder", "ok", f"{data}, can be written")
        assert list(data.iterdir()) == []

    def test_a_file_in_its_place(self, data) -> None:
        data.write_text("a file")
        (finding,) = doctor.check_data_folder()
        assert finding.result == "failed"
        assert finding.found == f"{data}: {data} is a file"
        assert finding.advice == "Set RADCBIR_DATA to a folder that you can write to."

    def test_not_to_be_written(self, data, monkeypatch) -> None:
        def refuse(**_: object) -> None:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
        folder, _ = doctor.check_data_folder()
        assert folder.result == "failed"
        assert folder.found == f"{data.parent} cannot be written: Read-only file system"

    @pytest.mark.parametrize(
        ("free", "result"),
        [(499 * 10**6, "failed"), (500 * 10**6, "warning"), (5 * 10**9 - 1, "warning"), (5 * 10**9, "ok")],
    )
    def test_room(self, data, free: int, result: str, monkeypatch) -> None:
        usage = collections.namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, free))
        space = list(doctor.check_data_folder())[-1]
        assert space.result == result
        assert bool(space.advice) == (result != "ok")


class TestCollections:
    def test_none_yet(self, data) -> None:
        (finding,) = doctor.check_collections()
        assert (finding.result, finding.found) == ("ok", "none yet")
        assert finding.remedy == Remedy("demo")

    def test_whole(self, small) -> None:
        assert results(doctor.check_collections()) == {"collection small, pixels": "ok", "collection small": "ok"}

    def test_steps_that_are_missing_or_stale(self, small) -> None:
        store = open_collection("small").store("pixels")
        store.projection_path.unlink()
        outdate(store, NEIGHBORS)
        finding = next(iter(doctor.check_collections()))
        assert finding == Finding(
            "collection small, pixels",
            "warning",
            "neighbors stale: embeddings were made again since, and are others; "
            "near-duplicates stale: made of neighbors that are not current: embeddings were made again since, and "
            "are others; evaluation stale: made of neighbors that are not current: embeddings were made again since, "
            "and are others; map missing: projection.parquet is not there",
            "Build small with pixels again.",
            Remedy("build", "small", {"encoder": "pixels"}),
        )

    def test_images_that_are_gone(self, small) -> None:
        collection = open_collection("small")
        record = json.loads((collection.folder / "collection.json").read_text())
        (collection.folder / "collection.json").write_text(json.dumps({**record, "image_root": "/nowhere/at/all"}))
        finding = next(iter(doctor.check_collections()))
        assert finding.result == "warning"
        assert finding.found == "61 images; their folder /nowhere/at/all is not here"

    @pytest.mark.parametrize(
        "damage",
        [
            lambda folder: (folder / "manifest.parquet").write_bytes(b"no parquet"),
            lambda folder: (folder / "manifest.parquet").unlink(),
            lambda folder: (folder / "collection.json").write_text("{"),
            lambda folder: (folder / "encoders/pixels/encoder.json").write_text("[]"),
            lambda folder: (folder / "encoders/pixels/embeddings.npy").write_bytes(b"cut"),
        ],
    )
    def test_a_damaged_one_is_one_failure_beside_the_others(self, small, damage) -> None:
        shutil.copytree(small / "collections/small", small / "collections/other")
        damage(small / "collections/other")
        findings = list(doctor.check_collections())
        faults = [finding for finding in findings if finding.result == "failed"]
        assert len(faults) == 1
        assert faults[0].check.startswith("collection other")
        assert faults[0].found.startswith("Expected ")
        assert faults[0].advice
        assert results(findings)["collection small"] == "ok"


class TestItsOwnProcess:
    def run(self, code: str) -> list[Finding]:
        return doctor.check_in_own_process([sys.executable, "-c", code])

    def test_what_was_found_before_it_was_killed_is_told(self) -> None:
        one = json.dumps({"check": "torch", "result": "ok", "found": "2", "advice": ""})
        code = (
            f"import os, sys\nprint('noise')\nprint({one!r}, flush=True)\n"
            "print('{\"check\": \"cut off', end='', flush=True)\nprint('last words', file=sys.stderr, flush=True)\n"
            "os.kill(os.getpid(), 9)"
        )
        first, second = self.run(code)
        assert first == Finding("torch", "ok", "2")
        assert second.result == "failed"
        assert second.found == "the process that checks them ended with exit code -9 after torch: last words"

    def test_it_hangs_or_cannot_start(self, monkeypatch) -> None:
        monkeypatch.setattr(doctor, "MINUTES", 0.01)
        (finding,) = self.run("import time; time.sleep(30)")
        assert finding.found == "the process that checks them had not finished after 0.01 minutes"
        (finding,) = doctor.check_in_own_process(["/nowhere/python"])
        assert finding.found.startswith("the process that checks them could not be started")
        assert finding.result == "failed"

    def test_every_connection_is_refused(self, tmp_path) -> None:
        code = """
import socket, sys, urllib.request
from radcbir_core.doctor import refuse_connections
path = sys.argv[1]
listening = socket.socket(socket.AF_UNIX)
listening.bind(path)
listening.listen()
outside = socket.create_server(("127.0.0.1", 0))
attempts = refuse_connections()
for call in (
    lambda: socket.create_connection(("example.org", 443)),
    lambda: socket.socket().connect(("127.0.0.1", outside.getsockname()[1])),
    lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.2", 53)),
    lambda: socket.gethostbyname("example.com"),
    lambda: urllib.request.urlopen("http://example.net"),
):
    try:
        call()
    except OSError as error:
        assert "the doctor allows no connection" in str(error), error
    else:
        raise SystemExit("connected")
socket.socket(socket.AF_UNIX).connect(path)
print(len(attempts), *attempts, sep="\\n")
"""
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "socket")],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        count, *attempts = done.stdout.splitlines()
        assert count == "6"
        assert attempts[0] == "example.org"
        assert attempts[2] == "('192.0.2.1', 80)"
        assert attempts[3] == "('192.0.2.2', 53)"
        assert attempts[4:] == ["example.com", "example.net"]


class TestEncoders:
    def test_the_committed_one(self, mini, data, tmp_path, monkeypatch) -> None:
        root = Path(shutil.copytree(mini.parents[2], tmp_path / "root"))
        monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", root)
        loaded = []
        (finding,) = doctor.check_committed(loaded)
        assert finding.found.startswith("comes with RadCBIR; 2 files verified, no probe")
        assert [encoder.encoder_id for encoder in loaded] == ["radcbir-mini"]
        folder = root / "data/encoders/radcbir-mini"
        add_probe(folder)
        (finding,) = doctor.check_committed([])
        assert "6 images and 2 texts of its probe give the recorded embeddings" in finding.found
        faults = {loaded[0].weights_digest: "it sees double"}
        monkeypatch.setattr("radcbir_core.encoders.torch.soundness.KNOWN_FAULTS", faults)
        _, finding = doctor.check_committed([])
        assert (finding.check, finding.result) == ("weights of radcbir-mini", "warning")
        assert finding.found == "not sound: it sees double"
        (folder / "open_clip_model.safetensors").write_bytes(b"short")
        (finding,) = doctor._kept("encoder radcbir-mini", lambda: doctor.check_committed([]))
        assert finding.result == "failed"
        assert "(5 bytes) is truncated or altered" in finding.found
        assert finding.advice.endswith("git checkout -- data/encoders/radcbir-mini")

    def test_embeddings_of_another_version_of_it(self, small_text_data, mini, data, monkeypatch) -> None:
        shutil.copytree(small_text_data, data)
        assert results(doctor.check_committed([])) == {"encoder radcbir-mini": "ok"}
        open_collection("small").store("radcbir-mini").update(fingerprint="older")
        finding = list(doctor.check_committed([]))[-1]
        assert (finding.check, finding.result) == ("collection small, radcbir-mini", "warning")
        assert finding.remedy == Remedy("build", "small", {"encoder": "radcbir-mini"})

    def test_a_query(self, mini, data, monkeypatch) -> None:
        monkeypatch.setattr(
            "radcbir_core.synthetic.phantom_collection.make_phantoms",
            lambda workers, **options: make_small_phantoms(**options),
        )
        encoder = load_encoder("radcbir-mini", device="cpu")
        (finding,) = doctor.check_query([encoder], [])
        assert finding.result == "ok", finding
        assert "an image found itself (similarity 1.000) and a sentence 5 images" in finding.found
        assert os.environ["RADCBIR_DATA"] == str(data)
        assert not data.exists()

        attempts: list[str] = ["an older one"]
        whole = doctor._ask
        monkeypatch.setattr(doctor, "_ask", lambda asked: (attempts.append("huggingface.co"), whole(asked))[1])
        (finding,) = doctor.check_query([encoder], attempts)
        assert finding.result == "warning"
        assert finding.found.endswith("but it was tried to reach huggingface.co")

        monkeypatch.setattr(doctor, "_ask", lambda _: (0.4, 5))
        (finding,) = doctor.check_query([encoder], [])
        assert (finding.result, finding.found) == ("failed", "an image does not find itself: similarity 0.400")
        (finding,) = doctor.check_query([], [])
        assert (finding.result, finding.found) == ("failed", "there is no radcbir-mini to ask")

    def test_a_query_finds_another_image(self, mini, data, monkeypatch) -> None:
        monkeypatch.setattr(
            "radcbir_core.synthetic.phantom_collection.make_phantoms",
            lambda workers, **options: make_small_phantoms(**options),
        )
        encoder = load_encoder("radcbir-mini", device="cpu")
        whole = encoder.encode_images
        monkeypatch.setattr(encoder, "encode_images", lambda images: -whole(images), raising=False)
        (finding,) = doctor.check_query([encoder], [])
        assert finding.result == "failed"

    def test_known_ones(self, tmp_path, monkeypatch) -> None:
        (tmp_path / "w.safetensors").write_bytes(b"x" * 3_000_000)
        here = Checkpoint(family="open_clip", files={"w": tmp_path / "w.safetensors"}, weights="w")

        def find(spec: str) -> Checkpoint:
            if spec == "biomedclip":
                return here
            if spec == "clip-vit-l-14":
                raise EncoderError("Expected one weights file in the cache, but it holds two. Remove one.")
            raise EncoderUnavailableError("Expected it here, but it is not. Fetch it.")

        monkeypatch.setattr("radcbir_core.encoders.registry.find_checkpoint", find)
        by_check = {finding.check: finding for finding in doctor.check_encoders()}
        assert by_check["encoder pixels"] == Finding("encoder pixels", "ok", "needs no files")
        assert by_check["encoder biomedclip"] == Finding("encoder biomedclip", "ok", "in the local cache, 3 MB")
        assert by_check["encoder clip-vit-l-14"] == Finding(
            "encoder clip-vit-l-14",
            "failed",
            "Expected one weights file in the cache, but it holds two.",
            "Remove one.",
        )
        assert "encoder radcbir-mini" not in by_check
        rest = [f for f in by_check.values() if f.found == "not on this machine"]
        assert len(rest) == len(by_check) - 3
        for finding in rest:
            name = finding.check.removeprefix("encoder ")
            assert finding.advice.startswith("If it is wanted: ")
            assert "make a kit of it" in finding.advice
            assert finding.remedy is not None
            assert (finding.remedy.action, finding.remedy.subject) == ("fetch_encoder", name)
            assert ("from" in finding.remedy.options) == (name in {"medclip", "medsam-vit-b", "radimagenet-resnet50"})

    def test_kits(self, mini, data) -> None:
        folder = data / "encoders" / "mine"
        shutil.copytree(mini, folder)
        (data / "encoders" / "no kit").mkdir()
        (data / "encoders" / "a file").touch()
        add_probe(folder)
        shutil.copytree(folder, data / "encoders" / "damaged")
        (data / "encoders/damaged/probe/prepared.npy").unlink()
        damaged, whole = doctor.check_kits()
        assert (damaged.check, damaged.result) == ("kit damaged", "failed")
        assert "prepared.npy is missing" in damaged.found
        assert (whole.check, whole.result) == ("kit mine", "ok")
        assert whole.found.startswith("mine; 11 files verified; 6 images and 2 texts of its probe")
        assert whole.advice == f"To use it, name {folder} as the encoder."


def test_a_broken_library_is_a_finding_and_the_rest_goes_on() -> None:
    def broken():
        yield Finding("before", "ok", "fine")
        raise ImportError("libcudart.so.13: cannot open shared object file\nand more")

    assert doctor._kept("torch", broken) == [
        Finding("before", "ok", "fine"),
        Finding(
            "torch",
            "failed",
            "ImportError: libcudart.so.13: cannot open shared object file",
            "Run: pip install -r requirements.txt",
        ),
    ]


def test_missing_packages_are_what_it_is_for(tmp_path) -> None:
    """With a package missing that every command needs, the doctor still says so, and the others one line."""
    for name in ("pandas", "typer"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "RADCBIR_DATA": str(tmp_path / "data")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "radcbir_core", *arguments]
        return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    done = run("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert any(line.startswith("ok      Python: 3.") for line in lines)
    assert any("packages: " in line for line in lines)
    assert (
        "failed  a query without network: ModuleNotFoundError: No module named 'pandas'. "
        "Run: pip install -r requirements.txt"
    ) in lines
    done = run("list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "Error: Expected the packages that RadCBIR needs, but import gave: No module named 'typer'. "
        "Run: pip install -r requirements.txt, or python -m radcbir_core doctor to see what is missing.\n"
    )


def test_answers_of_reader_studies_that_cannot_be_read_are_a_warning(small) -> None:
    from radcbir_core.collections.reader_studies.reading_log import log_path
    from radcbir_core.collections.reader_studies.study_definition import study_path, write_study
    from tests.core.reader_study.made_studies import made

    folder = small / "collections" / "small"
    write_study("small", made())
    log_path(folder, "one").write_bytes(b"{cut off")
    (finding,) = [finding for finding in doctor.check_collections() if "reader studies" in finding.check]
    assert (finding.check, finding.result) == ("collection small, reader studies", "warning")
    study_path(folder, "one").write_text("{}")
    (finding,) = [finding for finding in doctor.check_collections() if "reader studies" in finding.check]
    assert finding.result == "failed"
    # One that is damaged does not hide what is wrong with the next.
    write_study("small", made(name="two"))
    log_path(folder, "two").write_bytes(b"{cut off")
    found = [finding.result for finding in doctor.check_collections() if "reader studies" in finding.check]
    assert found == ["failed", "warning"]
