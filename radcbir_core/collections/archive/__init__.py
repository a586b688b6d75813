"""A whole collection as one ZIP file that opens on another machine.

The names here are all that others need; ``contents.py`` says what an archive holds, ``archive_writer.py`` and
``archive_reader.py`` make and open one.
"""

from __future__ import annotations

from radcbir_core.collections.archive.archive_reader import is_archive, open_archive
from radcbir_core.collections.archive.archive_writer import write_archive

__all__ = ["is_archive", "open_archive", "write_archive"]
