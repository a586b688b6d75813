"""The commands, as a person runs them."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
import typer

from radcbir_core.cli.application import GOES_ON, app
from radcbir_core.collections.artifacts import ARTIFACT_NAMES
from radcbir_core.collections.collection import open_collection
from tests.core.cli.running import process, run


def test_from_images_to_figures(data, small_source, tmp_path, capsys) -> None:
    code, out, _ = run(capsys, "import", str(small_source), "--name", "s", "--title", "Small ones")
    assert code == 0
    assert out.splitlines()[-1] == "Imported 61 images into s; 2 problems; 2 exact duplicates in 1 group."
    assert "X-ray" in out
    code, out, _ = run(capsys, "build", "s", "--encoder", "pixels")
    assert code == 0
    assert out.splitlines()[-1] == "Built s with pixels: 61 images, 0 failed."
    code, out, _ = run(capsys, "build", "s", "--encoder", "pixels")
    assert out.count("was current") == len(ARTIFACT_NAMES)
    code, out, _ = run(capsys, "evaluate", "s", "--encoder", "pixels", "--output", str(tmp_path / "e.csv"))
    assert code == 0
    table = pd.read_csv(tmp_path / "e.csv", keep_default_na=False)
    assert list(table.columns)[:6] == ["level", "label", "k", "precision", "low", "high"]
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "small", "--encoder", "pixels"], "Expected one of --image, --images, --id and --text, but none"),
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


def test_several_encoders_have_to_be_told_apart(small, data, capsys, monkeypatch) -> None:
    shutil.copytree(small / "collections", data / "collections")
    monkeypatch.setenv("RADCBIR_DATA", str(data))
    folder = data / "collections" / "small" / "encoders"
    shutil.copytree(folder / "pixels", folder / "another")
    code, _, err = run(capsys, "evaluate", "small")
    assert code == 2
    assert "Expected --encoder, but small was built with 2 encoders. It has another, pixels." in err


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


COMMANDS = sorted(typer.main.get_command(app).commands)


def test_the_commands_that_go_on_are_commands() -> None:
    assert set(COMMANDS) > GOES_ON


@pytest.mark.parametrize("command", COMMANDS)
def test_stopped_a_command_says_what_the_next_run_of_it_does(command, capsys, monkeypatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("radcbir_core.cli.application.app", stop)
    code, _, err = run(capsys, command)
    assert code == 130
    does = "goes on from what is finished" if command in GOES_ON else "begins anew"
    assert err == f"Stopped. Run the same command again: it {does}.\n"
