"""The commands, as a person runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from radcbir_core.cli import main
from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.collection import open_collection

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def small(small_data, monkeypatch) -> Path:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))
    return small_data


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out = capsys.readouterr()
    return code, out.out, out.err


def test_from_images_to_figures(data, small_source, tmp_path, capsys) -> None:
    code, out, _ = run(capsys, "import", str(small_source), "--name", "s", "--title", "Small ones")
    assert code == 0
    assert out.splitlines()[-1] == "Imported 61 images into s; 2 problems; 2 exact duplicates in 1 groups."
    assert "X-ray" in out
    code, out, _ = run(capsys, "build", "s", "--encoder", "pixels")
    assert code == 0
    assert out.splitlines()[-1] == "Built s with pixels: 61 images, 0 failed."
    code, out, _ = run(capsys, "build", "s", "--encoder", "pixels")
    assert out.count("was current") == len(ARTIFACT_NAMES)
    code, out, _ = run(capsys, "evaluate", "s", "--encoder", "pixels", "--output", str(tmp_path / "e.csv"))
    assert code == 0
    table = pd.read_csv(tmp_path / "e.csv", keep_default_na=False)
    assert list(table.columns)[:6] == ["level", "label", "k", "precision", "n_queries", "averaging"]
    assert set(table["averaging"]) == {"micro", "macro", "label"}
    assert set(table["k"]) == {1, 3, 5, 10}
    assert set(table["level"]) == {"modality", "anatomy", "label"}
    code, out, _ = run(capsys, "info", "s", "--json")
    facts = json.loads(out)
    assert (facts["name"], facts["title"], facts["images"], facts["problems"]) == ("s", "Small ones", 61, 2)
    assert facts["encoders"][0]["encoder_id"] == "pixels"
    assert facts["encoders"][0]["steps"] == dict.fromkeys(ARTIFACT_NAMES, "current")
    assert run(capsys, "list")[1].count("Small ones") == 1
    assert json.loads(run(capsys, "list", "--json")[1])[0]["encoders"] == ["pixels"]
    code, out, _ = run(capsys, "remove", "s", "--yes")
    assert (code, out) == (0, "Removed s. The source images are untouched.\n")
    assert json.loads(run(capsys, "list", "--json")[1]) == []
    assert (small_source / "chest_00.png").is_file()


def test_query_by_id_and_by_file_agree(small, capsys) -> None:
    collection = open_collection("small")
    image_id = collection.manifest.record(30)["image_id"]
    code, out, _ = run(capsys, "query", "small", "--encoder", "pixels", "--id", image_id, "-k", "5", "--json")
    assert code == 0
    by_id = json.loads(out)
    assert [hit["rank"] for hit in by_id] == [1, 2, 3, 4, 5]
    assert list(by_id[0]) == [
        "rank", "image_id", "path", "similarity", "modality", "anatomy", "pathologies", "patient_id", "dataset",
    ]  # fmt: skip
    assert image_id not in {hit["image_id"] for hit in by_id}
    path = str(collection.image_path(30))
    by_file = json.loads(run(capsys, "query", "small", "--image", path, "-k", "6", "--json")[1])
    assert by_file[0]["image_id"] == image_id
    assert by_file[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert [hit["image_id"] for hit in by_file[1:]] == [hit["image_id"] for hit in by_id]
    code, out, _ = run(capsys, "query", "small", "--id", image_id, "-k", "2")
    assert "2 hits, exact search." in out


def test_filters_and_exclusions(small, capsys) -> None:
    image_id = open_collection("small").manifest.record(0)["image_id"]
    options = [
        "--where",
        "modality=X-ray",
        "--where",
        "modality=CT",
        "--where",
        "split=train",
        "--exclude",
        "patient,duplicate",
    ]
    hits = json.loads(run(capsys, "query", "small", "--id", image_id, "-k", "99", "--json", *options)[1])
    manifest = open_collection("small").manifest
    mask = manifest.mask({"modality": ["XR", "CT"], "split": ["train"]})
    mask &= manifest.groups("patient") != manifest.groups("patient")[0]
    mask &= manifest.groups("duplicate") != manifest.groups("duplicate")[0]
    expected = int(
        (
            manifest.mask({"modality": ["XR", "CT"], "split": ["train"]})
            & (manifest.column("patient_id") != manifest.column("patient_id")[0])
        ).sum()
    )
    assert len(hits) == expected
    assert {hit["modality"] for hit in hits} == {"XR", "CT"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "small", "--encoder", "pixels"], "Expected one of --image, --id and --text, but none is given."),
        (["query", "small", "--id", "x", "--image", "y"], "but --image and --id are given. Give exactly one."),
        (["query", "small", "--id", "x", "--text", "chest"], "but --id and --text are given."),
        (["query", "small", "--text", "chest"], "Expected an encoder with a text tower, but encoder = pixels has none"),
        (["query", "small", "--id", "nope"], "image_id = 'nope' is not in it"),
        (["query", "small", "--image", "/nowhere.png"], "/nowhere.png does not exist"),
        (["query", "none", "--id", "x"], "name = 'none'. There is small."),
        (["query", "../x", "--id", "x"], "Expected a collection name of 1 to 64 letters"),
        (["query", "small", "--encoder", "pixel", "--id", "x"], "pixels"),
        (["query", "small", "--id", "x", "--where", "modality"], "Expected COLUMN=VALUE, but --where = 'modality'"),
        (["query", "small", "--id", "ID", "--where", "modality=PET"], "modality = 'PET'"),
        (["query", "small", "--id", "ID", "--exclude", "hospital"], "exclude = 'hospital'"),
        (["query", "small", "--id", "ID", "-k", "0"], "k = 0"),
        (["query", "small", "--id", "ID", "-k", "many"], "'-k'"),
        (["build", "small", "--encoder", "no-such-encoder"], "no-such-encoder"),
        (["build", "small"], "--encoder"),
        (["evaluate", "small", "--protocol", "loo"], "protocol = 'loo'"),
        (["evaluate", "small", "--divisor", "n"], "divisor = 'n'"),
        (["evaluate", "small", "--output", "/nowhere/e.csv"], "Expected a folder that exists"),
        (["info", "nothing"], "name = 'nothing'"),
        (["remove", "nothing"], "name = 'nothing'"),
        (["import", "/nowhere", "--name", "x"], "/nowhere does not exist"),
        (["import", "/nowhere"], "--name"),
        (["frobnicate"], "frobnicate"),
        (["list", "--frob"], "--frob"),
    ],
)  # fmt: skip
def test_a_user_s_error_is_one_line_on_standard_error_and_exit_code_2(small, capsys, arguments, message) -> None:
    image_id = open_collection("small").manifest.record(0)["image_id"]
    code, out, err = run(capsys, *(image_id if a == "ID" else a for a in arguments))
    assert code == 2
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    assert lines[0].startswith("Error: ")
    assert message in lines[0]


def test_an_image_that_is_none(small, capsys, tmp_path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("no image")
    code, out, err = run(capsys, "query", "small", "--image", str(path))
    assert (code, out) == (2, "")
    assert "notes.png" in err


def test_a_damaged_collection_does_not_hide_the_others(small, data, capsys) -> None:
    shutil.copytree(small / "collections", data / "collections")
    broken = data / "collections" / "broken"
    broken.mkdir()
    (broken / "collection.json").write_text("{")
    os.environ["RADCBIR_DATA"] = str(data)
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert "it is not valid JSON" in out
    assert "small" in out
    code, _, err = run(capsys, "info", "broken")
    assert code == 2
    assert "collection.json: it is not valid JSON" in err


def test_several_encoders_have_to_be_told_apart(small, data, capsys, monkeypatch) -> None:
    shutil.copytree(small / "collections", data / "collections")
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    folder = data / "collections" / "small" / "encoders"
    shutil.copytree(folder / "pixels", folder / "another")
    code, _, err = run(capsys, "evaluate", "small")
    assert code == 2
    assert "Expected --encoder, but small was built with 2 encoders. It has another, pixels." in err


def process(*arguments: str, data: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "radcbir_core", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "RADCBIR_DATA": str(data), "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_and_built_again(data, small_source, capsys, monkeypatch) -> None:
    """SIGKILL leaves nothing that the next build could take for finished."""
    run(capsys, "import", str(small_source), "--name", "s")
    for wait_for in ("shards/made_of.json", "embeddings.npy"):
        killed = process("build", "s", "--encoder", "pixels", data=data)
        target = data / "collections" / "s" / "encoders" / "pixels" / wait_for
        deadline = time.monotonic() + 60
        while not target.exists() and killed.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    code, out, _ = run(capsys, "build", "s", "--encoder", "pixels")
    assert code == 0
    assert out.splitlines()[-1] == "Built s with pixels: 61 images, 0 failed."
    assert json.loads(run(capsys, "info", "s", "--json")[1])["encoders"][0]["steps"] == dict.fromkeys(
        ARTIFACT_NAMES, "current"
    )
    left = [p.name for p in (data / "collections").rglob("*") if ".partial-" in p.name or p.name == "shards"]
    assert left == []


def test_the_module_runs_as_a_command(small) -> None:
    done = process("list", data=small)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    assert "small" in out
    failed = process("info", "nothing", data=small)
    out, err = failed.communicate(timeout=60)
    assert failed.returncode == 2
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1


def test_query_by_text(small_text_data, mini, monkeypatch, capsys) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    code, out, err = run(capsys, "query", "small", "--text", "CT of the abdomen with a cyst", "-k", "3", "--json")
    assert (code, err) == (0, ""), "the one encoder with a text tower need not be named"
    hits = json.loads(out)
    assert [hit["rank"] for hit in hits] == [1, 2, 3]
    assert "text_similarity" in hits[0]
    assert "similarity" not in hits[0]
    options = ["--encoder", "radcbir-mini", "--where", "modality=CT", "-k", "4"]
    code, out, _ = run(capsys, "query", "small", "--text", "a cyst", *options)
    assert code == 0
    assert "text similarity" in out
    assert "that of two images is on another scale" in out
    assert out.count("│ CT") == 4
    code, out, err = run(capsys, "query", "small", "--text", "cyst " * 10_000, *options)
    assert code == 0
    assert err.startswith("Note: Only the beginning of the text counts, ")
    assert "of 10,000 words" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", ""], "Expected a text with at least one word, but text = ''"),
        (["--text", "?!"], "Expected a text with at least one word"),
        (["--text", "chest", "--exclude", "patient"], "Expected no exclusions with a text, but exclude = patient"),
        (["--text", "chest", "--encoder", "pixels"], "but encoder = pixels has none: it compares images only. Choose"),
        (["--text", "chest", "--where", "modality=PET"], "modality = 'PET'"),
    ],
)
def test_texts_that_are_refused(small_text_data, mini, monkeypatch, capsys, arguments, message) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_text_data))
    code, out, err = run(capsys, "query", "small", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
