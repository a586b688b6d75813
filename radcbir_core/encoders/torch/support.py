"""What every torch-based encoder needs from torch, and nothing about any one of them.

Owns the choice of the device, the repair of a torchvision whose compiled operators cannot load, quiet imports, and the
answer to a device that runs out of memory, or to cores that others need too. torch itself is imported inside the
functions.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from radcbir_core.encoders.base import Float32Array, shown
from radcbir_core.errors import EncoderError, Remedy
from radcbir_core.wording import counted

if TYPE_CHECKING:
    import torch

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
ON_CPU: Final = Remedy("again", options={"device": "cpu"})
_NOISY_LOGGERS = ("huggingface_hub", "transformers", "timm", "open_clip")

# torch's threads wait for each other by spinning, which takes the cores from the threads that decode images (and from
# everybody else): on two busy cores sleeping is four to ten times as quick. OpenMP reads this when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_lock = threading.Lock()
# The declared operators live as long as this object does.
_operator_library: list[torch.library.Library] = []


def resolve_device(name: str) -> str:
    """The device that ``name`` stands for on this machine.

    Args:
        name: ``auto`` (a CUDA GPU where there is one, else Apple's, else the CPU), ``cpu``, ``cuda``, ``cuda:1`` or
            ``mps``.

    Raises:
        EncoderError: ``name`` is none of these, or this machine has no such device.

    Example:
        >>> resolve_device("cpu")
        'cpu'
    """
    if name == "cpu":
        return name
    if name not in {"auto", "mps"} and not re.fullmatch(r"cuda(:\d{1,3})?", name):
        raise EncoderError(f"Expected auto, cpu, cuda, cuda:<number> or mps, but device = '{shown(name)}'. Use auto.")
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    apple = bool(torch.backends.mps.is_available())
    if name == "auto":
        return "cuda" if gpus else "mps" if apple else "cpu"
    if name == "mps":
        if not apple:
            raise EncoderError(f"Expected a device that is here, but device = mps and {_found(gpus)}. Use auto or cpu.")
        return name
    number = int(name.partition(":")[2] or 0)
    if number >= gpus:
        raise EncoderError(f"Expected a device that is here, but device = {name} and {_found(gpus)}. Use auto or cpu.")
    return f"cuda:{number}" if ":" in name else name


def _found(gpus: int) -> str:
    import torch

    return f"torch {torch.__version__} finds {counted(gpus, 'CUDA device')} here"


class _Hush:
    """Counts who wants silence.

    Levels and filters are the whole process's: only the first changes them, and only the last, perhaps in another
    thread, puts them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted = 0
        self._levels: dict[str, int] = {}
        self._filters = warnings.catch_warnings()

    def begin(self) -> None:
        with self._lock:
            self._wanted += 1
            if self._wanted > 1:
                return
            self._levels = {name: logging.getLogger(name).level for name in _NOISY_LOGGERS}
            for name in _NOISY_LOGGERS:
                logging.getLogger(name).setLevel(logging.CRITICAL)
            self._filters = warnings.catch_warnings()
            self._filters.__enter__()
            warnings.simplefilter("ignore")

    def end(self) -> None:
        with self._lock:
            self._wanted -= 1
            if self._wanted:
                return
            for name, level in self._levels.items():
                logging.getLogger(name).setLevel(level)
            self._filters.__exit__(None, None, None)


_hush = _Hush()


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back the warnings and log lines of torch, timm, transformers and the hub's client; errors pass.

    Download progress bars are no log lines and stay.
    """
    _hush.begin()
    try:
        yield
    finally:
        _hush.end()


def import_open_clip() -> Any:
    """The ``open_clip`` module, imported after torchvision was made importable.

    Raises:
        EncoderError: open_clip, or something it needs, is not installed or not importable.
    """
    with quiet():
        prepare_torchvision()
        try:
            import open_clip
        except (ImportError, OSError, RuntimeError) as error:
            raise EncoderError(
                f"Expected open_clip to be importable, but import open_clip = {first_line(error)}. "
                "Install again with pip install -r requirements.txt."
            ) from error
    return open_clip


def prepare_torchvision() -> None:
    """Make ``import torchvision`` work beside a torch build that its compiled operators were not made for.

    A CPU-only torch beside PyPI's CUDA-built torchvision fails at import with "operator torchvision::nms does not
    exist": torchvision shrugs off that its library does not load, then registers shapes for two of its operators all
    the same. Declaring the two is enough; no image encoder calls them. Where the library does load, and where
    torchvision is imported already, nothing is done.
    """
    with _lock:
        if _operator_library or "torchvision" in sys.modules:
            return
        specification = importlib.util.find_spec("torchvision")
        if specification is None or not specification.submodule_search_locations:
            return
        import torch

        libraries = [
            path
            for path in sorted(Path(specification.submodule_search_locations[0]).glob("_C.*"))
            if path.suffix in {".so", ".pyd", ".dll"}
        ]
        for path in libraries:
            try:
                torch.ops.load_library(path)  # type: ignore[no-untyped-call]
            except OSError:
                continue
            return
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for schema in _OPERATORS:
            library.define(schema)  # type: ignore[no-untyped-call]
        _operator_library.append(library)


def encode_shrinking(
    encode: Callable[[torch.Tensor], torch.Tensor],
    inputs: torch.Tensor,
    *,
    batch_size: int,
    device: str,
    half: bool = False,
) -> tuple[Float32Array, int]:
    """Encode ``inputs`` on ``device``, with smaller batches when its memory runs out.

    The batch is halved and tried again until it fits. Batches of another size may change the last bits of a result.

    Args:
        encode: From a batch on ``device`` to its features, (b, D).
        inputs: All inputs, on the CPU; the first axis is cut into batches.
        batch_size: Largest batch to try, at least 1.
        device: As :func:`resolve_device` gives it.
        half: In torch's mixed half precision; see :mod:`radcbir_core.encoders.torch.half_precision`.

    Returns:
        The features, (B, D) float32, not normalized, and the batch size that fitted.

    Raises:
        EncoderError: Not even one input fits.
    """
    import torch

    parts: list[Float32Array] = []
    start = 0
    while start < len(inputs):
        # The part is made inside the call, so that after a failure nothing here still holds the device's memory.
        part = _attempt(encode, inputs[start : start + batch_size], device, half=half)
        if part is not None:
            parts.append(part)
            start += len(part)
            continue
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
        if batch_size == 1:
            raise EncoderError(
                f"Expected room for one input on the device, but device = {device} is out of memory. "
                "Free some of its memory, or use the device cpu.",
                remedy=ON_CPU,
            )
        batch_size = max(1, min(batch_size, len(inputs) - start) // 2)
    return np.concatenate(parts), batch_size


def _attempt(
    encode: Callable[[torch.Tensor], torch.Tensor], batch: torch.Tensor, device: str, *, half: bool
) -> Float32Array | None:
    """The features of one batch, or None where the device's memory did not suffice."""
    import torch

    try:
        with torch.inference_mode(), _exact_float32(device), in_precision(device, half=half):
            # From pinned memory a GPU fetches by itself, without the CPU copying first.
            held = batch.pin_memory() if device.startswith("cuda") else batch
            features: Float32Array = (
                encode(held.to(device, non_blocking=True)).to(device="cpu", dtype=torch.float32).numpy()
            )
            return features
    except torch.OutOfMemoryError:
        return None


@contextmanager
def in_precision(device: str, *, half: bool) -> Iterator[None]:
    """Torch's mixed half precision on ``device``, or single precision."""
    import torch

    with torch.autocast(device.partition(":")[0], dtype=torch.float16, enabled=half):
        yield


@contextmanager
def _exact_float32(device: str) -> Iterator[None]:
    """On CUDA: the same kernels every time, and convolutions in float32 instead of the ten-bit TF32 default."""
    if not device.startswith("cuda"):
        yield
        return
    import torch

    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


def first_line(error: BaseException) -> str:
    r"""The first line of an exception's text, or its kind where it has none.

    Example:
        >>> first_line(ValueError("short\nand long")), first_line(KeyError())
        ('short', 'KeyError')
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shown(lines[0], longest=200) if lines else type(error).__name__
