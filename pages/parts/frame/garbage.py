"""What was imported is left out of the search for garbage.

Owns this one setting of the process. Streamlit has Python look through all objects after each run of a page; with the
libraries of a page loaded that takes longer than the page itself, and what has been drawn waits for it. Modules are
never garbage: once they are loaded, they need not be looked at again.
"""

from __future__ import annotations

import gc
from functools import cache


@cache
def leave_out_modules(page: str) -> None:  # noqa: ARG001 - once for each page, since each loads some of its own
    """Collect what is garbage now, and look only at what comes after it from now on.

    Args:
        page: Whose modules have been loaded.
    """
    gc.collect()
    gc.freeze()
