"""What mends an error is said in terms of the thing, and each reader's own way stands in one place."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

import radcbir_core
from radcbir_core.cli import app
from radcbir_core.errors import QueryError, RadcbirError, Remedy

CORE = Path(radcbir_core.__file__).parent
COMMANDS = re.compile(r"(?<![\w-])--[a-z]|python -m radcbir_core(?!\.)|streamlit run")


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every text in a module, f-strings in one piece."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.lineno, node.value


def test_no_text_of_the_core_names_a_command_or_its_options() -> None:
    named = [
        f"{path.relative_to(CORE)}:{line}: {text[:80]}"
        for path in sorted(CORE.rglob("*.py"))
        if "cli" not in path.relative_to(CORE).parts and path.name != "__main__.py"
        for line, text in texts(path)
        if COMMANDS.search(text)
        and text != "--lock"  # of a process that only RadCBIR starts
        and path.name != "browser_printing.py"  # options of a browser, which is started there
    ]
    assert named == []


@pytest.mark.parametrize("action", ["build", "import", "remove", "relocate", "export", "fetch_encoder", "demo"])
def test_every_action_is_a_command(action) -> None:
    assert action.replace("_", "-") in get_command(app).commands


def test_a_traceback_ends_with_the_call_and_the_text_does_not() -> None:
    error = RadcbirError("Expected embeddings. Build mine.", remedy=Remedy("build", "mine", {"encoder": "pixels"}))
    assert str(error) == "Expected embeddings. Build mine."
    assert error.__notes__ == ["In Python: radcbir_core.build('mine', encoder='pixels')"]
    assert not hasattr(RadcbirError("Expected it.", remedy=Remedy("remove", "mine")), "__notes__")


def test_it_goes_from_process_to_process() -> None:
    error = copy.copy(QueryError("Expected it.", remedy=Remedy("build", "mine")))  # by what pickle uses too
    assert (str(error), error.remedy) == ("Expected it.", Remedy("build", "mine"))
