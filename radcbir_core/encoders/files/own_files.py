"""Encoders whose weights a person fetches by hand, because their authors put them on no hub.

Owns the finding of the one file in what the person gives, and the message that says where it comes from.
"""

from __future__ import annotations

from pathlib import Path

from radcbir_core.encoders.base import shown
from radcbir_core.errors import FOLDER, EncoderError, EncoderUnavailableError, Remedy


def given_weights(path: Path | None, *, encoder_id: str, filename: str, origin: str) -> Path:
    """The weights file among what a person gives.

    Args:
        path: The file, or a folder that holds it; None where nothing was given.
        encoder_id: Of the encoder, for the message.
        filename: As its authors call it; a kit's is the same with ``.safetensors``.
        origin: Where it comes from.

    Raises:
        EncoderUnavailableError: Nothing was given.
        EncoderError: It is not there.

    Example:
        >>> given_weights(
        ...     None, encoder_id="medsam-vit-b", filename="medsam_vit_b.pth", origin="its authors"
        ... )  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        radcbir_core.errors.EncoderUnavailableError: Expected medsam_vit_b.pth from you, but no hub has it. ...
    """
    if path is None:
        raise EncoderUnavailableError(
            f"Expected {filename} from you, but no hub has it. Download it from {origin}, make a kit of {encoder_id} "
            "from it, and name the kit's folder as the encoder.",
            remedy=Remedy("fetch_encoder", encoder_id, {"from": filename, "to": FOLDER}),
        )
    if path.suffix == ".zip":
        raise EncoderError(f"Expected {filename}, but {shown(str(path))} is an archive. Unpack it and name the file.")
    if path.is_file():
        return path
    for name in (filename, f"{Path(filename).stem}.safetensors"):
        if (path / name).is_file():
            return path / name
    raise EncoderError(
        f"Expected {filename} in {shown(str(path))}, but there is none. Name the file itself; it comes from {origin}."
    )
