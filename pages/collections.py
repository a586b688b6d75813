"""Collections: import one, and see, rename, export and remove those there are."""

from __future__ import annotations

from pages.parts import shell, wizard


def page() -> None:
    """Draw the page."""
    shell.choose("Collections")
    with shell.errors_shown():
        wizard.draw()


page()
