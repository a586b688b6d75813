"""The program that decodes: what it answers, and what it does not load."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from radcbir_core.errors import ImageError
from radcbir_core.images import Limits
from radcbir_core.images.decoding import decoding_worker, file_content
from radcbir_core.images.decoding.file_reading import read_file
from radcbir_core.images.decoding.image_messages import limits_to_message, prepared_from
from radcbir_core.images.fitting import Fitting
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.messages import receive, send
from tests.conftest import REPOSITORY
from tests.core.images.dicom_files import dicom_bytes

GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4)


@pytest.fixture(autouse=True)
def no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of memory would stay with the process that runs the tests."""
    monkeypatch.setattr(decoding_worker, "_limit_memory", lambda _: None)
    monkeypatch.setattr(decoding_worker, "had_much", lambda _: False)


def png(pixels: np.ndarray = GRAY) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def served(*requests: dict[str, Any], data: bytes = b"") -> list[tuple[dict[str, Any], bytes]]:
    asked, answers = io.BytesIO(), io.BytesIO()
    for request in requests:
        send(asked, {"limits": limits_to_message(Limits()), "name": "x", "frame": None, **request}, data=data)
    asked.seek(0)
    decoding_worker.serve(asked, answers)
    answers.seek(0)
    return [receive(answers) for _ in requests]


def test_it_answers_each_request_and_goes_on_after_a_bad_one() -> None:
    shown = {"wanted": "display", "path": None, "window": None}
    good, bad, stored = served(shown, {**shown, "path": "/there/is/none"}, {**shown, "wanted": "stored"}, data=png())
    assert good[1] == stored[1] == GRAY.tobytes()
    assert bad == (
        {"error": "Expected an image file, but x = not there. Check the path.", "kind": "ImageError", "last": False},
        b"",
    )


def test_of_many_files_it_looks_at_as_many_as_its_turn_allows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(png())
    (tmp_path / "b").write_bytes(dicom_bytes(np.zeros((5, 6), np.int16), PixelSpacing=[2, 1]))
    files = [{"path": str(tmp_path / name), "name": name, "frame": None} for name in "ab"]
    ((answer, _),) = served({"wanted": "measure", "files": files})
    assert [(a["sha256"], a["height"], a["width"]) for a in answer["answers"]] == [
        (hashlib.sha256(png()).hexdigest(), 3, 4),
        (hashlib.sha256((tmp_path / "b").read_bytes()).hexdigest(), 10, 6),
    ]
    monkeypatch.setattr(file_content, "KEPT_WHOLE", 10)
    assert served({"wanted": "measure", "files": files})[0][0]["answers"] == answer["answers"]
    monkeypatch.setattr(decoding_worker, "_A_TURN", -1)
    assert served({"wanted": "measure", "files": files})[0][0]["answers"] == answer["answers"][:1]


def test_many_files_are_prepared_each_with_its_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = {"gray": GRAY, "color": np.arange(90, dtype=np.uint8).reshape(5, 6, 3)}
    for name, picture in pictures.items():
        (tmp_path / name).write_bytes(png(picture))
    files = [{"path": str(tmp_path / name), "name": name, "frame": None} for name in ("gray", "none", "color")]
    fitting = Fitting(size=(4, 4), fit="crop", interpolation="bilinear")
    request = {"wanted": "prepare", "files": files, "fitting": fitting.to_message(), "thumbnails": True}
    ((answer, data),) = served(request)
    gray, missing, color = answer["answers"]
    assert missing == {"error": "Expected an image file, but none = not there. Check the path.", "kind": "ImageError"}
    first, second = prepared_from(gray, data[: gray["bytes"]]), prepared_from(color, data[gray["bytes"] :])
    assert len(data) == gray["bytes"] + color["bytes"]
    for made, picture in ((first, GRAY), (second, pictures["color"])):
        assert made.is_fitted
        np.testing.assert_array_equal(made.pixels, fitting(picture))
        assert made.thumbnail == thumbnail_of(picture)
    monkeypatch.setattr(decoding_worker, "_FITTED_HERE", 50)  # the second is too large for copies
    ((answer, data),) = served({**request, "thumbnails": False})
    gray, _, color = answer["answers"]
    assert data[: gray["bytes"]] == first.pixels.tobytes()
    whole = prepared_from(color, data[gray["bytes"] :])
    assert not whole.is_fitted
    np.testing.assert_array_equal(whole.pixels, pictures["color"])


