"""Nothing outside search reads the array of embeddings; whoever makes it may write it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]

READERS = {"load", "memmap", "open_memmap", "fromfile", "mmap"}
"""What opens an array in a file, whatever it is called on."""

OPENS_ARRAYS = {
    "radcbir_core/checked_files.py": "whatever file of a collection is opened is looked at here first",
    "radcbir_core/embed.py": "shards that are joined to the array",
    "radcbir_core/encoders/kits/kit_probe.py": "the probe of a kit",
    "radcbir_core/importers/vectors/vector_files.py": "a user's own files of vectors",
    "radcbir_core/near_duplicates/finding.py": "patches of thumbnails, its own unfinished work",
    "radcbir_core/images/decoding/file_content.py": "an image file, of which parts are read",
    "radcbir_core/tiling.py": "shards that are joined to the array of tiles",
    "radcbir_core/synthetic/mini/teachers.py": "what the small encoder is trained from",
    "radcbir_core/synthetic/mini/training_views.py": "what the small encoder is trained from",
    "radcbir_core/synthetic/mini/examples.py": "what the small encoder is trained from",
}

ASKS_FOR_ARRAYS = {
    "radcbir_core/collections/encoder_data/checked_arrays.py": "by the rules of the artifact",
    "radcbir_core/collections/thumbnails.py": "offsets of thumbnails",
    "radcbir_core/collections/encoder_data/store.py": "arrays of an encoder by name; search asks it",
    "radcbir_core/collections/archive/archive_reader.py": "what a stranger's archive brings is looked at first",
}

KNOWS_THE_PATH = {
    "radcbir_core/collections/encoder_data/store.py": "who says that they are damaged, and how they are mended",
    "radcbir_core/importers/vectors/storing.py": "whether what was written is what was there",
    "pages/parts/collections/exports.py": "how large it is",
}


@cache
def sources() -> list[tuple[str, ast.Module]]:
    trees = []
    for path in [REPOSITORY / "app.py", *REPOSITORY.glob("radcbir_core/**/*.py"), *REPOSITORY.glob("pages/**/*.py")]:
        name = path.relative_to(REPOSITORY).as_posix()
        if not name.startswith("radcbir_core/search/"):
            trees.append((name, ast.parse(path.read_text(encoding="utf-8"))))
    return trees


def opens_an_array(tree: ast.AST) -> bool:
    """Whether it calls what opens an array in a file: ``np.load``, ``np.lib.format.open_memmap``, ``mmap.mmap``."""
    for node in ast.walk(tree):
        from_numpy = isinstance(node, ast.ImportFrom) and (node.module or "").startswith("numpy")
        if from_numpy and READERS & {name.name for name in node.names}:
            return True
        if isinstance(node, ast.Attribute) and node.attr in READERS:
            base: ast.AST = node
            while isinstance(base, ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name) and base.id in {"np", "numpy", "mmap"}:
                return True
    return False


def names_in(tree: ast.AST) -> set[str]:
    """Attributes and words that lead to the array."""
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return attributes | {"embeddings.npy" for word in words if word == "embeddings.npy"}


def test_arrays_are_opened_only_where_it_is_known_why() -> None:
    assert {name for name, tree in sources() if opens_an_array(tree)} == set(OPENS_ARRAYS)


def test_checked_arrays_are_asked_for_only_where_it_is_known_why() -> None:
    asking = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and {"map_array", "open_checked"} & {given.name for given in node.names}
    }
    assert asking == set(ASKS_FOR_ARRAYS)


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("embeddings_path", set(KNOWS_THE_PATH)),
        ("open_array", {"radcbir_core/collections/encoder_data/store.py"}),
        ("embeddings.npy", {"radcbir_core/collections/artifacts.py"}),
    ],
)
def test_only_these_know_where_the_embeddings_lie(word, known) -> None:
    assert {name for name, tree in sources() if word in names_in(tree)} == known


def test_a_reader_would_be_seen() -> None:
    for text in (
        "import numpy as np\nnp.load(path, mmap_mode='r')",
        "import numpy\nnumpy.lib.format.open_memmap(path)",
        "from numpy import load\nload(path)",
        "import mmap\nmmap.mmap(handle.fileno(), 0)",
    ):
        assert opens_an_array(ast.parse(text))
    assert not opens_an_array(ast.parse("json.load(handle)\nmodel.load(path)"))
    assert names_in(ast.parse("store.embeddings_path / 'embeddings.npy'")) >= {"embeddings_path", "embeddings.npy"}
