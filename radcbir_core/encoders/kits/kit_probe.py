"""The probe: fixed images and texts, the embeddings they once gave, and whether they still do.

Owns the inputs, the form in which they and their embeddings lie in a kit, and the comparison. Another preprocessing,
other weights or another library give embeddings that look like any others; only numbers to compare with give them away.
It must know no encoder family.
"""

from __future__ import annotations

import importlib.metadata
import io
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.encoders.base import Encoder, Float32Array, shown
from radcbir_core.encoders.kits.kit_json import PROBE_FOLDER, Kit
from radcbir_core.errors import EncoderError, ImageError
from radcbir_core.images import read_stored

LEAST_COSINE: Final = 0.999
"""Between an embedding of the kit and the same one computed here. Devices, batch sizes and versions of torch change
the last bits of single precision, which leaves more than 0.99999."""
MOST_DIFFERENCE: Final = 0.02
"""Mean absolute difference of two prepared inputs, in the encoder's normalized units. One gray level is 0.004 of the
range before it is divided by the standard deviation, of about 0.25: 0.016."""
TEXTS: Final = ("chest radiograph with pleural effusion", "CT of the head without finding")

_SAMPLES = 32
"""Rows and columns of a prepared input that are kept: enough to notice a shift, a flip or another resizing."""
_LARGE_INPUT = 400 * 400
_LARGE_WEIGHTS = 100 * 10**6
_PACKAGES = ("torch", "open_clip_torch", "timm", "transformers", "tokenizers", "pillow", "numpy")
_IMAGE_EMBEDDINGS = f"{PROBE_FOLDER}image_embeddings.npy"
_TEXT_EMBEDDINGS = f"{PROBE_FOLDER}text_embeddings.npy"
_PREPARED = f"{PROBE_FOLDER}prepared.npy"


def probe_images() -> list[npt.NDArray[np.uint8]]:
    """Six images that try all of the preprocessing, the first one most: wide and tall, gray and color, large and small.

    Made by integer arithmetic alone, so that they are the same with every version of every library.

    Returns:
        (H, W) or (H, W, 3) uint8 each.

    Example:
        >>> [image.shape for image in probe_images()]
        [(260, 390, 3), (384, 256), (96, 160), (240, 80, 3), (64, 64), (300, 300, 3)]
    """
    return [
        _colored(260, 390),
        _disc(*_grid(384, 256), level=210) + _ramp(*_grid(384, 256), down=1, across=2) // 8,
        _checked(*_grid(96, 160), side=3),
        np.stack([_ramp(*_grid(240, 80), down=down, across=across) for down, across in ((1, 0), (0, 3), (1, 1))], -1),
        _disc(*_grid(64, 64), level=255),
        np.stack([_checked(*_grid(300, 300), side=side) for side in (5, 8, 13)], axis=-1),
    ]


