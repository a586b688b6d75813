"""The probe: the same inputs everywhere, and nothing that differs passes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from safetensors.torch import load_file, save_file

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.kits.fetching import add_probe
from radcbir_core.encoders.kits.kit_json import check_kit, read_kit
from radcbir_core.encoders.kits.kit_probe import TEXTS, _cosines, check_probe, make_probe, probe_images, versions
from radcbir_core.errors import EncoderError
from tests.core.encoders.tiny_models import TINY_MODEL, TINY_PREPROCESS, TINY_VISION

WEIGHTS = "open_clip_model.safetensors"
CONFIGURATION = "open_clip_config.json"


@pytest.fixture(scope="module")
def probed(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny CLIP as a kit with a probe. Read-only."""
    folder = tmp_path_factory.mktemp("probed") / "tiny-clip"
    shutil.copytree(tiny, folder)
    add_probe(folder)
    return folder


@pytest.fixture
def kit(probed: Path, tmp_path: Path) -> Path:
    """A copy that the test may change."""
    return Path(shutil.copytree(probed, tmp_path / "tiny-clip"))


def digests_corrected(folder: Path) -> None:
    """What somebody does who changes a file and its digest with it."""
    record = json.loads((folder / "kit.json").read_text())
    record["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in record["files"]}
    (folder / "kit.json").write_text(json.dumps(record))


def set_preprocessing(folder: Path, **changed: Any) -> None:
    configuration = json.loads((folder / CONFIGURATION).read_text())
    configuration["preprocess_cfg"] |= changed
    (folder / CONFIGURATION).write_text(json.dumps(configuration))
    digests_corrected(folder)


def refused(folder: Path, spec: str = "") -> str:
    with pytest.raises(EncoderError) as caught:
        load_encoder(f"{folder}{spec}", device="cpu")
    message = str(caught.value)
    assert message.startswith("Expected ")
    assert message.isprintable()
    return message


def test_the_images_are_the_same_everywhere_and_forever() -> None:
    total = hashlib.sha256()
    for image in probe_images():
        assert image.dtype == np.uint8
        total.update(repr(image.shape).encode() + image.tobytes())
    assert total.hexdigest() == "1ebb9e52ab405fe6bc0aed5b17b5bb67553bd26015360a23b604e720095bbdcb"


def test_the_images_by_hand() -> None:
    first, disc, board, ramps, _, _ = probe_images()
    height, width, radius = 384, 256, 96
    middle = (height * 2 // 5, width * 3 // 7)
    for row, column in (middle, (middle[0] + 40, middle[1] - 30), (0, 255), (383, 3)):
        distance = (row - middle[0]) ** 2 + (column - middle[1]) ** 2
        bright = 210 * max(radius**2 - distance, 0) // radius**2
        assert disc[row, column] == bright + (row + 2 * column) % 256 // 8
    assert board[0, 0] == 40
    assert board[0, 3] == 40 + 200 - 150 * 3 // 160
    assert ramps[200, 79].tolist() == [200, 3 * 79, (200 + 79) % 256]
    assert first[5, 9, 1] == 14
    assert {image.ndim for image in probe_images()} == {2, 3}
    assert {np.sign(image.shape[0] - image.shape[1]) for image in probe_images()} == {-1, 0, 1}


def test_what_is_recorded(kit: Path) -> None:
    record = json.loads((kit / "kit.json").read_text())
    assert record["format"] == 1
    assert record["family"] == "open_clip"
    assert record["encoder_id"] == "tiny-clip"
    assert record["versions"] == versions()
    assert record["probe"]["texts"] == list(TEXTS)
    assert set(record["files"]) == {str(path.relative_to(kit)) for path in kit.rglob("*") if path.is_file()} - {
        "kit.json"
    }
    encoder = load_encoder(str(kit), device="cpu")
    assert record["preprocessing"] == encoder.preprocessing.as_dict()
    assert (record["dimension"], record["fingerprint"]) == (24, encoder.fingerprint)
    embeddings = np.load(kit / "probe" / "image_embeddings.npy")
    images = [np.asarray(Image.open(kit / name)) for name in record["probe"]["images"]]
    for made, read in zip(probe_images(), images, strict=True):
        np.testing.assert_array_equal(made, read)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(embeddings, encoder.encode_images(images), atol=1e-6)
    np.testing.assert_allclose(np.load(kit / "probe" / "text_embeddings.npy"), encoder.encode_texts(TEXTS), atol=1e-6)
    prepared = encoder.prepare(images[1])
    np.testing.assert_array_equal(np.load(kit / "probe" / "prepared.npy")[1], prepared)  # 32 x 32: nothing left out
    assert check_kit(kit) == read_kit(kit)


def test_it_is_the_same_encoder_as_without_a_probe(kit: Path, tiny: Path, images: list[np.ndarray]) -> None:
    plain, probed = (load_encoder(f"local-dir:{folder}", device="cpu") for folder in (tiny, kit))
    assert plain.fingerprint == probed.fingerprint
    np.testing.assert_array_equal(plain.encode_images(images), probed.encode_images(images))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"mean": [0.5, 0.5, 0.5]}, "mean = [0.5, 0.5, 0.5] instead of [0.4, 0.45, 0.5]"),
        ({"std": [0.26, 0.26, 0.26]}, "std = "),
        ({"interpolation": "bilinear"}, "interpolation = 'bilinear' instead of 'bicubic'"),
        ({"resize_mode": "squash"}, "fit = 'squash' instead of 'crop'"),
        ({"resize_mode": "longest"}, "fit = 'pad' instead of 'crop'"),
    ],
)
def test_another_preprocessing_with_corrected_digests_is_refused(kit: Path, changed: dict, named: str) -> None:
    set_preprocessing(kit, **changed)
    message = refused(kit)
    assert "it is the preprocessing that differs" in message
    assert "(at most 0.02)" in message
    assert f"The kit was made with other settings: {named}" in message
    # Neither does another fit on request hide it.
    assert "it is the preprocessing that differs" in refused(kit, "?fit=pad")