@pytest.mark.parametrize("file", [b"", png()])
def test_after_a_file_that_took_much_memory_the_next_is_not_blamed(
    file: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(file)
    files = [{"path": str(tmp_path / name), "name": name, "frame": None} for name in "ab"]
    monkeypatch.setattr(decoding_worker, "had_much", lambda _: True)
    monkeypatch.setattr(decoding_worker, "_LONG", -1)
    ((answer, _),) = served({"wanted": "measure", "files": files})
    assert len(answer["answers"]) == 1
    assert answer["last"]


WRITTEN = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"],
    "WEBP": ["L", "RGB", "RGBA"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
}


@pytest.mark.parametrize(("image_format", "mode"), [(name, mode) for name, modes in WRITTEN.items() for mode in modes])
def test_what_is_measured_is_the_picture_that_would_be_shown(image_format: str, mode: str) -> None:
    image = Image.fromarray(GRAY.astype(np.uint16)) if mode == "I;16" else Image.fromarray(GRAY).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    file = io.BytesIO()
    image.save(file, image_format, exif=exif, dpi=(200, 100))
    whole = read_file(file.getvalue())
    measured = read_file(file.getvalue(), measured_only=True)
    assert (measured.stored.shape, measured.stored.dtype) == (whole.stored.shape, whole.stored.dtype)
    for field in ("square", "as_is", "format", "remarks", "frames"):
        assert getattr(measured, field) == getattr(whole, field)
    cut = file.getvalue()[: len(file.getvalue()) * 2 // 3]
    with pytest.raises(ImageError):
        read_file(cut, measured_only=True)


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    files = [{"path": str(tmp_path / "huge"), "name": "huge", "frame": None}]
    ((answer, _),) = served({"wanted": "measure", "files": files})
    assert answer["answers"][0]["error"].startswith("Expected at most 536,870,912 bytes")


def test_a_header(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(dicom_bytes(GRAY, SliceThickness="2.5", InstanceNumber="7", Laterality=""))
    keywords = ["Rows", "SliceThickness", "InstanceNumber", "Laterality", "StudyDate"]
    ((answer, _),) = served({"wanted": "header", "path": str(tmp_path / "a"), "keywords": keywords})
    assert answer["elements"] == {"Rows": 3, "SliceThickness": "2.5", "InstanceNumber": "7"}


def test_much_memory_is_said_and_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_worker, "had_much", lambda _: True)
    request = {"wanted": "display", "path": None, "window": None}
    ((answer, _),) = served(request, data=png()[:50])
    assert answer == {
        "error": "Expected an image that decodes within 1,024 MiB of memory, but x = needs more, or is damaged. "
        "Make it smaller.",
        "kind": "ImageTooLargeError",
        "last": True,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the peak may be that of who started the process")
def test_the_peak_is_the_process_s_own() -> None:
    """A server of a gigabyte starts processes that have had a few megabytes."""
    kept = np.ones(300 * 2**20, np.uint8)
    code = "from radcbir_core.images.decoding import decoding_worker; print(decoding_worker.peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert 5 * 2**20 < int(done.stdout) < 200 * 2**20
    assert decoding_worker.peak_memory() > kept.nbytes


def test_it_loads_neither_networks_nor_pages_nor_tables() -> None:
    code = """
import sys, json, io
from radcbir_core.images import Limits
from radcbir_core.images.decoding import decoding_worker
from radcbir_core.images.decoding import file_content
from radcbir_core.images.decoding.image_messages import limits_to_message
request = {"wanted": "display", "path": None, "name": "x", "frame": None, "window": None}
decoding_worker.answer_to({**request, "limits": limits_to_message(Limits())}, sys.stdin.buffer.read())
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    data = dicom_bytes(GRAY)
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, input=data, capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "pydicom" in loaded
    assert not loaded & {"torch", "streamlit", "pandas", "pyarrow", "scipy", "transformers", "rich"}
