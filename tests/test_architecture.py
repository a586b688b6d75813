"""What holds beside the contracts in pyproject.toml: tests mirror modules, names differ, nothing private crosses."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

from tests.conftest import REPOSITORY

CORE = REPOSITORY / "radcbir_core"


def core_modules() -> list[Path]:
    """The modules of the core but for the drawings, which have one test a kind: test_ct.py, test_mr.py, …"""
    modules = (path for path in sorted(CORE.rglob("*.py")) if path.name not in {"__init__.py", "__main__.py"})
    return [path for path in modules if CORE / "synthetic" / "phantoms" not in path.parents]


def test_every_core_module_has_a_test_of_its_name() -> None:
    missing = [
        str(path.relative_to(CORE))
        for path in core_modules()
        if not (REPOSITORY / "tests" / "core" / path.relative_to(CORE).with_name(f"test_{path.name}")).is_file()
    ]
    assert missing == []


def test_no_two_core_modules_share_a_name_or_all_but_a_letter_of_it() -> None:
    near = [
        f"{one.relative_to(CORE)} and {other.relative_to(CORE)}"
        for one, other in combinations(core_modules(), 2)
        if is_one_letter_apart(one.stem, other.stem)
    ]
    assert near == []


def is_one_letter_apart(one: str, other: str) -> bool:
    """Whether one name becomes the other by at most one letter more, fewer or other."""
    shorter, longer = sorted((one, other), key=len)
    if len(longer) == len(shorter):
        return sum(a != b for a, b in zip(one, other, strict=True)) <= 1
    return any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))


def test_letters_apart() -> None:
    near = [("a", "a"), ("kit", "kits"), ("kit", "akit"), ("kit", "kat")]
    far = [("kit", "kitty"), ("kit", "tik"), ("decode", "decoded_image"), ("", "ab")]
    assert [is_one_letter_apart(*pair) for pair in near + far] == [True] * len(near) + [False] * len(far)


def test_nothing_private_crosses_a_module() -> None:
    """Neither ``from a import _x`` nor ``a._x``, in the core, the pages and app.py."""
    paths = [REPOSITORY / "app.py", *CORE.rglob("*.py"), *(REPOSITORY / "pages").rglob("*.py")]
    assert len(paths) > 200
    crossing = [f"{path.relative_to(REPOSITORY)}: {name}" for path in paths for name in private_names(path.read_text())]
    assert crossing == []


def private_names(source: str) -> Iterator[str]:
    """The names with one underscore in front that a module takes from other modules of ours."""
    tree = ast.parse(source)
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"radcbir_core", "pages"}:
            for item in node.names:
                path = REPOSITORY.joinpath(*str(node.module).split("."), item.name)
                if path.with_suffix(".py").is_file() or path.is_dir():
                    modules.add(item.asname or item.name)
                if is_private(item.name):
                    yield f"{node.module}.{item.name}"
    for node in ast.walk(tree):
        of_a_module = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
        if of_a_module and is_private(node.attr):
            yield f"{node.value.id}.{node.attr}"


def is_private(name: str) -> bool:
    """Whether a name is a module's own."""
    return name.startswith("_") and not name.startswith("__")


def test_private_names_are_noticed() -> None:
    source = """
from radcbir_core.images import decode, _gate
from radcbir_core import progress as told
decode._decode, told._x, decode.decode_image, told.__name__, self._own
"""
    assert list(private_names(source)) == ["radcbir_core.images._gate", "decode._decode", "told._x"]
