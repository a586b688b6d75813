"""A DICOMDIR: which files of a medium are images (DICOM PS3.3 F.3 and F.5; PS3.10, 8.5).

Owns the reading of file IDs, and of nothing else that the records say. It opens none of the files.
"""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread

from radcbir_core.images.decoding.decoding_request import only_image_errors


def image_file_ids(directory: Path, *, name: str) -> list[list[str]]:
    """The components of the file ID of each image record, in the order of the records.

    Args:
        directory: the DICOMDIR.
        name: what messages call it.

    Raises:
        ImageError: it cannot be read as one.
    """
    ids = []
    with only_image_errors(name, "DICOM"):
        for record in dcmread(directory, specific_tags=["DirectoryRecordSequence"]).DirectoryRecordSequence:
            components = record.get("ReferencedFileID")
            if components and record.get("DirectoryRecordType") == "IMAGE":
                parts = [components] if isinstance(components, str) else list(components)
                ids.append([str(part) for part in parts])
    return ids
