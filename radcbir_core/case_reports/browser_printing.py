"""HTML → PDF, by a browser of the machine: what a person gets who prints the file there.

Owns the search for such a browser and the call. Nothing is fetched meanwhile: the browser gets one file and no network.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from radcbir_core.errors import StorageError
from radcbir_core.storage import atomic_bytes

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
"""Programs that print without a screen, in the order in which they are looked for."""
_SECONDS: Final = 120
_FLAGS: Final = (
    "--headless",
    "--disable-gpu",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def browser() -> str | None:
    """The program that prints; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def print_to_pdf(html: str, path: Path) -> None:
    """Write a document as a PDF, in one step.

    Args:
        html: A document that needs nothing else.
        path: Where to.

    Raises:
        StorageError: There is no browser here, it could not print, or there is no space or permission.
    """
    program = browser()
    if program is None:
        raise StorageError(
            f"Expected a browser to print with ({', '.join(BROWSERS[:3])}), but there is none on the PATH. Write the "
            "report as .html, open it in any browser, and print it there."
        )
    with tempfile.TemporaryDirectory() as folder:
        source, printed = Path(folder) / "report.html", Path(folder) / "report.pdf"
        source.write_text(html, encoding="utf-8")
        command = [program, *_FLAGS, f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", source.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - found by name
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StorageError(_failed(program, str(error))) from error
        if done.returncode or not printed.is_file() or not printed.read_bytes().startswith(b"%PDF"):
            raise StorageError(_failed(program, " ".join(done.stderr.decode(errors="replace").split())[-200:]))
        atomic_bytes(path, printed.read_bytes())


def _failed(program: str, why: str) -> str:
    return (
        f"Expected a PDF from {Path(program).name}, but it made none: {why or 'it said nothing'}. Write the report as "
        ".html, open it in any browser, and print it there."
    )
