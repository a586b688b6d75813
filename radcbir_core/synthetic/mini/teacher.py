"""What a teacher sees in the training images: features of an image network trained on everyday pictures.

Owns the running of a quantized TensorFlow Lite feature extractor, which is an optional help in training only: the
student imitates these features beside its own task, and so sees more in images than their few labels tell.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.errors import EncoderError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_file, digest_of, write_array
from radcbir_core.synthetic.mini.augment import SIDE, augment
from radcbir_core.synthetic.mini.examples import Examples, is_drawn

_BATCH = 8
_VIEWS_AT_ONCE = 64


VIEWS: Final = (0.0, 0.15, 0.15, 0.3, 0.5, 0.5)
"""Strength of the augmentation of each view of a real image; 0 is the encoder's own preprocessing of the file."""

VIEWS_SEED: Final = 11

APPEARANCE: Final = 64
"""Principal directions of what the teacher sees that the network is asked for."""

_OF_KIND = 0.5
"""Share of a kind's mean that is removed from appearances: what all images of a kind have in common says less."""


@dataclass(frozen=True)
class Taught:
    """What the teacher sees, in N examples and in V views of the real ones that are trained on.

    Attributes:
        features: (N, T) float16, mean removed, norm 1; rows of zeros where the teacher says nothing.
        details: (N, T) float16: the same with the mean of the images of the same kind removed.
        appearances: (N, A) float16: the same with half of that mean removed, in their principal directions, norm 1.
        pixels: (V, 128, 128) uint8: the views, as the network sees them.
        first_view: (N,) int64: the first of an example's ``views`` views; -1 where it has none.
        views: How many an example has.
        view_features: (V, T) float16.
        view_details: (V, T) float16.
        view_appearances: (V, A) float16.
    """

    features: npt.NDArray[np.float16]
    details: npt.NDArray[np.float16]
    appearances: npt.NDArray[np.float16]
    pixels: npt.NDArray[np.uint8]
    first_view: npt.NDArray[np.int64]
    views: int
    view_features: npt.NDArray[np.float16]
    view_details: npt.NDArray[np.float16]
    view_appearances: npt.NDArray[np.float16]

    def views_of(self, rows: npt.NDArray[np.int64], generator: np.random.Generator) -> npt.NDArray[np.int64]:
        """A view of each example, -1 where there is none."""
        chosen = self.first_view[rows] + generator.integers(max(1, self.views), size=len(rows))
        return np.where(self.first_view[rows] >= 0, chosen, -1)


def teach(examples: Examples, model: Path, *, cache: Path, progress: Progress = silent) -> Taught:
    """Let the teacher see all examples, and views of the real ones that are trained on; from the cache where there.

    Args:
        examples: The images.
        model: A ``.tflite`` file: uint8 (1, side, side, 3) in, one uint8 vector out.
        cache: A folder.
        progress: Told how many images are done.

    Raises:
        EncoderError: The package ``ai-edge-litert`` is not installed, or the file is no such model.
        StorageError: The cache cannot be written.
    """
    kinds = np.array(
        [f"{is_drawn(examples, row)} {examples.modality[row]}/{examples.anatomy[row]}" for row in range(len(examples))]
    )
    trained = ~examples.validation
    seen = _seen(examples.pixels, examples.extents, model, cache=cache, progress=progress)
    shown = np.flatnonzero(trained & np.array([not is_drawn(examples, row) for row in range(len(examples))]))
    pixels = _views(examples, shown)
    extents = np.full((len(pixels), 2), SIDE, dtype=np.int16)
    seen_in_views = _seen(pixels, extents, model, cache=cache, progress=progress)
    first_view = np.full(len(examples), -1, dtype=np.int64)
    first_view[shown] = np.arange(len(shown)) * len(VIEWS)
    of_views = np.repeat(kinds[shown], len(VIEWS))
    appearances, view_appearances = _appearances(seen, kinds, trained, (seen, kinds), (seen_in_views, of_views))
    return Taught(
        features=_unit(seen, np.zeros(len(seen), dtype=np.int64), trained),
        details=_unit(seen, kinds, trained),
        appearances=appearances,
        pixels=pixels,
        first_view=first_view,
        views=len(VIEWS),
        view_features=_unit(seen_in_views, np.zeros(len(of_views), dtype=np.int64), np.ones(len(of_views), dtype=bool)),
        view_details=_unit(seen_in_views, of_views, np.ones(len(of_views), dtype=bool)),
        view_appearances=view_appearances,
    )