def test_a_darker_fill_is_noticed_though_no_embedding_may_tell(probed: Path, tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "padded"))
    configuration = json.loads((folder / CONFIGURATION).read_text())
    configuration["preprocess_cfg"] |= {"resize_mode": "longest", "fill_color": 0}
    (folder / CONFIGURATION).write_text(json.dumps(configuration))
    add_probe(folder)
    set_preprocessing(folder, fill_color=20)
    assert "fill = 20 instead of 0" in refused(folder)


def test_another_implementation_of_preparing_is_refused(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from radcbir_core.encoders.transform import Transform

    whole = Transform.__call__
    monkeypatch.setattr(Transform, "__call__", lambda self, pixels: whole(self, pixels)[:, :, ::-1].copy())
    message = refused(kit)
    assert "it is the preprocessing that differs" in message
    assert "other settings" not in message
    assert message.endswith("Fetch or copy the folder again from where it came from.")


def test_other_weights_with_corrected_digests_are_refused(kit: Path) -> None:
    state = load_file(kit / WEIGHTS)
    generator = torch.Generator().manual_seed(1)
    name = "visual.proj"
    state[name] = state[name] + 0.1 * torch.randn(state[name].shape, generator=generator)
    save_file(state, kit / WEIGHTS)
    digests_corrected(kit)
    message = refused(kit)
    assert "Expected the embeddings that the kit was made with, but that of image-" in message
    assert "has cosine 0." in message
    assert "the weights, the recipe or a library differ" in message


def test_another_text_tower_is_refused_by_its_text(kit: Path) -> None:
    state = load_file(kit / WEIGHTS)
    state["text_projection"] = torch.flip(state["text_projection"], (1,))
    save_file(state, kit / WEIGHTS)
    digests_corrected(kit)
    message = refused(kit)
    assert any(f"that of text '{text}' of the probe" in message for text in TEXTS)
    assert "the tokenizer or a library differ" in message


def test_versions_that_differ_are_named(kit: Path) -> None:
    record = json.loads((kit / "kit.json").read_text())
    record["versions"] |= {"torch": "2.0.1", "flux": "1"}
    (kit / "kit.json").write_text(json.dumps(record))
    load_encoder(str(kit), device="cpu")  # another version is no fault while the embeddings are the same
    set_preprocessing(kit, mean=[0.5, 0.5, 0.5])
    message = refused(kit)
    assert "It was made with torch 2.0.1, here 2." in message
    assert "flux 1, here none" in message
    assert message.endswith("Install these versions, or make the kit again.")


def test_another_fit_is_checked_as_published_and_then_used(kit: Path, images: list[np.ndarray]) -> None:
    padded = load_encoder(f"{kit}?fit=pad", device="cpu")
    assert (padded.encoder_id, padded.preprocessing.fit) == ("tiny-clip-pad", "pad")
    set_preprocessing(kit, resize_mode="longest")
    (kit / "kit.json").write_text(
        json.dumps({"files": json.loads((kit / "kit.json").read_text())["files"]})
    )  # a short list, as before there were probes
    published = load_encoder(f"local-dir:{kit}", device="cpu")
    np.testing.assert_array_equal(padded.encode_images(images), published.encode_images(images))


@pytest.mark.parametrize("name", ["image-3.png", "image_embeddings.npy", "text_embeddings.npy", "prepared.npy"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x93NUMPY\x01\x00", b"\x89PNG\r\n\x1a\n", None])
def test_damaged_files_of_the_probe(kit: Path, name: str, content: bytes | None) -> None:
    path = kit / "probe" / name
    if content is None:
        path.unlink()
        assert f"{path} is missing" in refused(kit)
        return
    path.write_bytes(content)
    assert "is truncated or altered" in refused(kit)
    digests_corrected(kit)
    message = refused(kit)
    assert message.startswith(f"Expected the probe of a kit, but probe/{name} in {kit} ")


def test_arrays_that_are_no_embeddings(kit: Path) -> None:
    path = kit / "probe" / "image_embeddings.npy"
    whole = np.load(path)
    for wrong in (whole[:-1], whole.astype(np.float64), whole * np.nan, whole[0], np.array([{}], dtype=object)):
        np.save(path, wrong, allow_pickle=True)
        digests_corrected(kit)
        message = refused(kit)
        assert "probe/image_embeddings.npy" in message
        assert "cannot be read" in message or "holds no 6 rows of finite float32 numbers" in message
    np.save(path, whole[:, :12])
    digests_corrected(kit)
    assert "Expected embeddings of 12 numbers, as when the kit was made, but tiny-clip gives 24 here" in refused(kit)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": []}, "images in .* is empty"),
        ({"images": ["../../secret.png"]}, "images in .* names a file that the kit does not list"),
        ({"images": 3}, "images in .* is 3"),
        ({"texts": [""]}, "texts in .* is"),
        ({"encoded": 0}, "encoded in .* is 0"),
        ({"encoded": 7}, "encoded in .* is 7"),
        ({"encoded": True}, "encoded in .* is True"),
        ({"encoded": 5}, "probe/image_embeddings.npy in .* holds no 5 rows"),
        ({"embeddings": "/etc/passwd"}, "embeddings in .* names no file that the kit lists"),
        ({"prepared": None}, "prepared in .* names no file that the kit lists"),
        ({"text_embeddings": None}, "text_embeddings in .* names no file"),
        ({"images": ["kit.json"]}, "images in .* names a file that the kit does not list"),
        ({"images": [CONFIGURATION]}, f"{CONFIGURATION} in .* is no readable PNG"),
    ],
)
def test_records_that_are_no_probe(kit: Path, changed: dict, message: str) -> None:
    record = json.loads((kit / "kit.json").read_text())
    record["probe"] |= changed
    (kit / "kit.json").write_text(json.dumps(record))
    with pytest.raises(EncoderError, match=f"Expected the probe of a kit, but {message}"):
        load_encoder(str(kit), device="cpu")


def test_without_a_number_all_images_are_encoded(kit: Path) -> None:
    record = json.loads((kit / "kit.json").read_text())
    assert record["probe"].pop("encoded") == 6
    (kit / "kit.json").write_text(json.dumps(record))
    load_encoder(str(kit), device="cpu")
    rows = np.load(kit / "probe/image_embeddings.npy")
    rows[5] = rows[4]
    np.save(kit / "probe/image_embeddings.npy", rows)
    digests_corrected(kit)
    assert "that of image-6.png of the probe has cosine" in refused(kit)


def test_of_a_large_input_one_image_is_encoded(
    tmp_path: Path, write_checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = {**TINY_MODEL, "vision_cfg": {**TINY_VISION, "image_size": 512, "patch_size": 64}}
    folder = write_checkpoint(tmp_path / "large", cfg, TINY_PREPROCESS)
    kit = add_probe(folder)
    assert kit.probe is not None
    assert (len(kit.probe["images"]), kit.probe["encoded"]) == (6, 1)
    assert np.load(folder / "probe/image_embeddings.npy").shape == (1, 24)
    assert sum(path.stat().st_size for path in (folder / "probe").iterdir()) < 130_000
    check_probe(load_encoder(str(folder), device="cpu"), kit)
    # 32 of 512 rows and columns are enough to notice an input that is one pixel further left.
    encoder = load_encoder(f"local-dir:{folder}", device="cpu")
    prepare = encoder.prepare
    monkeypatch.setattr(encoder, "prepare", lambda pixels: np.roll(prepare(pixels), 1, axis=2), raising=False)
    with pytest.raises(EncoderError, match=r"image-\d.png of the probe differs by \d\.\d+ on average"):
        check_probe(encoder, kit)


def test_without_a_text_tower(kit: Path) -> None:
    encoder = load_encoder(str(kit), device="cpu")

    class Mute:
        """The same encoder, mute."""

        supports_text = False

        def __getattr__(self, name: str) -> Any:
            return getattr(encoder, name)

    files, record = make_probe(Mute(), encoded=6)  # type: ignore[arg-type]
    assert (record["texts"], record["text_embeddings"]) == ([], None)
    assert "probe/text_embeddings.npy" not in files
    kit_as_read = read_kit(kit)
    assert kit_as_read is not None
    with pytest.raises(EncoderError, match="Expected an encoder with a text tower, as when the kit was made, but tiny"):
        check_probe(Mute(), kit_as_read)  # type: ignore[arg-type]
    check_probe(Mute(), replace(kit_as_read, record={**kit_as_read.record, "probe": record}))  # type: ignore[arg-type]
    check_probe(Mute(), replace(kit_as_read, record={"files": {}}))  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float32, (2, 5), elements=st.floats(-1e3, 1e3, width=32)), st.floats(0.125, 8.0))
