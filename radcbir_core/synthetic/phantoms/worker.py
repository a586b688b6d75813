"""The program of a drawing process: draws patients, one after the other, until its input ends.

It talks in ``radcbir_core.messages`` on its standard input and output, and touches no file. A request names a patient's
collection and number, the answer holds what is known of each image, with the images as PNG files behind it.
"""

from __future__ import annotations

import io
import os
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from PIL import Image

from radcbir_core.messages import receive, send
from radcbir_core.synthetic.phantoms.patients import PhantomImage, draw, patient


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more.

    Args:
        requests: Messages with ``number``, ``left`` (images of the collection that are left for this patient), ``seed``
            and ``labels``.
        answers: Messages with ``images``, a list of objects with ``bytes``, ``view``, ``caption`` and ``lesion``, and
            the PNG files one after the other.
    """
    while True:
        try:
            request, _ = receive(requests)
        except EOFError:
            return
        who = patient(request["number"], left=request["left"], seed=request["seed"], labels=request["labels"])
        drawn = draw(who, seed=request["seed"])
        files = [as_png(image) for image in drawn]
        facts = [_facts(image, file) for image, file in zip(drawn, files, strict=True)]
        send(answers, {"images": facts}, data=b"".join(files))


def as_png(image: PhantomImage) -> bytes:
    """One image as a PNG file without any text or time in it, so that equal pixels are equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image.pixels).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def _facts(image: PhantomImage, file: bytes) -> dict[str, Any]:
    lesion = asdict(image.lesion) if image.lesion is not None else None
    return {"bytes": len(file), "view": image.view, "caption": image.caption, "lesion": lesion}


def main() -> None:
    """Set the streams up and serve."""
    with os.fdopen(os.dup(1), "wb") as answers:
        # A library that prints must not get in among the answers.
        os.dup2(2, 1)
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
