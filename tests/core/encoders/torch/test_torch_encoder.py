"""What all torch encoders have in common, with a network small enough to compute by hand."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from radcbir_core.encoders import Encoder
from radcbir_core.encoders.base import Preprocessing
from radcbir_core.encoders.torch.text_torch_encoder import TextTorchEncoder
from radcbir_core.encoders.torch.torch_encoder import BATCH_ON_CPU, BATCH_ON_DEVICE, TorchEncoder, in_a_grid
from radcbir_core.errors import EncoderError

PREPROCESSING = Preprocessing(
    size=(2, 2), fit="squash", interpolation="bilinear", color="RGB", mean=(0, 0, 0), std=(1, 1, 1)
)


class Sides(TextTorchEncoder):
    """An image is the mean of its left and its right half, texts are their letters' numbers; scaled by one weight."""

    room = 1_000

    def __init__(self, *, weight: float = 1.0, device: str = "cpu", **options: Any) -> None:
        model = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(model.weight, weight)
        facts = {"dimension": 2, "preprocessing": PREPROCESSING, "record": {"recipe": "sides/1"}, "no_text": ""}
        super().__init__(
            model,
            spec="sides",
            encoder_id="sides",
            title="Sides",
            device=device,
            configuration="config.json",
            **facts | options,
        )
        self.seen: list[int] = []
        self.loads = 0

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        self.seen.append(len(batch))
        if len(batch) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return self._model.weight * batch.mean(dim=(1, 2))

    def _text_features(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._model.weight * tokens.float()

    def _load_tokenizer(self) -> Any:
        self.loads += 1
        return ord

    def _tokenized(self, texts: list[str]) -> torch.Tensor:
        return torch.tensor([[self._tokenizer(letter) - ord("a") for letter in text[:2]] for text in texts])

    def _count_tokens(self, text: str) -> int:
        return len(text)

    def _context_length(self) -> int:
        return 2

    def _vocabulary_size(self) -> int:
        return 26


class Halves(TorchEncoder):
    """As ``Sides``, of a family without texts."""

    def __init__(self) -> None:
        super().__init__(
            torch.nn.Linear(1, 1, bias=False),
            dimension=2,
            preprocessing=PREPROCESSING,
            record={"recipe": "halves/1"},
            configuration="config.json",
            no_text="it was trained on images alone",
            spec="halves",
            encoder_id="halves",
            title="Halves",
            device="cpu",
        )

    def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.mean(dim=(1, 2))


def image(left: int, right: int) -> np.ndarray:
    return np.array([[left, right], [left, right]], dtype=np.uint8)


IMAGES = [image(255, 0), image(0, 255), image(51, 51), image(204, 153), image(0, 0)]
UNIT = [[1, 0], [0, 1], [0.5**0.5, 0.5**0.5], [0.8, 0.6], [0, 0]]


def test_images_and_texts_by_hand() -> None:
    encoder = Sides(weight=7)
    assert isinstance(encoder, Encoder)
    np.testing.assert_allclose(encoder.encode_images(IMAGES), UNIT, atol=1e-6)
    np.testing.assert_allclose(encoder.encode_texts(["ab", "ed", "edge"]), [[0, 1], [0.8, 0.6], [0.8, 0.6]], atol=1e-6)
    assert encoder.truncated(["ed", "edge"]) == [False, True]
    assert encoder.loads == 1, "a tokenizer is loaded once, when it is first needed"


def test_batches_and_nothing() -> None:
    encoder = Sides()
    encoder.batch_size = 2
    np.testing.assert_allclose(encoder.encode_images(IMAGES), UNIT, atol=1e-6)
    prepared = np.stack([encoder.prepare(pixels) for pixels in IMAGES])
    prepared.flags.writeable = False
    np.testing.assert_allclose(encoder.encode_prepared(prepared), UNIT, atol=1e-6)
    assert encoder.seen == [2, 2, 1, 2, 2, 1]
    assert encoder.encode_images([]).shape == encoder.encode_texts([]).shape == (0, 2)
    assert encoder.encode_prepared(prepared[:0]).shape == (0, 2)
    assert encoder.truncated([]) == []
    with pytest.raises(ValueError, match=r"Expected a batch of \(3, 2, 2\) inputs, but batch.shape = \(1, 3, 8, 8\)"):
        encoder.encode_prepared(np.zeros((1, 3, 8, 8), dtype=np.float32))


@pytest.mark.parametrize("fill", [9, None])
def test_levels_are_handed_over_with_the_same_numbers(fill: int | None) -> None:
    """Gray, color, both in one batch, and what is padded with zeros that are no level."""
    padded = Preprocessing(
        size=(6, 6), fit="pad", interpolation="bilinear", color="RGB", mean=(0.4, 0.5, 0.1), std=(0.3, 0.2, 0.7),
        fill=fill,
    )  # fmt: skip
    random = np.random.default_rng(0)
    shapes = [(9, 4), (6, 6), (3, 8, 3), (6, 6, 3), (5, 7)]
    images = [random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]
    given: list[torch.Tensor] = []

    class Pixels(Sides):
        def _image_features(self, batch: torch.Tensor) -> torch.Tensor:
            given.append(batch.clone())
            return super()._image_features(batch)[:, :2]

    encoder = Pixels(preprocessing=padded)
    for chosen in (images, images[:2], images[2:4], []):
        given.clear()
        prepared = np.stack([encoder.prepare(image) for image in chosen]) if chosen else np.zeros((0, 3, 6, 6), "f4")
        fitted = [padded.fitting(image) for image in chosen]
        np.testing.assert_array_equal(encoder.encode_fitted(fitted), encoder.encode_prepared(prepared))
        assert all(torch.equal(one, other) for one, other in itertools.pairwise(given))
        assert len(given) == (2 if chosen else 0)
        assert all(batch.is_contiguous(memory_format=torch.channels_last) for batch in given)
        np.testing.assert_array_equal(given[0].numpy() if chosen else prepared, prepared)


def test_out_of_memory_is_answered_by_smaller_batches() -> None:
    encoder = Sides()
    encoder.room = 2
    np.testing.assert_allclose(encoder.encode_images([*IMAGES, *IMAGES]), [*UNIT, *UNIT], atol=1e-6)
    assert encoder.seen[:3] == [10, 5, 2]
    assert encoder.batch_size == 2
    encoder.seen.clear()
    encoder.encode_images(IMAGES)
    assert max(encoder.seen) == 2, "what did not fit once is not tried again"
    encoder.room = 0
    with pytest.raises(EncoderError, match="Expected room for one input on the device, but device = cpu is out of mem"):
        encoder.encode_images(IMAGES[:1])


def test_a_device_too_small_for_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(EncoderError, match="Expected room for the model on the device, but device = cpu") as caught:
        Sides()
    assert caught.value.remedy is not None


@pytest.mark.parametrize(
    ("size", "device", "batch"),
    [
        ((224, 224), "cpu", BATCH_ON_CPU),
        ((128, 128), "cpu", BATCH_ON_CPU),
        ((448, 448), "cpu", BATCH_ON_CPU // 4),
        ((1024, 1024), "cpu", 1),
        ((224, 224), "meta", BATCH_ON_DEVICE),
        ((448, 224), "meta", BATCH_ON_DEVICE // 2),
    ],
)
def test_larger_inputs_come_in_smaller_batches(size: Any, device: str, batch: int) -> None:
    preprocessing = Preprocessing(size=size, fit="squash", interpolation="bilinear", color="RGB")
    assert Sides(device=device, preprocessing=preprocessing).batch_size == batch


def test_numbers_that_are_no_embedding() -> None:
    with pytest.raises(
        EncoderError, match="Expected weights that are finite numbers, but weight of sides has 1 of 1 t"
    ):
        Sides(weight=float("nan"))
    encoder = Sides()
    torch.nn.init.constant_(encoder._model.weight, float("nan"))
    with pytest.raises(EncoderError, match="Expected finite embeddings, but encoder sides gave some that are not"):
        encoder.encode_images(IMAGES)
    with pytest.raises(EncoderError, match=r"of 3 numbers, but sides gave shape \(5, 2\)\. .* in its config\.json"):
        Sides(dimension=3).encode_images(IMAGES)


def test_a_network_that_does_not_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\nC++ call stack")

    encoder = Sides()
    monkeypatch.setattr(encoder, "_image_features", fail)
    with pytest.raises(EncoderError) as caught:
        encoder.encode_images(IMAGES)
    assert str(caught.value) == (
        "Expected a network that computes, but sides gave mat1 and mat2 shapes cannot be multiplied on cpu. "
        "Check its config.json, or try the device cpu."
    )


def test_an_encoder_of_images_alone_refuses_texts() -> None:
    encoder = Halves()
    np.testing.assert_allclose(encoder.encode_images(IMAGES[:2]), UNIT[:2], atol=1e-6)
    assert isinstance(encoder, Encoder)
    assert not encoder.supports_text
    for ask in (encoder.encode_texts, encoder.truncated):
        with pytest.raises(EncoderError, match=r"for 2 texts, but encoder = halves: it was trained on images alone"):
            ask(["chest", "head"])


def test_a_fingerprint_is_of_what_decides_an_image() -> None:
    one = Sides()
    assert Sides().fingerprint == one.fingerprint
    others = [
        Sides(weight=2),
        Sides(record={"recipe": "sides/2"}),
        Sides(preprocessing=PREPROCESSING.with_fit("pad")),
        Sides(digest="0" * 64),
    ]
    assert len({one.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert others[3].weights_digest == "0" * 64
    assert Sides(no_text="none").fingerprint == one.fingerprint, "the text tower decides no image"


def test_tokens_in_a_grid() -> None:
    tokens = torch.arange(8.0).reshape(1, 8, 1)
    assert in_a_grid(tokens, (20, 40))[0, :, :, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert in_a_grid(torch.zeros(2, 5, 3, 4), (30, 40)).shape == (2, 3, 4, 5)
    for wrong in (7, 9):
        with pytest.raises(ValueError, match=f"{wrong} tokens for an input of 20 x 40"):
            in_a_grid(torch.zeros(1, wrong, 1), (20, 40))


def test_an_encoder_without_patches_says_so() -> None:
    encoder = Sides()
    assert not encoder.supports_patches
    with pytest.raises(
        EncoderError, match="Expected a network that gives a grid of patches, but sides gave no patches"
    ):
        encoder.encode_patches(np.zeros((1, 3, 2, 2), dtype=np.float32))
