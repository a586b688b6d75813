"""What was imported is left out of the search for garbage.

Owns this one setting of the process. Streamlit has Python look through all objects after each run of a page; with the
libraries of a page loaded that takes longer than the page itself, and what has been drawn waits for it. Modules are
never garbage: once they are loaded, they need not be looked at again.
"""

from __future__ import annotations

import gc
import sys
from threading import Lock
from typing import Final

MANY: Final = 50
"""So many new modules are worth looking through all objects once more."""

_one_at_a_time: Final = Lock()
_left_out = 0


def leave_out_modules() -> None:
    """Where many modules have been loaded since, collect what is garbage now, and look only at what comes after it.

    To be called wherever much may have been imported: when a page begins, since libraries are imported as late as they
    are needed, and once the encoder is there.
    """
    global _left_out  # noqa: PLW0603 - a setting of the process
    with _one_at_a_time:
        if len(sys.modules) - _left_out < MANY:
            return
        _left_out = len(sys.modules)
        gc.collect()
        gc.freeze()
