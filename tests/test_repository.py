"""Promises of the repository itself: what is installed, and that the documents tell the truth."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def requirements(name: str) -> list[str]:
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


def test_every_requirement_is_pinned_and_there_are_at_most_twenty() -> None:
    runtime = requirements("requirements.txt")
    assert len(runtime) <= 20
    for line in runtime + requirements("requirements-dev.txt"):
        assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z]+\])?==[0-9][A-Za-z0-9.]*", line), line


def test_no_gpl_decoder_is_required() -> None:
    assert not any("libjpeg" in line.replace("pylibjpeg", "") for line in requirements("requirements.txt"))


def test_the_readme_has_the_two_commands() -> None:
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    assert "pip install -r requirements.txt && streamlit run app.py" in lines
    assert "pip install -r requirements-dev.txt && pytest" in lines


def test_the_readme_names_every_known_encoder() -> None:
    from radcbir_core.encoders import known_encoders

    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for entry in known_encoders():
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{entry.encoder_id}`"))
        assert f"| {entry.dimension} |" in row
        assert f"| {'yes' if entry.supports_text else 'no'} |" in row


def test_the_readme_names_every_command() -> None:
    from typer.main import get_command

    from radcbir_core.cli import app

    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for name in get_command(app).commands:
        assert f"python -m radcbir_core {name}" in readme, name
