"""What all encoders have in common that compute with torch.

Owns the :class:`TorchEncoder`: from prepared inputs or texts to checked unit vectors, with smaller batches when memory
runs out. What a family computes in between is the family's; it must know none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, Unpack

import numpy as np
import numpy.typing as npt

from radcbir_core.encoders.base import (
    Float32Array,
    Precision,
    Preprocessing,
    checked_texts,
    encode_in_batches,
    fingerprint_of,
    unit_rows,
)
from radcbir_core.encoders.files.weights import weights_digest
from radcbir_core.encoders.kits.kit_probe import probe_images
from radcbir_core.encoders.torch.half_precision import choose_precision
from radcbir_core.encoders.torch.soundness import (
    KNOWN_FAULTS,
    Astray,
    check_astray,
    check_numbers,
    has_norms,
    images_to_look_at,
    watched,
)
from radcbir_core.encoders.torch.support import ON_CPU, encode_shrinking, first_line
from radcbir_core.encoders.transform import Transform
from radcbir_core.errors import EncoderError
from radcbir_core.wording import counted

if TYPE_CHECKING:
    import torch

BATCH_ON_CPU = 32
BATCH_ON_DEVICE = 128
BUILD_ERRORS = (
    TypeError, ValueError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError, RuntimeError, OSError,
    ImportError, NotImplementedError,
)  # fmt: skip
"""Whatever a configuration that does not fit a library's classes may run into there."""


class Named(TypedDict):
    """What the user called a network, and where it is to compute; every family passes it on.

    Attributes:
        spec: What the user wrote.
        encoder_id: Its folder-safe name.
        title: A name for people.
        device: As :func:`~radcbir_core.encoders.torch.support.resolve_device` gives it.
    """

    spec: str
    encoder_id: str
    title: str
    device: str


