"""Jobs that write an export of a collection into the folder of exports.

Owns their record and that folder. What the files hold is ``radcbir_core.collections``' business. What a stopped or
killed export had written is removed; gone on with, it begins anew.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args

from radcbir_core.collections.archive import write_archive
from radcbir_core.collections.collection import open_collection
from radcbir_core.collections.export import Exported, export_manifest
from radcbir_core.collections.layout import data_folder
from radcbir_core.errors import CollectionError
from radcbir_core.jobs.kinds import Telling
from radcbir_core.search.embeddings_export import export_embeddings

Form = Literal["manifest", "embeddings", "archive"]


@dataclass(frozen=True, slots=True)
class ExportFile:
    """An export, as a person asks for it.

    Attributes:
        name: The collection.
        form: What of it.
        suffix: Of the file, which says how: ".csv", ".parquet", ".npy", ".zip".
        encoder_id: Whose embeddings.
        with_images: Whether an archive holds the image files.

    Example:
        >>> ExportFile("mine", "embeddings", ".npy", encoder_id="pixels").file
        'mine-pixels.npy'
        >>> ExportFile("mine", "archive", ".zip", with_images=True).file
        'mine-with-images.zip'
    """

    kind: ClassVar[str] = "export"
    runner: ClassVar[str] = "process"
    is_listed: ClassVar[bool] = False

    name: str
    form: Form
    suffix: str
    encoder_id: str = ""
    with_images: bool = False

    @property
    def file(self) -> str:
        """The file's name."""
        middle = {"manifest": "-manifest", "embeddings": f"-{self.encoder_id}", "archive": ""}[self.form]
        return f"{self.name}{middle}{'-with-images' if self.with_images else ''}{self.suffix}"

    @property
    def place(self) -> str:
        """The file."""
        return f"export/{self.file}"

    def check(self) -> None:
        """Refuse a collection or an encoder that is not there.

        Raises:
            CollectionNotFoundError: There is no such collection, or the encoder has made nothing of it.
        """
        collection = open_collection(self.name)
        if self.form == "embeddings":
            collection.store(self.encoder_id)

    def carry_out(self, telling: Telling) -> Exported:
        """Write the file into :func:`exports_folder`, in one step.

        Raises:
            CollectionError: It cannot be exported as it is.
            StorageError: No space left, or no permission.
        """
        target = exports_folder() / self.file
        # At this place nobody else is at work: what is half written was left by one that was killed.
        for path in (target, target.with_suffix(".csv")):
            for left in target.parent.glob(f".partial-*-{glob.escape(path.name)}"):
                left.unlink(missing_ok=True)
        return self.write(target, telling)

    def write(self, path: Path, telling: Telling | None = None) -> Exported:
        """Write it wherever one wants it.

        Args:
            path: With this export's suffix. A file that is there is replaced.
            telling: Told how far it is.

        Raises:
            CollectionError: It cannot be exported as it is.
            StorageError: No space left, or no permission.
        """
        collection = open_collection(self.name)
        told = {} if telling is None else {"progress": telling}
        if self.form == "manifest":
            return export_manifest(collection, path, **told)
        if self.form == "embeddings":
            return export_embeddings(collection.store(self.encoder_id), path, **told)
        return write_archive(collection, path, images=self.with_images, **told)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            CollectionError: It is of another form.
        """
        if record["form"] not in get_args(Form):
            raise CollectionError(f"Expected an export of a form among {', '.join(get_args(Form))}. Start it anew.")
        return cls(**record)


def exports_folder() -> Path:
    """Where exports are written on the machine of the data folder."""
    return data_folder() / "exports"
