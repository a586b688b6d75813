"""What a ``preprocessor_config.json`` says, as a :class:`~radcbir_core.encoders.base.Preprocessing`.

Owns the reading of transformers' image processors, whose defaults are the library's own classes', and the refusal of
what our transform does not do. It computes nothing: :mod:`~radcbir_core.encoders.transform` does, in the steps of the
library's processors on Pillow (resize, crop, scale, normalize, pad).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from radcbir_core.encoders.base import Preprocessing, shown, with_credible_normalization
from radcbir_core.encoders.torch.support import first_line, prepare_torchvision, quiet
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import Fit

NAMES = ("preprocessor_config.json", "processor_config.json")
"""Where the preprocessing is written; the second has it under ``image_processor``."""

# Which processor a model type has where its files do not say; transformers has the same table.
_OF_TYPE = {
    "clip": "CLIPImageProcessor",
    "convnext": "ConvNextImageProcessor",
    "convnextv2": "ConvNextImageProcessor",
    "dinov2": "BitImageProcessor",
    "dinov2_with_registers": "BitImageProcessor",
    "dinov3_convnext": "DINOv3ViTImageProcessor",
    "dinov3_vit": "DINOv3ViTImageProcessor",
    "resnet": "ConvNextImageProcessor",
    "sam": "SamImageProcessor",
    "siglip": "SiglipImageProcessor",
    "siglip_vision_model": "SiglipImageProcessor",
    "swin": "ViTImageProcessor",
    "vit": "ViTImageProcessor",
    "vit_mae": "ViTImageProcessor",
}
_KNOWN = tuple(sorted(set(_OF_TYPE.values())))
_INTERPOLATIONS: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}
_BELOW_THIS_CONVNEXT_CROPS = 384


def read_preprocessing(
    written: Mapping[str, Any], *, model_type: str, place: str, fit: Fit | None = None
) -> Preprocessing:
    """A model's published preprocessing.

    Args:
        written: The content of ``preprocessor_config.json``, or of ``processor_config.json``.
        model_type: Of the model's ``config.json``; decides where the processor's kind is not written.
        place: The file, for messages.
        fit: Overrides the published fit.

    Raises:
        EncoderError: It is a kind of preprocessing that is not known here.

    Example:
        >>> written = {"image_processor_type": "ViTImageProcessor", "size": 224}
        >>> made = read_preprocessing(written, model_type="vit", place="preprocessor_config.json")
        >>> made.size, made.fit, made.interpolation, made.mean
        ((224, 224), 'squash', 'bilinear', (0.5, 0.5, 0.5))
    """
    inner = written.get("image_processor")
    if isinstance(inner, Mapping):
        written = inner
    kind = _kind(written, model_type, place=place)
    processor = _processor(kind, written, place=place)
    if abs(float(processor.rescale_factor) * 255 - 1) > 1e-6 or not processor.do_rescale or not processor.do_resize:
        raise _refused(place, "resizing, and scaling by 1/255", "do_resize, do_rescale or rescale_factor another")
    method = _INTERPOLATIONS.get(int(processor.resample))
    if method is None:
        raise _refused(place, "resample = 2 or 3", f"resample = {processor.resample}")
    common: dict[str, Any] = {
        "interpolation": method,
        "color": "RGB",
        "rounding": "transformers",
        "mean": _three(processor.image_mean, place=place) if processor.do_normalize else (0.0, 0.0, 0.0),
        "std": _three(processor.image_std, place=place) if processor.do_normalize else (1.0, 1.0, 1.0),
    }
    normalized = ("image_mean", "image_std") if processor.do_normalize else ()
    assumed = tuple(
        name
        for name, key in (("size", "size"), ("interpolation", "resample"), ("mean", "image_mean"), ("std", "image_std"))
        if written.get(key) is None and (key not in {"image_mean", "image_std"} or key in normalized)
    )
    made = Preprocessing(**common, **_geometry(kind, processor, place=place), assumed=assumed)
    return with_credible_normalization(made, place=place).with_fit(fit)


def _kind(written: Mapping[str, Any], model_type: str, *, place: str) -> str:
    named = written.get("image_processor_type") or written.get("feature_extractor_type") or _OF_TYPE.get(model_type)
    kind = str(named).replace("FeatureExtractor", "ImageProcessor").removesuffix("Fast").removesuffix("Pil")
    if kind not in _KNOWN:
        raise _refused(place, f"one of {', '.join(_KNOWN)}", f"image_processor_type = {shown(str(named))}")
    return kind


def _processor(kind: str, written: Mapping[str, Any], *, place: str) -> Any:
    """The library's processor: what is not written has its class's default, and sizes are in one form."""
    with quiet():
        prepare_torchvision()
        import transformers

        made: Any = getattr(transformers, f"{kind}Pil", None) or getattr(transformers, kind)
        try:
            return made(**{key: value for key, value in written.items() if not key.endswith("_type")})
        except (TypeError, ValueError, KeyError, AttributeError, ImportError) as error:
            raise EncoderError(
                f"Expected a preprocessing that transformers can read, but {place} gave {first_line(error)}. "
                "Fetch or copy it again."
            ) from error


def _geometry(kind: str, processor: Any, *, place: str) -> dict[str, Any]:
    """Size, fit and what belongs to the fit."""
    size, crop = _sides(processor.size), _sides(getattr(processor, "crop_size", None))
    exact = (size["height"], size["width"]) if size.get("height") and size.get("width") else None
    if kind == "SamImageProcessor":
        pad = _sides(processor.pad_size)
        target = (pad.get("height"), pad.get("width"))
        if not processor.do_pad or target != (size.get("longest_edge"),) * 2:
            raise _refused(place, "padding to a square of the longest edge", f"size = {size} and pad_size = {pad}")
        return {"size": target, "fit": "pad", "fill": None, "anchor": "corner"}
    if kind == "ConvNextImageProcessor":
        side = size.get("shortest_edge")
        if not side:
            raise _refused(place, "a shortest_edge", f"size = {size}")
        if side >= _BELOW_THIS_CONVNEXT_CROPS:
            return {"size": (side, side), "fit": "squash"}
        return {"size": (side, side), "fit": "crop", "resize": int(side / processor.crop_pct)}
    if not getattr(processor, "do_center_crop", False):
        if exact is None:
            raise _refused(place, "a height and a width, or a center crop", f"size = {size}")
        return {"size": exact, "fit": "squash"}
    target = (crop.get("height"), crop.get("width"))
    side = size.get("shortest_edge")
    if side and target[0] and target[0] == target[1] and side >= target[0] and not size.get("longest_edge"):
        return {"size": target, "fit": "crop", "resize": side if side > target[0] else None}
    if (
        exact is not None
        and exact[0] == exact[1]
        and target[0] == target[1]
        and exact[0] >= (target[0] or exact[0] + 1)
    ):
        return {"size": target, "fit": "squash", "resize": exact[0] if exact != target else None}
    raise _refused(place, "a square crop within what is resized", f"size = {size} and crop_size = {crop}")


def _sides(size: Any) -> dict[str, int]:
    return {key: int(value) for key, value in dict(size or {}).items() if value}


def _three(value: Any, *, place: str) -> tuple[float, ...]:
    numbers = tuple(value) if isinstance(value, (list, tuple)) else (value,) * 3
    if len(numbers) != 3 or not all(isinstance(number, (int, float)) for number in numbers):
        raise _refused(place, "three numbers", f"image_mean or image_std = {value!r}")
    return tuple(float(number) for number in numbers)


def _refused(place: str, rule: str, stated: str) -> EncoderError:
    return EncoderError(
        f"Expected {rule}, but {place} has {stated}. Use a model whose preprocessing is resizing, cropping or padding."
    )
