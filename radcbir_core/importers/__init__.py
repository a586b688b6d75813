"""From source files to a collection.

Owns the way in: what a user points at (tables, folders) is found (:mod:`~radcbir_core.importers.sources`), its words
are made the manifest's (:mod:`~radcbir_core.importers.columns`), each image is checked, and a collection is written
(:mod:`~radcbir_core.importers.importing`). What cannot be used is listed with a reason, never lost in silence.
"""

from radcbir_core.importers.importing import ImportReport, import_collection

__all__ = ["ImportReport", "import_collection"]
