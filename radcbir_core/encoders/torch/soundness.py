"""Weights that have every name and shape, and still cannot be right.

Owns what counts as such: numbers that are none, variances below zero, and batch norms whose statistics are not those of
what they are given. A norm divides by the spread that it saw in training; where that is far too small, it multiplies,
the next one does so again, and the embedding tells nothing of the image. It knows no family, and loads nothing.

A variance of 0 is no fault by itself. Published networks for phones have hundreds of channels that died in training:
their variance is 0 or 1e-30 and they multiply by 500, but what they multiply is 0, whatever the image. So what each
channel is given is measured, on images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.kits.kit_probe import probe_images
from radcbir_core.errors import EncoderError

if TYPE_CHECKING:
    import torch

FAR: Final = 30.0
"""How far from its mean, in deviations and over one image, what a channel is given may lie. 1 is usual; three published
networks with hundreds of dead channels reach 15 on the pictures; where norms go astray, real images reach hundreds."""

MAGNIFIED: Final = 10.0
"""Channels count that a norm multiplies by so much, or more: the others lie far off where their inputs do."""

KNOWN_FAULTS: Final[Mapping[str, str]] = {
    "9f31d133bbb47e4a5eb3fff9750ec9426224379ef189586c2a06f3cc0291c80d": (
        "its norms go astray on about 2 of 100 images, nearly all of them MRI of a normal brain: what it says of these "
        "tells little. New weights will come with a later version"
    )
}
"""Weights, by their digest, that are used although they are not sound, and what is wrong with them."""

_WORD: Final = "Fetch or copy the weights again, or choose another encoder."


@dataclass(frozen=True)
class Astray:
    """What batch norms were given, image by image.

    Attributes:
        furthest: (N,) float64: over all channels that norms multiply by :data:`MAGNIFIED` or more, how far what a
            channel was given lies from its mean.
        norms: N names of the norms where that was.
    """

    furthest: npt.NDArray[np.float64]
    norms: list[str]


def check_numbers(model: torch.nn.Module, *, encoder_id: str) -> None:
    """Make sure that weights are numbers, and variances at least 0.

    Args:
        model: With its weights. Buffers other than the statistics of norms may hold infinities, as masks do.
        encoder_id: For the message.

    Raises:
        EncoderError: They are not; names the first.
    """
    for name, tensor in model.named_parameters():
        _check_finite(name, tensor, encoder_id=encoder_id)
    for place, norm in _norms(model).items():
        for part in ("running_mean", "running_var"):
            _check_finite(f"{place}.{part}", getattr(norm, part), encoder_id=encoder_id)
        if bool((norm.running_var < 0).any()):
            raise EncoderError(
                f"Expected variances of at least 0, but {shown(place)}.running_var of {encoder_id} goes down to "
                f"{float(norm.running_var.min()):.3g}. {_WORD}"
            )


def _check_finite(name: str, tensor: torch.Tensor, *, encoder_id: str) -> None:
    if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
        raise EncoderError(
            f"Expected weights that are finite numbers, but {shown(name)} of {encoder_id} has "
            f"{int((~tensor.isfinite()).sum())} of {tensor.numel()} that are not. {_WORD}"
        )


def has_norms(model: torch.nn.Module) -> bool:
    """Whether there is a batch norm whose statistics were ever estimated."""
    return any(_estimated(norm) for norm in _norms(model).values())


def check_astray(astray: Astray, *, encoder_id: str, share: float = 0.0) -> None:
    """Make sure that norms were given what they have the statistics of.

    Args:
        astray: As :func:`watched` found it.
        encoder_id: For the message.
        share: Of the images, that may lie further than :data:`FAR`.

    Raises:
        EncoderError: They were not.
    """
    count, images = int((astray.furthest > FAR).sum()), len(astray.furthest)
    if count > share * images:
        worst = int(astray.furthest.argmax())
        raise EncoderError(
            f"Expected batch norms with the statistics of what they are given, but in {encoder_id} "
            f"{shown(astray.norms[worst])} is given {astray.furthest[worst]:.0f} deviations from its mean (at most "
            f"{FAR:.0f}), in {count} of {images} images too much: such weights magnify noise. {_WORD}"
        )


@contextmanager
def watched(model: torch.nn.Module) -> Iterator[list[Astray]]:
    """While this lasts, what the model's batch norms are given is measured.

    Yields:
        A list to which one :class:`Astray`, of all images that were encoded meanwhile, is added on leaving.

    Example:
        >>> import torch
        >>> norm = torch.nn.BatchNorm1d(1).eval()
        >>> norm.running_var.fill_(0.0025), norm.running_mean.fill_(1.0)
        (tensor([0.0025]), tensor([1.]))
        >>> with watched(norm) as found:
        ...     _ = norm(torch.tensor([[1.0], [1.1]]))
        >>> found[0].furthest.round(2).tolist()
        [0.0, 2.0]
    """
    seen: dict[str, list[npt.NDArray[np.float64]]] = {}
    hooks = []
    for place, norm in _norms(model).items():
        if _estimated(norm):
            hook = _measuring(seen.setdefault(place or type(norm).__name__, []))
            hooks.append(norm.register_forward_hook(hook))
    found: list[Astray] = []
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
    by_norm = {place: np.concatenate(parts) for place, parts in seen.items() if parts}
    places = list(by_norm)
    # A norm that is used several times an image, or of another part than the images', tells nothing of one image.
    images = max((len(values) for values in by_norm.values()), default=0)
    table = np.stack([_of_images(by_norm[place], images) for place in places]) if places else np.zeros((0, images))
    worst = table.argmax(axis=0) if places else np.zeros(0, dtype=np.int64)
    found.append(Astray(table.max(axis=0, initial=0), [places[place] for place in worst.tolist()]))


def _of_images(values: npt.NDArray[np.float64], images: int) -> npt.NDArray[np.float64]:
    return values if len(values) == images else np.full(images, values.max(initial=0))


def _measuring(seen: list[npt.NDArray[np.float64]]) -> Any:
    import torch

    def measure(norm: Any, inputs: tuple[torch.Tensor, ...], _: Any) -> None:
        given = inputs[0].detach().double()
        shape = (1, -1, *[1] * (given.ndim - 2))
        deviation = (norm.running_var.double() + norm.eps).sqrt()
        apart = (given - norm.running_mean.double().reshape(shape)) / deviation.reshape(shape)
        each = apart.square().flatten(2).mean(dim=2).sqrt() if given.ndim > 2 else apart.abs()
        # What is no number is as far away as can be.
        each = torch.nan_to_num(each, nan=torch.inf, posinf=torch.inf)
        weight = getattr(norm, "weight", None)
        magnified = (1 if weight is None else weight.detach().double().abs()) / deviation
        furthest = torch.where(magnified >= MAGNIFIED, each, 0.0).amax(dim=1)
        seen.append(np.nan_to_num(furthest.cpu().numpy(), posinf=1e300))

    return measure


def _norms(model: torch.nn.Module) -> dict[str, Any]:
    """The batch norms that have statistics, by name: torch's own, and those of libraries that work as these do."""
    return {
        name: module
        for name, module in model.named_modules()
        if getattr(module, "running_var", None) is not None and getattr(module, "running_mean", None) is not None
    }


