"""What can go wrong, as one tree of exceptions, and what mends it.

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
│   └── StaleError           a part made of other images or by another encoder, or a collection changed meanwhile
├── EncoderError             an encoder that is unknown, cannot be loaded, or cannot do what is asked
│   └── EncoderUnavailableError   its weights are not here and cannot be fetched
├── QueryError               a query that cannot be answered as asked
│   └── ImageNotFoundError   an image_id that the collection does not hold
├── EvaluationError          a protocol that cannot be run on this collection
├── TextDetectionError       what finds text in pixels is not installed, or does not work here
├── StudyError               a reader study, or a step of one, that cannot be done
├── ServerError              another server that does not answer as it should
├── RightsError              what somebody asks for is not theirs to do
└── StorageError             the disk: no space, no permission
```

Messages read ``Expected <rule>, but <name> = <value>. <One thing to do.>``. They name a file, a column or an
image_id, and never a patient. The thing to do is said in terms of the thing ("Build mine with pixels."), because a
reader may sit before a page, a terminal or a notebook; a :class:`Remedy` beside it lets each of them add their own way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

Action = Literal["build", "import", "relabel", "remove", "relocate", "export", "fetch_encoder", "demo", "again"]


FOLDER: Final = "<FOLDER>"
FILE: Final = "<FILE>"
NAME: Final = "<NAME>"
"""What the reader has to fill in; shown without the brackets and never quoted."""

_CALLS: Final[Mapping[Action, str]] = {
    "build": "radcbir_core.build",
    "import": "radcbir_core.import_images",
    "again": "the same",
}
"""What the core's public face has for an action; the others have a page and a command only."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What mends an error, as a thing to do rather than something to type or to click.

    Attributes:
        action: What to do; ``again`` is the same once more with other options.
        subject: What to do it to: the name of a collection or an encoder; empty where the reader knows.
        options: What to do it with, by the names of the core's own arguments; True for a switch, and in angle brackets
            what the reader has to fill in.

    Example:
        >>> Remedy("build", "mine", {"encoder": "pixels"}).call
        "radcbir_core.build('mine', encoder='pixels')"
        >>> Remedy("again", options={"image_root": FOLDER}).call
        'the same with image_root=FOLDER'
    """

    action: Action
    subject: str = ""
    options: Mapping[str, str | bool] = field(default_factory=dict)

    @property
    def call(self) -> str:
        """The same in Python, as in a notebook; empty where the public face has no such function."""
        if self.action not in _CALLS:
            return ""
        options = [f"{name}={blank(value) or repr(value)}" for name, value in self.options.items()]
        if self.action == "again":
            return f"the same with {', '.join(options)}"
        return f"{_CALLS[self.action]}({', '.join([repr(self.subject) if self.subject else '…', *options])})"

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"action": self.action, "subject": self.subject, "options": dict(self.options)}

    @classmethod
    def from_json(cls, record: object) -> Remedy:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: It is no such record.

        Example:
            >>> remedy = Remedy("build", "mine", {"encoder": "pixels"})
            >>> Remedy.from_json(remedy.to_json()) == remedy
            True
        """
        if not isinstance(record, Mapping) or set(record) != {"action", "subject", "options"}:
            raise ValueError("a remedy has an action, a subject and options")
        action, subject, options = record["action"], record["subject"], record["options"]
        if action not in get_args(Action) or not isinstance(subject, str) or not isinstance(options, Mapping):
            raise ValueError("a remedy's action is a known one, its subject a text, its options have names")
        if not all(isinstance(name, str) and isinstance(value, str | bool) for name, value in options.items()):
            raise ValueError("a remedy's options are texts and switches")
        return cls(action, subject, dict(options))


def blank(value: object) -> str:
    """What the reader has to fill in, if that is what the value of an option stands for; otherwise nothing.

    Example:
        >>> blank("<FOLDER>"), blank("cpu"), blank(True)
        ('FOLDER', '', '')
    """
    return value[1:-1] if isinstance(value, str) and value.startswith("<") and value.endswith(">") else ""


class RadcbirError(Exception):
    """Base of every error a user can cause or mend; its text is one line, ready to be shown.

    Args:
        *text: The message.
        remedy: What mends it, where it is something that RadCBIR does. A traceback, as a notebook shows it, ends with
            it as a call; commands and pages put their own way behind the text.

    Example:
        >>> error = RadcbirError("Expected embeddings. Build mine.", remedy=Remedy("build", "mine"))
        >>> str(error), error.__notes__
        ('Expected embeddings. Build mine.', ["In Python: radcbir_core.build('mine')"])
    """

    def __init__(self, *text: str, remedy: Remedy | None = None) -> None:
        super().__init__(*text)
        self.remedy = remedy
        if remedy is not None and remedy.call:
            self.add_note(f"In Python: {remedy.call}")


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
    """A part of a collection that was made of something else than there is now, or a collection changed meanwhile."""


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


class TextDetectionError(RadcbirError):
    """The optional part that finds text in pixels is not installed, or does not work here."""


class StudyError(RadcbirError):
    """A reader study, or a step of one, that cannot be done."""


class ServerError(RadcbirError):
    """Another server, such as a hospital's archive, that does not answer as it should."""


class RightsError(RadcbirError):
    """What somebody asks for is not theirs to do, or who may do it is set wrongly."""


class StorageError(RadcbirError):
    """The disk: no space left, no permission, a read-only folder."""
