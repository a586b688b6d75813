"""What can go wrong, as one tree of exceptions.

Owns the exception classes of the core and nothing else; every other module raises one of these for
whatever a user can cause or mend, and a page or a command shows it. A bug stays a plain Python error.

```text
RadcbirError
├── ManifestError            a table of images that cannot be read as one
├── ArchiveError             a ZIP archive that is damaged, or that must not be unpacked
├── ImageError               one image file that cannot be decoded
│   ├── ImageTooLargeError   over the byte or pixel limit
│   └── NoPixelDataError     a DICOM object without an image in it
├── CollectionError          a collection that is missing, damaged, or not what the call needs
│   ├── CollectionNotFoundError
│   ├── CollectionExistsError
│   └── StaleError           a part made from another manifest or by another encoder version
├── EncoderError             an encoder that is unknown, cannot be loaded, or cannot do what is asked
│   └── EncoderUnavailableError   its weights are not here and cannot be fetched
├── QueryError               a query that cannot be answered as asked
│   └── ImageNotFoundError   an image_id that the collection does not hold
├── EvaluationError          a protocol that cannot be run on this collection
└── StorageError             the disk: no space, no permission
```

Messages read ``Expected <rule>, but <name> = <value>. <One thing to do.>``. They name a file, a column or an
image_id, and never a patient.
"""

from __future__ import annotations


class RadcbirError(Exception):
    """Base of every error a user can cause or mend; its text is one line, ready to be shown."""


class ManifestError(RadcbirError):
    """A table of images that cannot be read as one."""


class ArchiveError(RadcbirError):
    """A ZIP archive that is damaged, or that must not be unpacked."""


class ImageError(RadcbirError):
    """One image file that cannot be decoded."""


class ImageTooLargeError(ImageError):
    """An image over the byte or pixel limit."""


class NoPixelDataError(ImageError):
    """A DICOM object without an image in it, such as a structured report."""


class CollectionError(RadcbirError):
    """A collection that is missing, damaged, or not what the call needs."""


class CollectionNotFoundError(CollectionError):
    """No collection of that name."""


class CollectionExistsError(CollectionError):
    """A collection of that name is there already."""


class StaleError(CollectionError):
    """A part of a collection that was made from another manifest or by another encoder version."""


class EncoderError(RadcbirError):
    """An encoder that is unknown, cannot be loaded, or cannot do what is asked of it."""


class EncoderUnavailableError(EncoderError):
    """The encoder's weights are not on this machine and cannot be fetched."""


class QueryError(RadcbirError):
    """A query that cannot be answered as asked."""


class ImageNotFoundError(QueryError):
    """An image_id that the collection does not hold."""


class EvaluationError(RadcbirError):
    """A protocol that cannot be run on this collection."""


class StorageError(RadcbirError):
    """The disk: no space left, no permission, a read-only folder."""