def _estimated(norm: Any) -> bool:
    """Whether the statistics are not those that every norm begins with: random weights are no weights yet."""
    return bool((norm.running_mean != 0).any() or (norm.running_var != 1).any())


def images_to_look_at() -> list[npt.NDArray[np.uint8]]:
    """The probe's images, and six that are drawn like slices of a head: what is dead on ramps may live on anatomy.

    Returns:
        (H, W) or (H, W, 3) uint8 each.

    Example:
        >>> len(images_to_look_at())
        12
    """
    heads = [
        _head(brain=brain, ventricles=ventricles, across=across)
        for brain, ventricles in ((90, 15), (165, 60), (110, 230))
        for across in (75, 95)
    ]
    return [*probe_images(), *heads]


def _head(*, brain: int, ventricles: int, across: int) -> npt.NDArray[np.uint8]:
    """A bright rim, a dark gap, a brain with folds, and two ventricles, (224, 224), by integer arithmetic alone."""
    rows, columns = np.indices((224, 224), dtype=np.int64)

    def inside(half_height: int, half_width: int, *, row: int = 112, column: int = 112) -> npt.NDArray[np.bool_]:
        down, right = (rows - row) * half_width, (columns - column) * half_height
        return np.asarray(down**2 + right**2 <= (half_height * half_width) ** 2)

    levels = np.zeros((224, 224), dtype=np.int64)
    levels[inside(105, across)] = 240
    levels[inside(99, across - 6)] = 20
    within = inside(95, across - 10)
    levels[within] = brain + ((rows * 5 + columns * 3) // 11 % 4 * 8)[within]
    levels[within & ((rows + columns**2 // 97) // 9 % 3 == 0)] -= brain // 3
    for side in (-14, 14):
        levels[inside(34, 9, row=108, column=112 + side)] = ventricles
    return levels.clip(0, 255).astype(np.uint8)
