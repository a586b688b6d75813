"""The program of a helper process: decodes frames with GDCM, one after the other, until its input ends.

Started by `gdcm_process`, which says why. It talks in `radcbir_core.messages` on its standard input and output. What
GDCM writes to standard error is kept apart, because there it says "Corrupt JPEG data" of a frame that it then fills up.
"""

from __future__ import annotations

import os
import sys
import tempfile
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO


def decode(options: dict[str, Any], frame: bytes) -> bytes:
    """Decode one frame; its transfer syntax names the family, and the stream itself which member of it this is."""
    from pydicom.encaps import encapsulate
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import JPEG2000, JPEGLosslessSV1, JPEGLSLossless, JPEGLSTransferSyntaxes, JPEGTransferSyntaxes

    # pydicom lets GDCM read lossless JPEG of any precision and JPEG 2000, but neither 12-bit extended JPEG nor HTJ2K,
    # which GDCM reads just as well.
    syntax = options.pop("syntax")
    family = JPEGLSLossless if syntax in JPEGLSTransferSyntaxes else JPEG2000
    pixels, _ = get_decoder(JPEGLosslessSV1 if syntax in JPEGTransferSyntaxes else family).as_buffer(
        encapsulate([frame], has_bot=False), index=0, decoding_plugin="gdcm", number_of_frames=1, **options
    )
    return bytes(pixels)


def serve(requests: BinaryIO, answers: BinaryIO, *, complaints: FileIO) -> None:
    """Answer requests until there are no more.

    Args:
        requests: messages with the options of `DecodeRunner` and a frame.
        answers: messages that are empty, with the decoded bytes, or hold an ``error``.
        complaints: the file that standard error goes to; unbuffered, because others write to it.
    """
    from radcbir_core.messages import receive, send

    while True:
        try:
            options, frame = receive(requests)
        except EOFError:
            return
        complaints.seek(0)
        complaints.truncate()
        try:
            decoded = decode(options, frame)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one frame, the next has to be served
            send(answers, {"error": type(error).__name__})
            continue
        complaints.seek(0)
        if b"Corrupt JPEG data" in complaints.read():
            send(answers, {"error": "corrupt JPEG data"})
        else:
            send(answers, {}, data=decoded)


def main() -> None:
    """Set the streams up and serve."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    with tempfile.TemporaryFile(buffering=0) as complaints, os.fdopen(os.dup(1), "wb") as answers:
        # A library that prints must not get in among the answers.
        os.dup2(complaints.fileno(), 1)
        os.dup2(complaints.fileno(), 2)
        serve(sys.stdin.buffer, answers, complaints=complaints)


if __name__ == "__main__":
    main()