class TorchEncoder(ABC):
    """A frozen torch network; see :class:`~radcbir_core.encoders.base.Encoder` for the attributes.

    A family gives the model, says what decides its numbers, and overrides :meth:`_image_features` and, where it can say
    what it makes of each place (``supports_patches``), :meth:`_patch_features`. One that may have a text tower is a
    :class:`~radcbir_core.encoders.torch.text_torch_encoder.TextTorchEncoder`.

    Args:
        model: With its weights, on the CPU, in float32 and evaluation mode.
        dimension: Length of an embedding.
        preprocessing: From a decoded image to the input.
        record: Plain JSON values: the recipe, the architecture and whatever else decides an image's embedding, beside
            the weights and the preprocessing.
        configuration: The file to look at when the network does not compute, for messages.
        no_text: Why there is no text tower, for messages.
        digest: SHA-256, hex, of the weights; computed from the model where it is empty. A library that renames a
            file's weights in its modules may rename them otherwise in its next version.
        **named: What it is called, and where it computes; see :class:`Named`.

    Raises:
        EncoderError: A weight is no finite number, or a variance below 0.
    """

    supports_patches = False

    def __init__(
        self,
        model: Any,
        *,
        dimension: int,
        preprocessing: Preprocessing,
        record: dict[str, Any],
        configuration: str,
        no_text: str = "",
        digest: str = "",
        **named: Unpack[Named],
    ) -> None:
        self.spec = named["spec"]
        self.encoder_id = named["encoder_id"]
        self.title = named["title"]
        self.device = device = named["device"]
        self.dimension = dimension
        self.supports_text = False
        self.preprocessing = preprocessing
        check_numbers(model, encoder_id=self.encoder_id)
        self.weights_digest = digest or weights_digest(model)
        # Left out are the tokenizer, which decides no image's embedding, and the files' place and format.
        self.fingerprint = fingerprint_of(
            {**record, "weights": self.weights_digest, "preprocessing": preprocessing.as_dict()}
        )
        self.batch_size = _first_batch_size(preprocessing.size, device=device)
        self.precision = Precision()
        self._precision_settled = not device.startswith("cuda")
        self._transform = Transform(preprocessing)
        self._of_gray, self._of_color, self._channels = _tables_on(device, self._transform.table)
        self._configuration = configuration
        self._no_text = no_text
        self._model = _to_device(model, device)

    def check_sound(self) -> None:
        """Make sure that its batch norms are given what they have the statistics of; encodes a dozen fixed images.

        Networks without batch norms pass, and weights whose fault is known and told of.

        Raises:
            EncoderError: They are given something else: see :mod:`radcbir_core.encoders.torch.soundness`.
        """
        if self.weights_digest not in KNOWN_FAULTS and has_norms(self._model):
            check_astray(self.astray(images_to_look_at()), encoder_id=self.encoder_id)

    def astray(self, images: Sequence[npt.NDArray[np.uint8]]) -> Astray:
        """What the network's batch norms are given of decoded images.

        Raises:
            EncoderError: As :meth:`encode_prepared`.
        """
        inputs = self._checked_inputs(np.stack([self.prepare(image) for image in images]))
        with watched(self._model) as found:
            self._encoded(self._image_features, inputs)
        return found[0]

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> Float32Array:
        """One image, (H, W) or (H, W, 3) uint8, as the network's input, (3, height, width) float32.

        Raises:
            ValueError: ``pixels`` has another shape or type.
        """
        return self._transform(pixels)

    def encode_prepared(self, batch: Float32Array) -> Float32Array:
        """Inputs, (B, 3, height, width) float32, as embeddings, (B, D) float32 of norm 1.

        Batches of the same inputs and size give the same numbers every time on the same device; batches of another
        size may differ in the last bits.

        Raises:
            EncoderError: The device has no room for one image, or the network gives what is no embedding.
            ValueError: ``batch`` has another shape.
        """
        inputs = self._checked_inputs(batch)
        if len(inputs) and not self._precision_settled:
            self._settle_precision()
        return self._encoded(self._image_features, inputs, half=self.precision.half)

    def encode_fitted(self, fitted: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Images as the preprocessing's fitting leaves them, as embeddings, (B, D) float32 of norm 1.

        Eight bits go to the device, and are scaled and normalized there, in the order that the network reads.

        Raises:
            EncoderError: As :meth:`encode_prepared`.
            ValueError: An image is none that the fitting leaves.
        """
        if any(image.shape[:2] != self.preprocessing.size for image in fitted):  # padded with zeros, not with levels
            return self.encode_prepared(np.stack([self._transform.normalized(image) for image in fitted]))
        import torch

        if len(fitted) and not self._precision_settled:
            self._settle_precision()
        if any(image.ndim == 3 for image in fitted):
            fitted = [image if image.ndim == 3 else image[:, :, None].repeat(3, axis=2) for image in fitted]
        levels = torch.from_numpy(np.stack(fitted)) if fitted else torch.zeros(0, dtype=torch.uint8)
        return self._encoded(self._features_of_levels, levels, half=self.precision.half)

    def _features_of_levels(self, levels: torch.Tensor) -> torch.Tensor:
        """From levels on the device, (b, height, width) or (b, height, width, 3) uint8, to :meth:`_image_features`."""
        height, width = self.preprocessing.size
        if levels.ndim == 3:
            values = self._of_gray.index_select(0, levels.flatten().int())
        else:
            values = self._of_color.index_select(0, (levels.int() + self._channels).flatten())
        # The channels of a pixel lie together, as the network reads them fastest.
        return self._image_features(values.reshape(-1, height, width, 3).permute(0, 3, 1, 2))

    def encode_patches(self, batch: Float32Array) -> Float32Array:
        """Inputs, (B, 3, height, width) float32, as (B, rows, columns, C) float32 of norm 1, in single precision.

        Raises:
            EncoderError: The network gives no grid of patches, or the device has no room for one image.
            ValueError: ``batch`` has another shape.
        """
        inputs = self._checked_inputs(batch)
        try:
            features, _ = encode_shrinking(
                self._patch_features, inputs, batch_size=self.batch_size, device=self.device, half=False
            )
        except BUILD_ERRORS as error:
            raise EncoderError(
                f"Expected a network that gives a grid of patches, but {self.encoder_id} gave {first_line(error)}. "
                "Hide parts of the image instead."
            ) from error
        flat = unit_rows(features.reshape(-1, features.shape[-1]), encoder_id=self.encoder_id)
        return flat.reshape(features.shape)

    def _checked_inputs(self, batch: Float32Array) -> torch.Tensor:
        import torch

        shape = (3, *self.preprocessing.size)
        if batch.ndim != 4 or batch.shape[1:] != shape:
            raise ValueError(f"Expected a batch of {shape} inputs, but batch.shape = {batch.shape}. Use prepare().")
        inputs = torch.from_numpy(np.array(batch, dtype=np.float32, order="C"))
        return inputs.contiguous(memory_format=torch.channels_last)

    def encode_images(self, images: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Decoded images as embeddings, (B, D) float32 of norm 1."""
        return encode_in_batches(self, images)

    def encode_texts(self, texts: Sequence[str]) -> Float32Array:
        """Refuse: there is no text tower.

        Raises:
            EncoderError: Always.
        """
        self._refuse_text(checked_texts(texts))

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """Refuse: there is no text tower.

        Raises:
            EncoderError: Always.
        """
        self._refuse_text(checked_texts(texts))

    @abstractmethod
    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        """Inputs on the device, (b, 3, height, width), as (b, D) numbers that are not yet of norm 1."""

    def _patch_features(self, batch: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the families set the signature
        """Inputs on the device, (b, 3, height, width), as (b, rows, columns, C) numbers."""
        raise ValueError("no patches")

    def _refuse_text(self, texts: Sequence[str]) -> NoReturn:
        raise EncoderError(
            f"Expected an encoder with a text tower for {counted(len(texts), 'text')}, but encoder = "
            f"{self.encoder_id}: {self._no_text}. Choose one that has a text tower, such as biomedclip."
        )

    def _settle_precision(self) -> None:
        """Measure, once, whether half precision will do for images; texts stay in single precision."""
        import torch

        def encode(inputs: torch.Tensor, half: bool) -> torch.Tensor:  # noqa: FBT001 - given by position
            features, _ = encode_shrinking(
                self._image_features, inputs, batch_size=len(inputs), device=self.device, half=half
            )
            return torch.from_numpy(features)

        fixed = torch.from_numpy(np.stack([self.prepare(image) for image in probe_images()]))
        self.precision = choose_precision(encode, fixed.contiguous(memory_format=torch.channels_last))
        self._precision_settled = True

    def _encoded(
        self, encode: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, *, half: bool = False
    ) -> Float32Array:
        if not len(inputs):
            return np.zeros((0, self.dimension), dtype=np.float32)
        try:
            features, fitted = encode_shrinking(
                encode, inputs, batch_size=self.batch_size, device=self.device, half=half
            )
        except (RuntimeError, ValueError) as error:
            raise EncoderError(
                f"Expected a network that computes, but {self.encoder_id} gave {first_line(error)} on {self.device}. "
                f"Check its {self._configuration}, or try the device cpu.",
                remedy=ON_CPU,
            ) from error
        # What did not fit once will not fit the next time either.
        if len(inputs) > fitted:
            self.batch_size = min(self.batch_size, fitted)
        if features.shape != (len(inputs), self.dimension):
            raise EncoderError(
                f"Expected embeddings of {self.dimension} numbers, but {self.encoder_id} gave shape {features.shape}. "
                f"Correct the dimension in its {self._configuration}."
            )
        return unit_rows(features, encoder_id=self.encoder_id)


def _tables_on(device: str, table: Float32Array) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What becomes of each gray level, (256, 3); of each channel's, (768,); and where each channel begins in that."""
    import torch

    tables = (np.array(table.T, order="C"), table.ravel())
    of_gray, of_color = (torch.from_numpy(values).to(device) for values in tables)
    return of_gray, of_color, torch.tensor([0, 256, 512], dtype=torch.int32, device=device)


def in_a_grid(tokens: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Tokens of patches, (b, n, C), row by row, as (b, rows, columns, C); maps, (b, C, rows, columns), likewise.

    Args:
        tokens: Without class and register tokens.
        size: Height and width of the input, in whose proportion the patches are.

    Raises:
        ValueError: n patches make no such grid.
    """
    if tokens.ndim == 4:
        return tokens.permute(0, 2, 3, 1)
    count = tokens.shape[1]
    rows = round((count * size[0] / size[1]) ** 0.5)
    if not rows or rows * round(rows * size[1] / size[0]) != count:
        raise ValueError(f"{count} tokens for an input of {size[0]} x {size[1]}")
    return tokens.reshape(len(tokens), rows, count // rows, tokens.shape[2])


def _first_batch_size(size: tuple[int, int], *, device: str) -> int:
    """How many inputs to encode at once before it is known what fits: fewer of those larger than 224 x 224.

    A computer's memory, unlike a GPU's, says nothing before it is full, and then takes the whole process along.
    """
    most = BATCH_ON_CPU if device == "cpu" else BATCH_ON_DEVICE
    return max(1, min(most, most * 224 * 224 // (size[0] * size[1])))


def _to_device(model: Any, device: str) -> Any:
    import torch

    try:
        # Convolutions are more than twice as fast on a CPU with the channels last; transformers do not mind.
        getattr(model, "visual", model).to(memory_format=torch.channels_last)
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise EncoderError(
            f"Expected room for the model on the device, but device = {device} is out of memory. "
            "Free some of its memory, or use the device cpu.",
            remedy=ON_CPU,
        ) from error
