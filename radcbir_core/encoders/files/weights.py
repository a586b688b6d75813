"""Weights: read without running anything, loaded without exceptions, and summed up in a digest.

Owns the reading of weight files and the strict loading into a torch module. A checkpoint is data: safetensors, or a
torch file read weights-only; nothing is ever unpickled. Knows no encoder family.
"""

from __future__ import annotations

import hashlib
import pickle
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.torch.support import first_line, quiet
from radcbir_core.errors import EncoderError

if TYPE_CHECKING:
    import torch

TORCH_SUFFIXES = (".bin", ".pt", ".pth")
_PREFERRED = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
_torch_lock = threading.Lock()
_ALIGNMENT = 64  # bytes, of what torch allocates on a CPU
_POINTER = b"version https://git-lfs"


def weights_in(folder: Path, *, first: Sequence[str] = ()) -> Path:
    """The weights file of a checkpoint folder: one of the usual names, else the only candidate there is.

    Args:
        folder: Of a checkpoint.
        first: The names that are usual where the folder comes from, before those of open_clip.

    Raises:
        EncoderError: There is none, or several with no usual name, among which a guess would be silent.
    """
    for name in (*first, *_PREFERRED):
        if (folder / name).is_file():
            return folder / name
    files = sorted(path for path in folder.iterdir() if path.is_file())
    for suffixes in ((".safetensors",), TORCH_SUFFIXES):
        candidates = [path for path in files if path.suffix in suffixes]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise EncoderError(
                f"Expected one weights file in {folder}, but it holds {_some([path.name for path in candidates])}. "
                f"Rename the right one to {_PREFERRED[0] if suffixes[0] == '.safetensors' else _PREFERRED[2]}."
            )
    raise EncoderError(
        f"Expected a weights file in {folder}, but it holds none. Put {_PREFERRED[0]} there, from the model's source."
    )


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a weights file, by name, on the CPU; a training checkpoint's ``state_dict`` is unwrapped.

    Raises:
        EncoderError: The file is missing, truncated, no weights file, or needs code to be run to be read.
    """
    import torch

    try:
        with path.open("rb") as handle:
            head = handle.read(len(_POINTER))
        if head == _POINTER:
            raise EncoderError(
                f"Expected weights, but {path} is a Git LFS pointer to them. Run git lfs pull in that folder."
            )
        state: Any = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    except OSError as error:
        raise EncoderError(
            f"Expected a readable weights file, but {path}: {error.strerror or first_line(error)}. "
            "Check that it is there and may be read."
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise EncoderError(
            f"Expected a table of named tensors, but {path} holds something else. "
            "Save the model's state_dict as safetensors."
        )
    # What torch's DataParallel puts before every name.
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): value for name, value in state.items()}
    return dict(state)


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path, device="cpu")
    except SafetensorError as error:
        raise _damaged(path, error) from error
    # Where tensors lie in the file decides where they lie in memory, and that the last bits of sums: in memory of its
    # own each lies as torch would put it, so that the same weights give the same numbers from any kind of file.
    return {name: tensor.clone() if tensor.data_ptr() % _ALIGNMENT else tensor for name, tensor in state.items()}


def _read_torch(path: Path) -> Any:
    import torch

    try:
        # What torch takes for safe is the whole process's, so one thread at a time.
        with _torch_lock, quiet(), torch.serialization.safe_globals(_numpy_scalars()):
            # Said outright, so that no environment variable can turn it off.
            return torch.load(path, map_location="cpu", weights_only=True)
    except (
        pickle.UnpicklingError,
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        AttributeError,
    ) as error:
        text = str(error)
        if "TorchScript" in text or "Unsupported" in text or "GLOBAL" in text:
            raise EncoderError(
                f"Expected weights that load without running code, but {path} needs code to be run. "
                "Get the model as safetensors, from a source that you trust."
            ) from error
        raise _damaged(path, error) from error


def _numpy_scalars() -> list[Any]:
    """What a number of NumPy's in a training checkpoint is made from; torch would refuse the file for it.

    They are numbers and their types, and no code: see torch.serialization.add_safe_globals.
    """
    from numpy._core.multiarray import scalar

    numbers = [type(np.dtype(kind)) for kind in ("?", "i1", "u1", "i2", "i4", "i8", "f2", "f4", "f8")]
    return [scalar, (scalar, "numpy.core.multiarray.scalar"), np.dtype, *numbers]


def _damaged(path: Path, error: Exception) -> EncoderError:
    return EncoderError(
        f"Expected whole weights, but {path} ({path.stat().st_size:,} bytes) is truncated or damaged: "
        f"{first_line(error)}. Delete it and fetch or copy it again."
    )


def load_strictly(module: torch.nn.Module, state: Mapping[str, torch.Tensor], *, path: Path) -> None:
    """Copy ``state`` into ``module``; every tensor of the one must have its place in the other.

    Raises:
        EncoderError: A name is missing or unexpected, or a shape or kind of number differs; names the first few.
    """
    own = module.state_dict()
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    if missing or unexpected:
        raise misfit(path, missing=missing, unexpected=unexpected)
    differing = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if state[name].shape != tensor.shape
    ]
    if differing:
        raise EncoderError(
            f"Expected weights of this architecture's shapes, but {path} has {_some(differing)}. "
            "Use the configuration that belongs to these weights."
        )
    quantised = [name for name, tensor in own.items() if state[name].is_floating_point() != tensor.is_floating_point()]
    if quantised:
        raise _quantised(path, quantised)
    module.load_state_dict(dict(state), strict=True)


def weights_digest(module: torch.nn.Module) -> str:
    """SHA-256, hex, over the names, kinds, shapes and values of a module's weights; see :func:`state_digest`."""
    return state_digest(module.state_dict())


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256, hex, over the names, kinds, shapes and values of tensors.

    It is the same for the same weights whatever file format they came in, and costs about a second a gigabyte.

    Example:
        >>> import torch
        >>> first, second = torch.ones(2), torch.zeros(1)
        >>> state_digest({"a": first, "b": second}) == state_digest({"b": second, "a": first})
        True
    """
    import torch

    total = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        values = tensor.detach().cpu().contiguous()
        raw: Any = values.reshape(-1).view(torch.uint8).numpy()
        total.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        total.update(memoryview(raw))
    return total.hexdigest()


def misfit(path: Path, *, missing: Sequence[str] = (), unexpected: Sequence[str] = ()) -> EncoderError:
    """The error for weights whose names are not exactly an architecture's; names the first few."""
    faults = [
        f"{len(names)} {kind} ({_some(names)})"
        for kind, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    return EncoderError(
        f"Expected the weights of exactly this architecture, but {path} has {' and '.join(faults)}. "
        "Use the configuration that belongs to these weights."
    )


def check_floating(state: Mapping[str, torch.Tensor], *, path: Path, but: Sequence[str] = ()) -> None:
    """Make sure that weights are floating-point numbers.

    Args:
        state: The weights by name.
        path: Their file, for the message.
        but: Last parts of names that are counters and positions, and no weights.

    Raises:
        EncoderError: Some are integers, as quantised weights are.
    """
    quantised = [
        name for name, tensor in state.items() if not tensor.is_floating_point() and name.split(".")[-1] not in but
    ]
    if quantised:
        raise _quantised(path, quantised)


def _quantised(path: Path, names: Sequence[str]) -> EncoderError:
    return EncoderError(
        f"Expected floating-point weights, but {path} has integers for {_some(names)}. "
        "Get the model's weights as they were before quantisation."
    )


def _some(names: Sequence[str]) -> str:
    first = ", ".join(shown(name) for name in names[:3])
    return first if len(names) <= 3 else f"{first}, … ({len(names)} in all)"