def _grid(height: int, width: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each pixel's row and column, (height, width) each."""
    rows, columns = np.indices((height, width), dtype=np.int64)
    return rows, columns


def _as_pixels(levels: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    return np.asarray(levels, dtype=np.uint8)


def _ramp(
    rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], *, down: int, across: int
) -> npt.NDArray[np.uint8]:
    """A gradient that begins again at black when it has reached white."""
    return _as_pixels((rows * down + columns * across) % 256)


def _disc(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], *, level: int) -> npt.NDArray[np.uint8]:
    """A disc a little above and left of the middle, brightest in its own middle."""
    height, width = rows.shape
    radius = min(height, width) * 3 // 8
    distance = (rows - height * 2 // 5) ** 2 + (columns - width * 3 // 7) ** 2
    return _as_pixels(level * np.maximum(radius**2 - distance, 0) // radius**2)


def _checked(rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], *, side: int) -> npt.NDArray[np.uint8]:
    """A checkerboard, darker to the right: what is fine shows how it was resized."""
    light = (rows // side + columns // side) % 2
    return _as_pixels(40 + light * (200 - 150 * columns // columns.shape[1]))


def _colored(height: int, width: int) -> npt.NDArray[np.uint8]:
    grid = _grid(height, width)
    return np.stack([_disc(*grid, level=240), _ramp(*grid, down=1, across=1), _checked(*grid, side=4)], axis=-1)


def images_to_encode(*, input_size: tuple[int, int], weights_bytes: int) -> int:
    """How many of the images are encoded whenever a kit is loaded; all of them are prepared, which costs little.

    Args:
        input_size: Height and width of the encoder's input, pixels.
        weights_bytes: Size of its weights.

    Example:
        >>> images_to_encode(input_size=(128, 128), weights_bytes=20_000_000)
        6
        >>> images_to_encode(input_size=(224, 224), weights_bytes=780_000_000)
        2
        >>> images_to_encode(input_size=(1024, 1024), weights_bytes=360_000_000)
        1
    """
    if input_size[0] * input_size[1] > _LARGE_INPUT:
        return 1  # seconds an image without a GPU
    return 2 if weights_bytes > _LARGE_WEIGHTS else len(probe_images())


def make_probe(encoder: Encoder, *, encoded: int) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The probe of an encoder: what goes into its kit.

    Args:
        encoder: With the preprocessing it was published with.
        encoded: How many of the images are encoded; see :func:`images_to_encode`.

    Returns:
        The files, by their names in the kit, and what ``kit.json`` says of them.

    Raises:
        EncoderError: The encoder cannot encode one of the inputs.
    """
    images = probe_images()
    texts = list(TEXTS) if encoder.supports_text else []
    names = [f"{PROBE_FOLDER}image-{number}.png" for number in range(1, len(images) + 1)]
    prepared = np.stack([encoder.prepare(image) for image in images])
    embeddings = encoder.encode_prepared(prepared[:encoded])
    files = {name: _png(image) for name, image in zip(names, images, strict=True)}
    files[_PREPARED] = _npy(_sampled(prepared))
    files[_IMAGE_EMBEDDINGS] = _npy(embeddings)
    if texts:
        files[_TEXT_EMBEDDINGS] = _npy(encoder.encode_texts(texts))
    record = {
        "images": names,
        "prepared": _PREPARED,
        "encoded": encoded,
        "embeddings": _IMAGE_EMBEDDINGS,
        "texts": texts,
        "text_embeddings": _TEXT_EMBEDDINGS if texts else None,
        "device": encoder.device,
    }
    return files, record


def check_probe(encoder: Encoder, kit: Kit) -> None:
    """Make sure that ``encoder`` gives what the probe of ``kit`` holds; a kit without a probe passes.

    Args:
        encoder: Loaded from the kit's files, with the preprocessing it was published with.
        kit: Checked against its files.

    Raises:
        EncoderError: An input is prepared otherwise, or an embedding differs, or the probe's files are no probe; says
            which, by how much, and what that means.
    """
    if kit.probe is None:
        return
    names, texts = _listed(kit, "images"), _listed(kit, "texts")
    if not names:
        raise _no_probe(kit, "images", "is empty")
    prepared = np.stack([encoder.prepare(_read_png(kit, name)) for name in names])
    _compare_prepared(prepared, encoder, kit, names)
    encoded = kit.probe.get("encoded", len(names))
    if type(encoded) is not int or not 1 <= encoded <= len(names):
        raise _no_probe(kit, "encoded", f"is {shown(repr(encoded))}")
    expected = _read_npy(kit, "embeddings", rows=encoded)
    embeddings = encoder.encode_prepared(prepared[:encoded])
    _compare(embeddings, expected, encoder, kit, [Path(name).name for name in names[:encoded]])
    if not texts:
        return
    if not encoder.supports_text:
        raise EncoderError(
            f"Expected an encoder with a text tower, as when the kit was made, but {encoder.encoder_id} has none here. "
            f"{_what_to_do(kit)}"
        )
    expected = _read_npy(kit, "text_embeddings", rows=len(texts))
    _compare(encoder.encode_texts(texts), expected, encoder, kit, [f"text '{shown(text)}'" for text in texts])


def versions() -> dict[str, str]:
    """What decides the last bits of an embedding here, for a kit's record.

    Example:
        >>> sorted(versions())[:3]
        ['numpy', 'open_clip_torch', 'pillow']
    """
    installed = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return installed


def _compare_prepared(prepared: Float32Array, encoder: Encoder, kit: Kit, names: Sequence[str]) -> None:
    expected = _read_npy(kit, "prepared", rows=len(names))
    samples = _sampled(prepared)
    if samples.shape != expected.shape:
        raise EncoderError(
            f"Expected inputs prepared as when the kit was made, but their samples have shape {samples.shape[1:]} "
            f"instead of {expected.shape[1:]}.{_recorded(encoder, kit)} {_what_to_do(kit)}"
        )
    differences = np.abs(samples - expected).reshape(len(names), -1).mean(axis=1)
    worst = int(np.argmax(differences))
    # Written so that a NaN, which compares as false with everything, is refused too.
    if not differences.max() <= MOST_DIFFERENCE:
        raise EncoderError(
            f"Expected inputs prepared as when the kit was made, but {Path(names[worst]).name} of the probe differs by "
            f"{differences[worst]:.3f} on average (at most {MOST_DIFFERENCE}): it is the preprocessing that differs."
            f"{_recorded(encoder, kit)} {_what_to_do(kit)}"
        )


def _recorded(encoder: Encoder, kit: Kit) -> str:
    """Which settings of the preprocessing are not those that the kit records, if any."""
    recorded = kit.record.get("preprocessing")
    if not isinstance(recorded, Mapping):
        return ""
    current = encoder.preprocessing.as_dict()
    differing = [
        f"{key} = {current[key]!r} instead of {recorded[key]!r}"
        for key in current
        if key in recorded and current[key] != recorded[key]
    ]
    return f" The kit was made with other settings: {shown('; '.join(differing), longest=300)}." if differing else ""


def _compare(
    embeddings: Float32Array, expected: Float32Array, encoder: Encoder, kit: Kit, names: Sequence[str]
) -> None:
    if embeddings.shape != expected.shape:
        raise EncoderError(
            f"Expected embeddings of {expected.shape[1]} numbers, as when the kit was made, but {encoder.encoder_id} "
            f"gives {embeddings.shape[1]} here. {_what_to_do(kit)}"
        )
    cosines = _cosines(embeddings, expected)
    worst = int(np.argmin(np.nan_to_num(cosines, nan=-2)))
    if not cosines.min() >= LEAST_COSINE:
        raise EncoderError(
            f"Expected the embeddings that the kit was made with, but that of {names[worst]} of the probe has cosine "
            f"{cosines[worst]:.4f} with it (at least {LEAST_COSINE}): the weights, "
            f"{'the tokenizer' if names[worst].startswith('text ') else 'the recipe'} or a library differ. "
            f"{_what_to_do(kit)}"
        )


def _cosines(embeddings: Float32Array, expected: Float32Array) -> npt.NDArray[np.float64]:
    """Of each pair of rows; two rows of zeros agree, as both say that there is no embedding."""
    first, second = embeddings.astype(np.float64), expected.astype(np.float64)
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    both_zero = ~first.any(axis=1) & ~second.any(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(both_zero, 1.0, (first * second).sum(axis=1) / np.where(norms > 0, norms, np.inf))


def _what_to_do(kit: Kit) -> str:
    """Which versions made the kit, where they are not those of here, and what there is to do about it."""
    made_with, installed = kit.record.get("versions"), versions()
    differing = []
    if isinstance(made_with, Mapping):
        differing = [
            f"{shown(str(name))} {shown(str(version))}, here {installed.get(name, 'none')}"
            for name, version in made_with.items()
            if installed.get(name) != version
        ]
    if not differing:
        return kit.restore
    return f"It was made with {'; '.join(differing)}. Install these versions, or make the kit again."


def _listed(kit: Kit, key: str) -> list[str]:
    """A list of texts of the probe's record; names of files are only taken from among the checked ones."""
    value = (kit.probe or {}).get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise _no_probe(kit, key, f"is {shown(repr(value))}")
    if key == "images" and not set(value) <= set(kit.files):
        raise _no_probe(kit, key, "names a file that the kit does not list")
    return value


def _read_npy(kit: Kit, key: str, *, rows: int) -> Float32Array:
    name = (kit.probe or {}).get(key)
    if not isinstance(name, str) or name not in kit.files:
        raise _no_probe(kit, key, "names no file that the kit lists")
    try:
        array: Any = np.load(kit.folder / name, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _no_probe(kit, name, "cannot be read") from error
    shaped = isinstance(array, np.ndarray) and array.dtype == np.float32 and array.ndim >= 2 and len(array) == rows
    if not shaped or (key != "prepared" and array.ndim != 2) or not np.isfinite(array).all():
        raise _no_probe(kit, name, f"holds no {rows} rows of finite float32 numbers")
    return np.asarray(array)


def _read_png(kit: Kit, name: str) -> npt.NDArray[np.uint8]:
    try:
        image = read_stored(kit.folder / name)
    except ImageError as error:
        raise _no_probe(kit, name, "is no readable PNG") from error
    if image.format != "PNG" or image.stored.dtype != np.uint8:
        raise _no_probe(kit, name, "is no PNG of eight bits")
    return image.stored


def _no_probe(kit: Kit, name: str, reason: str) -> EncoderError:
    return EncoderError(f"Expected the probe of a kit, but {name} in {kit.folder} {reason}. {kit.restore}")


def _sampled(prepared: Float32Array) -> Float32Array:
    """Evenly spaced rows and columns of prepared inputs, (B, …, up to 32, up to 32)."""
    height, width = prepared.shape[-2:]
    rows, columns = ((np.arange(n) * size) // n for size, n in ((s, min(s, _SAMPLES)) for s in (height, width)))
    return np.ascontiguousarray(prepared[..., rows[:, None], columns[None, :]], dtype=np.float32)


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    return _written(lambda buffer: Image.fromarray(image).save(buffer, format="PNG", optimize=True))


def _npy(array: Float32Array) -> bytes:
    return _written(lambda buffer: np.save(buffer, array.astype(np.float32), allow_pickle=False))


def _written(write: Callable[[io.BytesIO], None]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()
