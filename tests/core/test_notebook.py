"""The public face: quick to import, complete, and shown at work in docs/notebook.ipynb, which is run here."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import radcbir_core as radcbir
from radcbir_core.images.decoded_image import DecodedImage
from radcbir_core.search.queries.query import VectorQuery
from tests.conftest import REPOSITORY
from tests.stand_ins import use_quick_map

NOTEBOOK = REPOSITORY / "docs" / "notebook.ipynb"
HEAVY = ("torch", "pandas", "numpy", "pyarrow", "streamlit", "numba", "transformers", "open_clip", "scipy", "PIL")


def test_importing_it_imports_nothing_heavy() -> None:
    code = f"import sys, radcbir_core; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_name_is_there_whatever_was_imported_before() -> None:
    modules = {path.stem for path in (REPOSITORY / "radcbir_core").iterdir()}
    assert not modules & set(radcbir.__all__), "a module that is imported takes the place of the name"
    for name in radcbir.__all__:
        assert callable(getattr(radcbir, name)), name
        assert name in dir(radcbir)
    with pytest.raises(AttributeError, match="no attribute 'search_everything'"):
        radcbir.search_everything  # noqa: B018 - asking is what is tested


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse((REPOSITORY / "radcbir_core" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    named = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named == {name: f"radcbir_core.{module}" for name, module in radcbir._MODULES.items()}
    assert sorted(named) == sorted(radcbir.__all__)


@pytest.fixture
def built(small_data, monkeypatch) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(small_data))


def shown(value: Any) -> str:
    """What a notebook shows of the value of a cell's last line."""
    return value._repr_html_() if hasattr(value, "_repr_html_") else repr(value)


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; the value of its last line, if that is an expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)  # noqa: S102 - the repository's own notebook
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None  # noqa: S307


def test_the_notebook_runs(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    use_quick_map(monkeypatch)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    values = [run("".join(cell["source"]), names) for cell in cells if cell["cell_type"] == "code"]
    texts = [shown(value) for value in values if value is not None]
    assert sum(text.count("data:image/jpeg;base64,") for text in texts) == 18, "three galleries of six"
    assert any("<b>1 · " in text for text in texts)
    assert any("P@1" in text or "P@k" in text for text in texts)
    assert [value._repr_png_()[1:4] for value in values if isinstance(value, DecodedImage)] == [b"PNG"]
    printed = capsys.readouterr().out
    assert "In Python: radcbir_core.build('notebook-phantoms', encoder='biomedclip')" in printed


def test_text_from_a_collection_is_no_markup(built) -> None:
    collection = radcbir.open_collection("small")
    collection.title = "<script>alert(1)</script>"
    answer = radcbir.Retriever(collection, "pixels").search([0, 1], k=3)
    for text in (answer._repr_html_(), collection._repr_html_()):
        assert "<script>" not in text
        assert "&lt;script&gt;" in text
    assert answer._repr_html_().count("<figure") == 6


def test_many_queries_are_not_all_shown(built) -> None:
    retriever = radcbir.Retriever(radcbir.open_collection("small"), "pixels")
    vectors = np.random.default_rng(0).normal(size=(30, 1024))
    assert retriever.search(VectorQuery(vectors), k=2)._repr_html_().count("<figure") == 20


def test_an_imported_folder_and_options_under_their_own_names(tmp_path, monkeypatch) -> None:
    from tests.small_images import write_small_images

    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    (tmp_path / "images").mkdir()
    write_small_images(tmp_path / "images")
    report = radcbir.import_images(
        [tmp_path / "images"], name="mine", title="Mine", image_root=str(tmp_path / "images")
    )
    assert report.collection.title == "Mine"
    assert "<b>Imported Mine</b>" in report._repr_html_()
    with pytest.raises(radcbir.RadcbirError, match="but modality is given"):
        radcbir.import_images(tmp_path / "images", name="other", modality="CT")
