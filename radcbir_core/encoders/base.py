"""What an encoder is, and the few lines every family shares.

Owns the :class:`Encoder` protocol, the recorded :class:`Preprocessing` and small helpers on arrays and names. It must
know no family, load no weights and import nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import FITS, Fit, Fitting
from radcbir_core.storage import digest_of

Float32Array = npt.NDArray[np.float32]
_LONGEST_ID = 80
_LATER: dict[str, Any] = {"resize": None, "anchor": "center", "rounding": "torchvision"}


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a decoded image becomes an encoder's input; recorded, because it decides the numbers.

    Attributes:
        size: Height and width of the input, pixels.
        fit: One of :data:`~radcbir_core.images.fitting.FITS`.
        interpolation: ``bilinear`` or ``bicubic``, both as Pillow resizes (antialiased).
        color: ``L`` (one channel, ITU-R 601 luma) or ``RGB`` (a grayscale image is repeated in all three).
        mean: Subtracted from each channel after scaling to 0..1; empty where no such step exists.
        std: Each channel is divided by it after that; empty where no such step exists.
        fill: Gray level, 0..255, of what ``pad`` adds; None for zeros in the normalized input, as SAM was published.
        resize: Side, pixels, that the shorter side (``crop``) or both sides (``squash``) are resized to before the
            middle is cut out; None where that is ``size`` itself.
        anchor: Where ``pad`` puts the image: in the ``center``, or in the upper left ``corner``.
        rounding: How half pixels are rounded, as ``torchvision`` and open_clip do (to even) or as ``transformers`` does
            (the crop's place down, the resized side up).
        assumed: Which of these the checkpoint does not say, so that its library's default was taken. It decides no
            number that is not among the others, and is recorded beside them.

    Example:
        >>> pixels = Preprocessing(size=(32, 32), fit="squash", interpolation="bilinear", color="L")
        >>> pixels.as_dict()["size"]
        [32, 32]
    """

    size: tuple[int, int]
    fit: Fit
    interpolation: Literal["bilinear", "bicubic"]
    color: Literal["L", "RGB"]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    fill: int | None = 0
    resize: int | None = None
    anchor: Literal["center", "corner"] = "center"
    rounding: Literal["torchvision", "transformers"] = "torchvision"
    assumed: tuple[str, ...] = field(default=(), compare=False)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON values, for ``encoder.json``; later keys are left out where they say nothing new."""
        record = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        del record["assumed"]
        return {key: value for key, value in record.items() if key not in _LATER or value != _LATER[key]}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Preprocessing:
        """What :meth:`as_dict` was given, as it stands in ``encoder.json``.

        Raises:
            EncoderError: The record is none of a preprocessing.
        """
        try:
            values: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in record.items()
            }
            made = cls(**values)
            height, width = made.size
            usable = min(height, width) > 0 and made.fit in FITS and made.interpolation in {"bilinear", "bicubic"}
        except (TypeError, ValueError):
            usable = False
        if not usable:
            raise EncoderError(
                f"Expected the record of a preprocessing, but found {shown(repr(dict(record)))}. Build again with the "
                "encoder."
            )
        return made

    @property
    def fitting(self) -> Fitting:
        """The part of it that comes before scaling and normalizing, which needs no encoder."""
        return Fitting(
            size=self.size,
            fit=self.fit,
            interpolation=self.interpolation,
            color=self.color,
            fill=self.fill,
            resize=self.resize,
            anchor=self.anchor,
            rounding=self.rounding,
        )

    def with_fit(self, fit: Fit | None) -> Preprocessing:
        """The same with another fit, and none of what belonged to the published one; itself where that is the same.

        Example:
            >>> published = Preprocessing(
            ...     size=(224, 224), fit="crop", interpolation="bicubic", color="RGB", resize=256
            ... )
            >>> published.with_fit("pad").resize is None, published.with_fit("crop") is published
            (True, True)
        """
        if fit is None or fit == self.fit:
            return self
        return replace(self, fit=fit, fill=0, resize=None, anchor="center")


def with_credible_normalization(preprocessing: Preprocessing, *, place: str) -> Preprocessing:
    """``preprocessing`` itself, if shades scaled to 0..1 can have its mean and standard deviation.

    Numbers for shades up to 255, as other libraries write them, would be taken without a word and give embeddings that
    mean nothing.

    Args:
        preprocessing: As a checkpoint says.
        place: Its file, for the message.

    Raises:
        EncoderError: A mean outside 0..1, or a standard deviation outside 0 to 1.

    Example:
        >>> made = Preprocessing(
        ...     size=(8, 8), fit="crop", interpolation="bicubic", color="RGB", mean=(0.5,), std=(1,)
        ... )
        >>> with_credible_normalization(made, place="config.json") is made
        True
    """
    means, deviations = preprocessing.mean, preprocessing.std
    if all(0 <= mean <= 1 for mean in means) and all(0 < deviation <= 1 for deviation in deviations):
        return preprocessing
    mean, std = (", ".join(f"{number:g}" for number in numbers) for numbers in (means, deviations))
    raise EncoderError(
        "Expected a mean from 0 to 1 and a std above 0 and up to 1, for shades scaled to 0 to 1, but "
        f"mean = {mean} and std = {std} in {place}. Divide both by 255 if they are for shades up to 255."
    )


@dataclass(frozen=True, slots=True)
class Precision:
    """In which numbers a network computes.

    Attributes:
        name: ``float16`` stands for torch's mixed precision: what needs single precision keeps it.
        least_cosine: Between half and single precision over the fixed images; None where it was not measured.
    """

    name: Literal["float32", "float16"] = "float32"
    least_cosine: float | None = None

    @property
    def half(self) -> bool:
        """Whether it is half precision."""
        return self.name == "float16"


@runtime_checkable
class Encoder(Protocol):
    """A frozen network or recipe: image, and for some text, to a unit vector.

    An image (or text) that an encoder can make nothing of, such as a uniformly gray one for ``pixels``, gets a vector
    of zeros: it is finite, similar to nothing, and to be treated as "no embedding".

    Attributes:
        spec: What the user wrote, enough to load the encoder again (the path of a ``local-dir:`` made absolute).
        encoder_id: Safe as a folder name and in a URL: lower-case letters, digits, ``.``, ``_`` and ``-``.
        title: A name for people.
        dimension: Length D of an embedding.
        supports_text: Whether :meth:`encode_texts` works.
        preprocessing: What :meth:`prepare` does.
        weights_digest: SHA-256, hex, over the loaded weights; empty where there are none.
        fingerprint: SHA-256, hex, over all that decides an image's embedding: family, version of its recipe,
            architecture, weights and preprocessing. Embeddings with different fingerprints must not be mixed.
        device: Where it computes: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        batch_size: How many images are worth passing to :meth:`encode_prepared` at once. It shrinks by itself when
            the device runs out of memory.
        precision: In which numbers it computes; on a GPU known after the first images.
    """

    spec: str
    encoder_id: str
    title: str
    dimension: int
    supports_text: bool
    preprocessing: Preprocessing
    weights_digest: str
    fingerprint: str
    device: str
    batch_size: int
    precision: Precision

    def prepare(self, pixels: npt.NDArray[np.uint8]) -> Float32Array:
        """One decoded image, (H, W) or (H, W, 3) uint8, as one input of fixed shape; safe to call from many threads."""
        ...

    def encode_prepared(self, batch: Float32Array) -> Float32Array:
        """Prepared inputs, (B, …) float32, as embeddings, (B, D) float32, each of norm 1 (or 0)."""
        ...

    def encode_fitted(self, fitted: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Images as ``preprocessing.fitting`` leaves them, as embeddings, (B, D) float32.

        They are those of :meth:`prepare` and :meth:`encode_prepared` to the last bit. It is quicker, because eight bits
        are handed over, and are scaled and normalized where the network computes.
        """
        ...

    def encode_images(self, images: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
        """Decoded images as embeddings, (B, D) float32: :meth:`prepare`, then :meth:`encode_prepared`."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> Float32Array:
        """Texts as embeddings, (T, D) float32, comparable with the images' by cosine.

        Raises:
            EncoderError: The encoder has no text tower, or a text is blank.
        """
        ...

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """For each text whether its end is beyond the encoder's context and so has no influence.

        Raises:
            EncoderError: The encoder has no text tower.
        """
        ...


@runtime_checkable
class PatchEncoder(Protocol):
    """What some encoders can do besides: say what they make of each place of an image, and not only of all of it.

    Attributes:
        supports_patches: Whether :meth:`encode_patches` works.
    """

    supports_patches: bool

    def encode_patches(self, batch: Float32Array) -> Float32Array:
        """Prepared inputs, (B, …) float32, as (B, rows, columns, C) float32: a unit vector (or zeros) for each place.

        The places are a grid over the whole input. The vectors are the network's last ones before it makes one of all
        of them, comparable with each other by cosine and, in general, not with embeddings.

        Raises:
            EncoderError: The network has no such grid.
        """
        ...


def encode_in_batches(encoder: Encoder, images: Sequence[npt.NDArray[np.uint8]]) -> Float32Array:
    """Prepare and encode ``images`` with at most ``encoder.batch_size`` of them prepared at a time; (B, D) float32."""
    parts: list[Float32Array] = []
    start = 0
    while start < len(images):
        chunk = images[start : start + encoder.batch_size]
        start += len(chunk)
        parts.append(encoder.encode_prepared(np.stack([encoder.prepare(image) for image in chunk])))
    return np.concatenate(parts) if parts else np.zeros((0, encoder.dimension), dtype=np.float32)


def unit_rows(vectors: Float32Array, *, encoder_id: str) -> Float32Array:
    """Each row divided by its Euclidean norm; a row of zeros stays zeros. (B, D) float32.

    Raises:
        EncoderError: A value is not finite.

    Example:
        >>> unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32), encoder_id="example").tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    if not np.isfinite(vectors).all():
        raise EncoderError(
            f"Expected finite embeddings, but encoder {encoder_id} gave some that are not. "
            "Check that its weights are complete and made for this architecture."
        )
    # float64 for the norm: the squares of large activations overflow float32 long before the values do.
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)