def test_cosines(rows: np.ndarray, factor: float) -> None:
    cosines = _cosines(rows, (rows * np.float32(factor)).astype(np.float32))
    for row, cosine in zip(rows, cosines, strict=True):
        if np.linalg.norm(row) > 1e-3:
            assert cosine == pytest.approx(1, abs=1e-6)
    exact = [
        1.0
        if not a.any() and not b.any()
        else float(a @ b / n)
        if (n := np.linalg.norm(a) * np.linalg.norm(b))
        else 0.0
        for a, b in zip(rows.astype(float), rows[::-1].astype(float), strict=True)
    ]
    np.testing.assert_allclose(_cosines(rows, rows[::-1]), exact, atol=1e-9)


def test_a_zero_is_no_embedding_of_anything_else() -> None:
    rows = np.array([[0, 0], [1, 0]], dtype=np.float32)
    assert _cosines(rows, rows).tolist() == [1, 1]
    assert _cosines(rows, rows[::-1]).tolist() == [0, 0]


def test_threads_and_batches_change_too_little_to_matter(kit: Path) -> None:
    encoder = load_encoder(str(kit), device="cpu")
    kit_as_read = read_kit(kit)
    assert kit_as_read is not None
    images = probe_images()
    expected = np.load(kit / "probe" / "image_embeddings.npy")
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            one_by_one = np.concatenate([encoder.encode_images([image]) for image in images])
            assert _cosines(one_by_one, expected).min() > 0.999999
            check_probe(encoder, kit_as_read)
    finally:
        torch.set_num_threads(threads)
