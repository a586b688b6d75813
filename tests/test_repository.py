"""Promises of the repository itself: what is installed, and that the documents tell the truth."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def requirements(name: str) -> list[str]:
    lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


OPTIONAL = {"ai_edge_litert", "medmnist", "nibabel", "onnxruntime"}
"""What one command each, or one kind of files, asks for when it is used, and says so where it is missing."""


def test_every_requirement_is_pinned_and_there_are_at_most_twenty_four() -> None:
    runtime = requirements("requirements.txt")
    assert len(runtime) <= 24
    further = [line for name in ("dev", "login", "nifti", "ocr") for line in requirements(f"requirements-{name}.txt")]
    for line in runtime + further:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z]+\])?==[0-9][A-Za-z0-9.]*", line), line


def test_an_optional_part_is_one_and_the_same_in_all_lists() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"] == {
        extra: requirements(f"requirements-{extra}.txt") for extra in ("nifti", "ocr")
    }
    assert set(requirements("requirements-nifti.txt")) <= set(requirements("requirements-dev.txt"))
    assert {line.partition("=")[0] for line in requirements("requirements-nifti.txt")} <= OPTIONAL
    for extra in ("nifti", "ocr"):
        assert not set(requirements(f"requirements-{extra}.txt")) & set(requirements("requirements.txt"))


def imported(*roots: str) -> Iterator[str]:
    """The top-level packages that files import, of whoever."""
    paths = [
        path
        for root in roots
        for path in ([REPOSITORY / root] if root.endswith(".py") else (REPOSITORY / root).rglob("*.py"))
    ]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def test_whatever_is_imported_is_required() -> None:
    needed = set(imported("app.py", "pages", "radcbir_core")) - set(sys.stdlib_module_names) - OPTIONAL
    needed -= {"pages", "radcbir_core"}
    required = {re.split(r"[=\[]", line)[0].lower().replace("-", "_") for line in requirements("requirements.txt")}
    distributions = packages_distributions()
    missing = {name for name in needed if not required & {d.lower().replace("-", "_") for d in distributions[name]}}
    assert missing == set()


def test_the_package_and_the_changelog_have_one_version() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\d\S*)", changelog, re.M)[0] == project["version"]
    assert project["dynamic"] == ["dependencies"]
    assert "dependencies" not in project


def test_nothing_stands_where_it_is_never_reached() -> None:
    ends = ast.Return | ast.Raise | ast.Continue | ast.Break
    paths = [
        path for root in ("radcbir_core", "pages", "tests", "benchmarks") for path in (REPOSITORY / root).rglob("*.py")
    ]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in ("body", "orelse", "finalbody"):
                block = getattr(node, name, None)
                for before in block[:-1] if isinstance(block, list) else []:
                    assert not isinstance(before, ends), f"{path}:{before.lineno}"


def git(*arguments: str) -> list[str]:
    """What git says, line by line; a skip where this is no checkout."""
    answer = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if answer.returncode > 1:
        pytest.skip(f"git does not answer here: {answer.stderr.strip()}")
    return answer.stdout.splitlines()


def test_of_the_data_folder_only_the_encoder_is_in_the_repository() -> None:
    """Whoever runs the app in a checkout leaves jobs, a key and collections there; none of them may be committed."""
    assert {path.split("/")[1] for path in git("ls-files", "data")} == {"encoders"}
    made = ["data/machine.key", "data/jobs/one/status.json", "data/collections/mine/collection.json", "data/audit.log"]
    assert git("check-ignore", "--no-index", *made) == made
    assert git("check-ignore", "--no-index", "data/encoders/radcbir-mini/kit.json") == []


def test_no_gpl_decoder_is_required() -> None:
    assert not any("libjpeg" in line.replace("pylibjpeg", "") for line in requirements("requirements.txt"))


def test_the_readme_has_the_two_commands() -> None:
    lines = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()
    assert "pip install -r requirements.txt && streamlit run app.py" in lines
    assert "pip install -r requirements-dev.txt && pytest" in lines


def test_the_readme_is_short_and_its_pictures_are_small() -> None:
    assert (REPOSITORY / "README.md").stat().st_size < 8_000
    assert sum(path.stat().st_size for path in (REPOSITORY / "docs" / "pictures").iterdir()) < 1_000_000


DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *sorted(f"docs/{p.name}" for p in (REPOSITORY / "docs").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_between_documents_lead_somewhere(document) -> None:
    path = REPOSITORY / document
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            target, _, heading = link.partition("#")
            there = path.parent / target if target else path
            assert there.exists(), link
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.M) if heading else []
            assert not heading or heading in {h.lower().replace(" ", "-") for h in headings}, link


def test_the_readme_leads_to_every_document() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for document in DOCUMENTS[1:]:
        assert f"]({document})" in readme, document


def test_the_documents_name_every_known_encoder() -> None:
    from radcbir_core.encoders import known_encoders

    text = (REPOSITORY / "docs" / "encoders.md").read_text(encoding="utf-8")
    for entry in known_encoders():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{entry.encoder_id}`"))
        assert f"| {entry.dimension} |" in row
        assert f"| {'yes' if entry.supports_text else 'no'} |" in row


def test_the_documents_say_of_every_evaluation_what_it_says_itself() -> None:
    from radcbir_core.cli.evaluation_commands import command_of
    from radcbir_core.evaluation import EVALUATIONS

    text = (REPOSITORY / "docs" / "evaluations.md").read_text(encoding="utf-8")
    for kind, evaluation in EVALUATIONS.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {evaluation.name} |")]
        assert row.endswith(f"| {evaluation.about} | {', '.join(evaluation.uses)} |")
        assert f"`{command_of(kind)}`" in row


def test_the_documents_name_every_command() -> None:
    from typer.main import get_command

    from radcbir_core.cli import app

    text = (REPOSITORY / "docs" / "quickstart.md").read_text(encoding="utf-8")
    for name in get_command(app).commands:
        assert f"python -m radcbir_core {name}" in text, name