def checked_texts(texts: Sequence[str]) -> list[str]:
    """``texts`` as a list.

    Raises:
        EncoderError: One of them is empty or blank.
        TypeError: ``texts`` is one string, which would be read letter by letter.
    """
    if isinstance(texts, str):
        raise TypeError("Expected a sequence of texts, but texts = one str. Put it in a list.")
    for position, text in enumerate(texts):
        if not text.strip():
            raise EncoderError(
                f"Expected a text with at least one word, but texts[{position}] = {text[:20]!r}. Write one."
            )
    return list(texts)


def fingerprint_of(record: Mapping[str, Any]) -> str:
    """SHA-256, hex, over ``record`` (plain JSON values) whatever the order of its keys.

    Example:
        >>> fingerprint_of({"a": 1, "b": [2]}) == fingerprint_of({"b": [2], "a": 1})
        True
    """
    return digest_of(json.dumps(record, sort_keys=True, separators=(",", ":")))


def folder_safe(name: str) -> str:
    """``name`` as 1 to 80 lower-case letters, digits, ``.``, ``_`` and ``-``, with a letter or digit at either end.

    Letters outside ASCII and what is too long are replaced by eight hex digits of the name's SHA-256, so that two
    such names stay two.

    Example:
        >>> folder_safe("ViT-B-32 laion2b_s34b"), folder_safe("../../etc/passwd")
        ('vit-b-32-laion2b_s34b', 'etc-passwd')
        >>> folder_safe("模型")
        'encoder-c98e118e'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")
    kept = sum(character.isalnum() for character in slug)
    if slug and kept == sum(character.isalnum() for character in name) and len(slug) <= _LONGEST_ID:
        return slug
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug[: _LONGEST_ID - 9].rstrip('-._') or 'encoder'}-{mark}"


def shown(text: str, *, longest: int = 100) -> str:
    r"""``text`` fit for one line of a message: control characters made visible, the middle of a long one left out.

    Example:
        >>> shown("two\nlines")
        'two\\nlines'
    """
    line = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return line if len(line) <= longest else f"{line[: longest - 21]}…{line[-20:]}"
