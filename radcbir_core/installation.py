"""Where RadCBIR's own files are: in a checkout of its repository, or where pip has installed it.

Owns that difference, so that nobody else asks which of the two it is. A wheel carries the committed encoder, the
dashboard and the list of requirements inside the package, under the paths that they have in the repository. Imports
nothing but the language's own: the doctor needs it where a package is missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = Path(__file__).resolve().parent
IN_REPOSITORY: Final = (PACKAGE.parent / "app.py").is_file() and (PACKAGE.parent / "requirements.txt").is_file()
ROOT: Final = PACKAGE.parent if IN_REPOSITORY else PACKAGE / "shipped"
"""What stands for the repository's own folder: the paths below it are the repository's."""

INSTALL: Final = "Run: pip install -r requirements.txt" if IN_REPOSITORY else "Install RadCBIR again with pip."
"""What to do where a package is missing."""


def default_data_folder() -> Path:
    """Where data goes unless ``RADCBIR_DATA`` says otherwise: beside the code, or the user's own folder for data.

    An installed package lies in a folder that may be read-only and is gone with the environment.
    """
    return ROOT / "data" if IN_REPOSITORY else user_folder(sys.platform)


def user_folder(platform: str) -> Path:
    """The folder in which a user's programs keep their data (XDG Base Directory; Apple's; Microsoft's known folders).

    Args:
        platform: As ``sys.platform`` calls it.
    """
    if platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "radcbir"


def install_command(extra: str) -> str:
    """What installs an optional part: ``nifti`` reads NIfTI volumes, ``ocr`` finds text in pixels.

    Args:
        extra: Its name; the packages are in ``requirements-EXTRA.txt``.
    """
    if IN_REPOSITORY:
        return f"Run: pip install -r requirements-{extra}.txt"
    return f"Run: pip install 'radcbir[{extra}]'"