def _views(examples: Examples, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """(R * views, 128, 128) uint8: each example's views, one after the other."""
    import torch

    pixels = np.empty((len(rows), len(VIEWS), SIDE, SIDE), dtype=np.uint8)
    for place, strength in enumerate(VIEWS):
        if not strength:
            pixels[:, place] = examples.prepared[rows]
            continue
        for start in range(0, len(rows), _VIEWS_AT_ONCE):
            some = rows[start : start + _VIEWS_AT_ONCE]
            generator = torch.Generator().manual_seed(VIEWS_SEED + 1_000_003 * place + start)
            images = augment(
                torch.from_numpy(examples.pixels[some]),
                torch.from_numpy(examples.extents[some].astype(np.int64)),
                generator,
                strength=strength,
            )
            pixels[start : start + _VIEWS_AT_ONCE, place] = (images * 255).round().to(torch.uint8).numpy()
    return pixels.reshape(-1, SIDE, SIDE)


def _seen(
    pixels: npt.NDArray[np.uint8],
    extents: npt.NDArray[np.int16],
    model: Path,
    *,
    cache: Path,
    progress: Progress,
) -> npt.NDArray[np.float16]:
    """(N, T) float16, as the teacher gives them; from the cache where there."""
    key = digest_of(
        digest_file(model), hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest(), extents.tobytes()
    )
    path = cache / f"teacher-{key[:16]}.npy"
    if not path.is_file():
        seen = _run(pixels, extents, model, progress).astype(np.float16)
        write_array(path, [seen], shape=seen.shape, dtype=np.float16)
    loaded: npt.NDArray[np.float16] = np.load(path)
    return loaded


def _run(
    pixels: npt.NDArray[np.uint8], extents: npt.NDArray[np.int16], model: Path, progress: Progress
) -> npt.NDArray[np.float32]:
    interpreter = _interpreter(model)
    input_tensor, output_tensor = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _, height, width, _ = input_tensor["shape"]
    interpreter.resize_tensor_input(input_tensor["index"], [_BATCH, height, width, 3])
    interpreter.allocate_tensors()
    scale, zero = output_tensor["quantization"]
    features = []
    for start in range(0, len(pixels), _BATCH):
        rows = range(start, min(start + _BATCH, len(pixels)))
        batch = np.zeros((_BATCH, height, width, 3), dtype=np.uint8)
        for place, row in enumerate(rows):
            down, across = extents[row]
            image = Image.fromarray(pixels[row, :down, :across]).resize((width, height), Image.Resampling.BILINEAR)
            batch[place] = np.asarray(image)[:, :, None]
        interpreter.set_tensor(input_tensor["index"], batch)
        interpreter.invoke()
        outputs = interpreter.get_tensor(output_tensor["index"]).reshape(_BATCH, -1)[: len(rows)]
        features.append((outputs.astype(np.float32) - zero) * scale)
        if start % (32 * _BATCH) == 0:
            progress("teacher", start, len(pixels))
    progress("teacher", len(pixels), len(pixels))
    return np.concatenate(features)


def _unit(
    features: npt.NDArray[np.float16], groups: npt.NDArray[Any], measured: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float16]:
    """With the mean of each group's measured rows removed, and of norm 1."""
    unit = np.zeros(features.shape, dtype=np.float16)
    for group in np.unique(groups):
        rows = groups == group
        if not (rows & measured).any():
            continue  # nothing is known of such images; none of them is trained on
        part = features[rows].astype(np.float32)
        unit[rows] = _of_norm_1(part - features[rows & measured].mean(axis=0, dtype=np.float32))
    return unit


def _appearances(
    features: npt.NDArray[np.float16],
    kinds: npt.NDArray[Any],
    measured: npt.NDArray[np.bool_],
    *told: tuple[npt.NDArray[np.float16], npt.NDArray[Any]],
) -> list[npt.NDArray[np.float16]]:
    """Features and their kinds as (., A) appearances; means and directions are those of the measured rows."""
    mean = features[measured].mean(axis=0, dtype=np.float32)
    means = {
        kind: features[measured & (kinds == kind)].mean(axis=0, dtype=np.float32) for kind in np.unique(kinds[measured])
    }

    def centered(seen: npt.NDArray[np.float16], of: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        shifts = np.stack([mean + _OF_KIND * (means.get(kind, mean) - mean) for kind in of])
        return _of_norm_1(seen.astype(np.float32) - shifts)

    rows = centered(features[measured], kinds[measured])
    principal = np.linalg.eigh(rows.T @ rows)[1][:, ::-1][:, :APPEARANCE]
    # A teacher with fewer features has fewer directions.
    directions = np.pad(principal, ((0, 0), (0, APPEARANCE - principal.shape[1])))
    return [_of_norm_1(centered(seen, of) @ directions).astype(np.float16) for seen, of in told]


def _of_norm_1(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), dtype=np.float32)


def _interpreter(model: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise EncoderError(
            "Expected the package ai-edge-litert for a teacher, but it is not installed. Run pip install "
            "ai-edge-litert, or train without a teacher."
        ) from error
    try:
        return Interpreter(str(model), num_threads=2)
    except (ValueError, RuntimeError) as error:
        raise EncoderError(
            f"Expected a TensorFlow Lite model, but {model} is none: {str(error).splitlines()[0]}. Check the path."
        ) from error
