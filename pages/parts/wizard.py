"""The import of a collection, step by step: where the images are, what they are, a dry run, and the start.

Owns the order of the steps and what is kept between them. It computes nothing: what a source is and what an import
would make of it is ``radcbir_core.importers``' business.
"""

from __future__ import annotations

from pages.parts import shell


def draw() -> None:
    """Draw the wizard."""
    shell.say_command(
        "Import a folder or a table of images as a new collection, and build an encoder for it.",
        *("import", "FOLDER_OR_MANIFEST_CSV", "--name", "NAME"),
    )
