"""A whole collection as one ZIP file that opens on another machine.

The names here are all that others need; ``contents.py`` says what an archive holds, ``writing.py`` and ``opening.py``
make and open one.
"""

from __future__ import annotations

from radcbir_core.collections.archive.opening import is_archive, open_archive
from radcbir_core.collections.archive.writing import write_archive

__all__ = ["is_archive", "open_archive", "write_archive"]
