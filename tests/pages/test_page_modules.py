"""What pages import is imported by the server ahead of them, and nothing of it when the server starts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

from pages.parts.frame import page_modules

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["collections", "compare", "failures", "map", "pathology", "presentation", "reading", "retrieval", "review"]
EACH_PAGE = f"""
import sys
from importlib import import_module
from pages.parts.frame import page_modules
assert "pandas" not in sys.modules
page_modules.import_all()
before = set(sys.modules)
from pages.parts.frame import shell
class Begun(Exception): ...
def begun(*_): raise Begun
shell.begin = shell.choose = shell.begin_alone = begun
for page in {PAGES}:
    try:
        import_module(f"pages.{{page}}")
    except Begun:
        print(page, sorted(name for name in set(sys.modules) - before if not name.startswith(f"pages.{{page}}")))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def test_no_page_imports_anything_more_until_it_draws() -> None:
    assert run(EACH_PAGE).splitlines() == [f"{page} []" for page in PAGES]


def test_the_server_listens_before_anything_large_is_imported() -> None:
    code = "import app, sys; print([name for name in ('pandas', 'pyarrow', 'torch') if name in sys.modules])"
    assert run(code).strip() == "[]"


def test_it_begins_with_the_server_and_does_not_hold_it_up(monkeypatch) -> None:
    may_end, imported = threading.Event(), threading.Event()
    monkeypatch.setattr(page_modules, "import_all", lambda: may_end.wait(30) and imported.set())

    async def serve() -> None:
        async with page_modules.imported_ahead(None):
            assert not imported.is_set()
            may_end.set()
            assert await asyncio.to_thread(imported.wait, 30)

    asyncio.run(serve())


def test_a_page_that_cannot_be_imported_is_no_reason_to_stop(monkeypatch, tmp_path) -> None:
    (tmp_path / "page.py").write_text("import no_such_module\nfrom radcbir_core import no_such_name\nimport colorsys\n")
    monkeypatch.setattr(page_modules, "_PAGES", tmp_path)
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    page_modules.import_all()
    assert "colorsys" in sys.modules
