"""What commands change is on record, with the account that ran them; what only looks is not."""

from __future__ import annotations

import errno
import json
import shutil

import pytest
import typer

from radcbir_core.audit import audit_path
from radcbir_core.cli.application import app
from radcbir_core.cli.on_record import ON_RECORD
from radcbir_core.jobs import start
from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
from tests.core.cli.running import run
from tests.small_images import write_small_images

ONLY_LOOK = (
    "list",
    "info",
    "encoders",
    "doctor",
    "sbom",
    "query",
    "query-series",
    "reviews",
    "studies",
    "serve",
    "jobs",
)
"""Those that change nothing. Evaluations keep their result, which anybody may ask for, and are none of both."""


@pytest.fixture(autouse=True)
def me(small_data, tmp_path, monkeypatch):
    shutil.copytree(small_data, tmp_path / "data", ignore=shutil.ignore_patterns("audit.jsonl"))
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("getpass.getuser", lambda: "me")


def recorded() -> list[tuple[str, str, str, str]]:
    if not audit_path().is_file():
        return []
    lines = map(json.loads, audit_path().read_text(encoding="utf-8").splitlines())
    return [(line["who"], line["role"], line["action"], line["subject"]) for line in lines]


def test_every_command_is_on_record_or_only_looks() -> None:
    group = typer.main.get_command(app)
    names = {
        f"{name} {below}".strip()
        for name, command in group.commands.items()
        for below in ("", *getattr(command, "commands", ()))
    }
    evaluations = {name for name in names if name.startswith("evaluate")}
    assert names - evaluations == {*ON_RECORD, *ONLY_LOOK}
    assert not set(ON_RECORD) & set(ONLY_LOOK)


def sources(folder):
    """Images, and a table of corrections that fits nothing."""
    source, table = folder / "source", folder / "t.csv"
    source.mkdir()
    write_small_images(source)
    table.write_text("image_id,anatomy\nnobody,chest\n")
    return source, table


def test_what_changes_a_collection_is_on_record_before_it_is_done(tmp_path, capsys) -> None:
    source, table = sources(tmp_path)
    for arguments in (
        ("import", str(source), "--name", "mine"),
        ("import", str(source), "--name", "mine", "--add"),
        ("rename", "mine", "yours"),
        ("relocate", "yours", "--image-root", str(source)),
        ("relabel", "yours", str(table)),  # refused by the core: on record, as what is refused on pages
        ("export", "yours", "--manifest", str(tmp_path / "m.csv"), "--zip", str(tmp_path / "a.zip")),
        ("import", str(tmp_path / "a.zip"), "--name", "again"),
        ("remove", "yours", "--yes"),
        ("build", "small", "--encoder", "pixels"),
    ):
        run(capsys, *arguments)
    assert recorded() == [
        ("me", "terminal", action, subject)
        for action, subject in (
            ("import", "mine"),
            ("add to", "mine"),
            ("rename", "mine"),
            ("relocate", "yours"),
            ("relabel", "yours"),
            ("export manifest, zip", "yours"),
            ("open archive", "again"),
            ("remove", "yours"),
            ("build pixels", "small"),
        )
    ]


def test_what_makes_encoders_and_the_demonstration_is_on_record(tmp_path, capsys, monkeypatch) -> None:
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("radcbir_core.jobs.run_here", stop)
    monkeypatch.setattr("radcbir_core.synthetic.mini.making.prepare_mini", stop)
    monkeypatch.setattr("radcbir_core.encoders.kits.fetching.fetch_kit", stop)
    run(capsys, "demo", "--name", "drawn")
    run(capsys, "train-mini", "small", "--output", "here", "--work", str(tmp_path), "--phantoms", "0")
    run(capsys, "fetch-encoder", "biomedclip", "--to", str(tmp_path / "elsewhere"))
    run(capsys, "fetch-encoder", "biomedclip", "--to", str(tmp_path / "data" / "encoders" / "kit"))
    assert recorded() == [
        ("me", "terminal", "make demonstration", "drawn"),
        ("me", "terminal", "train encoder", "here"),
        ("me", "terminal", "fetch encoder biomedclip", "kit"),
    ]


def test_jobs_that_are_stopped_and_resumed_are_on_record(capsys, monkeypatch) -> None:
    from radcbir_core.evaluation import evaluation_of

    job = start(EvaluateEncoder("small", "pixels", evaluation_of("precision")), runner="thread")
    job.wait(60)
    monkeypatch.setattr("radcbir_core.jobs.Job.status", lambda _: type("Status", (), {"ended": False})())
    run(capsys, "jobs", "stop", job.id)
    monkeypatch.setattr("radcbir_core.jobs.Job.resume", lambda _, **__: None)
    monkeypatch.setattr("radcbir_core.jobs.Job.dismiss", lambda _: None)
    run(capsys, "jobs", "resume", job.id)
    run(capsys, "jobs", "dismiss", job.id)
    assert recorded() == [("me", "terminal", f"{what} evaluation", "small") for what in ("stop", "resume", "dismiss")]


def test_what_only_looks_is_not_on_record(tmp_path, capsys) -> None:
    source, table = sources(tmp_path)
    for arguments in (
        ("list",),
        ("info", "small"),
        ("jobs",),
        ("evaluate", "small"),
        ("import", str(source), "--dry-run"),
        ("relabel", "small", str(table), "--dry-run"),
    ):
        run(capsys, *arguments)
    assert recorded() == []


def test_what_cannot_be_put_on_record_is_not_done_unless_it_changes_nothing(tmp_path, capsys, monkeypatch) -> None:
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("os.write", refuse)
    code, _, err = run(capsys, "remove", "small", "--yes")
    assert code == 2
    assert err.startswith("Error: Expected ")
    assert (tmp_path / "data" / "collections" / "small").is_dir()
    code, _, err = run(capsys, "export", "small", "--manifest", str(tmp_path / "m.csv"))
    assert (code, "Note: this is not on record." in err) == (0, True)
    assert (tmp_path / "m.csv").is_file()
