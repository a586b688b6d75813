"""The files of benchmarks/bombs.py in small: decoded or refused in one line, within limits that are small too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import bombs
from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image
from tests.conftest import REPOSITORY

SIDE = 40
KINDS = bombs.kinds(SIDE)
REFUSED = {
    "PNG, 100 texts of 16 MiB": "a whole, readable PNG file",
    "TIFF float64": "a TIFF of color or gray of 8 or 16 bits, or of gray alone of 12 or 32",
    "JPEG of 5,000 scans": "at most 100 scans",
    "DICOM nested 3,000 deep": "a whole, readable DICOM file",
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_what_it_is_said_to_be(kind: str) -> None:
    """Small ones are decoded, all black, unless the kind is refused at any size."""
    if kind in REFUSED:
        with pytest.raises(ImageError, match=f"^Expected {REFUSED[kind]}, but x = "):
            decode_image(KINDS[kind](), name="x")
    else:
        assert not decode_image(KINDS[kind]()).pixels.any()


def test_the_sizes_of_the_pictures() -> None:
    shapes = {kind: decode_image(write()).pixels.shape for kind, write in KINDS.items() if kind not in REFUSED}
    tiny = {"TIFF of many pages": (8, 8), "DICOM of many groups": (1, 1)}
    fewer = {"DICOM deflated, double": (27, 40), "PNG, pixels 2:1": (40, 40)}
    assert {kind: shape for kind, shape in shapes.items() if shape[:2] != (SIDE + 1, SIDE)} == tiny | fewer


def test_no_kind_takes_more_than_it_may(tmp_path: Path) -> None:
    """One after the other, in processes that may have 200 MiB: none has more, and the next file is read."""
    code = """
import resource, sys
from pathlib import Path
from radcbir_core.errors import ImageError
from radcbir_core.images import Limits, decode_image
from radcbir_core.images.decoding import decoding_process
limits = Limits(max_memory=200 * 2**20)
for file in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decode_image(file, limits=limits)
    except ImageError as error:
        print(file.name, "within 200 MiB" in str(error), sep=":")
decoding_process.end_all()
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // (1024 if sys.platform == "linux" else 1024**2))
"""
    large = bombs.kinds(3500)
    for kind in ("PNG RGBA", "PNG RGBA, 16 bits", "TIFF float32", "WebP RGBA", "DICOM deflated, 32 bits"):
        (tmp_path / kind).write_bytes(large[kind]())
    (tmp_path / "small").write_bytes(KINDS["PNG gray"]())
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    *refused, peak = done.stdout.split("\n")[:-1]
    assert int(peak) <= 200
    assert "PNG RGBA, 16 bits:True" in refused
    assert "DICOM deflated, 32 bits:True" in refused
    assert not [line for line in refused if line.startswith("small")]
