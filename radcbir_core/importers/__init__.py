"""From source files to a collection.

Owns the way in: the format of what a user points at is found (:mod:`~radcbir_core.importers.formats`), its importer
reads it row by row, its words are made the manifest's (:mod:`~radcbir_core.importers.rows.normalizing`), each image is
checked, and a collection is written (:mod:`~radcbir_core.importers.importing`). What cannot be used is listed with a
reason, never lost in silence.
"""

from radcbir_core.importers.formats import FORMATS, import_as
from radcbir_core.importers.importing import import_collection
from radcbir_core.importers.request import ImportReport, ImportRequest

__all__ = ["FORMATS", "ImportReport", "ImportRequest", "import_as", "import_collection"]
