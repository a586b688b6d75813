"""What a teacher sees in the training images: features of an image network trained on everyday pictures.

Owns the running of a quantized TensorFlow Lite feature extractor, which is an optional help in training only: the
student imitates these features beside its own task, and so sees more in images than their few labels tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from radcbir_core.errors import EncoderError
from radcbir_core.mini.examples import Examples
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_file, digest_of, write_array

_BATCH = 8


def teacher_features(
    examples: Examples, model: Path, *, cache: Path, progress: Progress = silent
) -> npt.NDArray[np.float16]:
    """Features of all examples, (N, T) float16, mean over the examples removed, norm 1; from the cache where there.

    Args:
        examples: The images.
        model: A ``.tflite`` file: uint8 (1, side, side, 3) in, one uint8 vector out.
        cache: A folder.
        progress: Told how many images are done.

    Raises:
        EncoderError: The package ``ai-edge-litert`` is not installed, or the file is no such model.
        StorageError: The cache cannot be written.
    """
    key = digest_of(digest_file(model), *examples.image_ids, examples.pixels[:: max(1, len(examples) // 64)].tobytes())
    path = cache / f"teacher-{key[:16]}.npy"
    if not path.is_file():
        features = _unit(_run(examples, model, progress))
        write_array(path, [features], shape=features.shape, dtype=np.float16)
    loaded: npt.NDArray[np.float16] = np.load(path)
    return loaded


def _run(examples: Examples, model: Path, progress: Progress) -> npt.NDArray[np.float32]:
    interpreter = _interpreter(model)
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _, height, width, _ = taken["shape"]
    interpreter.resize_tensor_input(taken["index"], [_BATCH, height, width, 3])
    interpreter.allocate_tensors()
    scale, zero = given["quantization"]
    features = []
    for start in range(0, len(examples), _BATCH):
        rows = range(start, min(start + _BATCH, len(examples)))
        batch = np.zeros((_BATCH, height, width, 3), dtype=np.uint8)
        for place, row in enumerate(rows):
            down, across = examples.extents[row]
            image = Image.fromarray(examples.pixels[row, :down, :across]).resize(
                (width, height), Image.Resampling.BILINEAR
            )
            batch[place] = np.asarray(image)[:, :, None]
        interpreter.set_tensor(taken["index"], batch)
        interpreter.invoke()
        found = interpreter.get_tensor(given["index"]).reshape(_BATCH, -1)[: len(rows)]
        features.append((found.astype(np.float32) - zero) * scale)
        if start % (32 * _BATCH) == 0:
            progress("teacher", start, len(examples))
    progress("teacher", len(examples), len(examples))
    return np.concatenate(features)


def _unit(features: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    centered = features - features.mean(axis=0, keepdims=True)
    unit = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-6)
    return np.asarray(unit, dtype=np.float16)


def _interpreter(model: Path) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise EncoderError(
            "Expected the package ai-edge-litert for --teacher, but it is not installed. Run pip install "
            "ai-edge-litert, or train without --teacher."
        ) from error
    try:
        return Interpreter(str(model), num_threads=2)
    except (ValueError, RuntimeError) as error:
        raise EncoderError(
            f"Expected a TensorFlow Lite model, but {model} is none: {str(error).splitlines()[0]}. Check the path."
        ) from error
