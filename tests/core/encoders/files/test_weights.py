"""Weights: damaged, dangerous, incomplete and ambiguous files are refused by name."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.files.weights import read_weights, weights_digest, weights_in
from radcbir_core.errors import EncoderError

SAFE = "open_clip_model.safetensors"
TORCH = "open_clip_pytorch_model.bin"


def refused(folder: Path) -> str:
    with pytest.raises(EncoderError) as caught:
        load_encoder(f"local-dir:{folder}", device="cpu")
    message = str(caught.value)
    assert message.isprintable()
    return message


class Malicious:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("how", ["torch", "torch legacy", "pickle", "beside weights"])
@pytest.mark.parametrize("force", [False, True])
def test_nothing_is_unpickled(
    copy_of_tiny: Path, tmp_path: Path, how: str, force: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "was-run"
    state = load_file(copy_of_tiny / SAFE)
    (copy_of_tiny / SAFE).unlink()
    if force:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    target = copy_of_tiny / TORCH
    if how == "pickle":
        target.write_bytes(pickle.dumps(Malicious(proof)))
    elif how == "beside weights":
        torch.save({"state_dict": state, "args": Malicious(proof)}, target)
    else:
        torch.save(Malicious(proof), target, _use_new_zipfile_serialization=how == "torch")
    message = refused(copy_of_tiny)
    assert not proof.exists()
    assert "Expected weights that load without running code, but" in message or "truncated or damaged" in message
    assert str(target) in message
    # The trap is one: what torch and pickle do without the guard.
    pickle.loads(pickle.dumps(Malicious(proof)))  # noqa: S301
    assert proof.exists()


def test_a_pickle_with_a_safetensors_name(copy_of_tiny: Path, tmp_path: Path) -> None:
    (copy_of_tiny / SAFE).write_bytes(pickle.dumps(Malicious(tmp_path / "was-run")))
    assert "is truncated or damaged" in refused(copy_of_tiny)
    assert not (tmp_path / "was-run").exists()


def test_a_torchscript_archive(copy_of_tiny: Path) -> None:
    (copy_of_tiny / SAFE).unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), str(copy_of_tiny / TORCH))
    message = refused(copy_of_tiny)
    assert message.startswith("Expected weights that load without running code, but")
    assert message.endswith("Get the model as safetensors, from a source that you trust.")


@pytest.mark.parametrize("name", [SAFE, TORCH])
@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.999])
def test_a_truncated_file(copy_of_tiny: Path, name: str, keep: float) -> None:
    path = copy_of_tiny / SAFE
    if name == TORCH:
        torch.save(load_file(path), copy_of_tiny / TORCH)
        path.unlink()
        path = copy_of_tiny / TORCH
    content = path.read_bytes()
    path.write_bytes(content[: int(keep if keep >= 1 or keep == 0 else len(content) * keep)])
    message = refused(copy_of_tiny)
    assert message.startswith(
        f"Expected whole weights, but {path} ({path.stat().st_size:,} bytes) is truncated or damaged"
    )
    assert message.endswith("Delete it and fetch or copy it again.")


def test_a_git_lfs_pointer(copy_of_tiny: Path) -> None:
    (copy_of_tiny / SAFE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    assert refused(copy_of_tiny).endswith("is a Git LFS pointer to them. Run git lfs pull in that folder.")


def test_missing_unexpected_and_misshapen_tensors(copy_of_tiny: Path) -> None:
    path = copy_of_tiny / SAFE
    state = load_file(path)
    without = {name: tensor for name, tensor in state.items() if name != "visual.proj"}
    save_file(without, path)
    advice = "Use the configuration that belongs to these weights."
    assert refused(copy_of_tiny) == (
        f"Expected the weights of exactly this architecture, but {path} has 1 missing (visual.proj). {advice}"
    )
    extra = {f"extra.{letter}": torch.zeros(1) for letter in "abcde"}
    save_file({**state, **extra}, path)
    assert f"has 5 unexpected (extra.a, extra.b, extra.c, … (5 in all)). {advice}" in refused(copy_of_tiny)
    save_file({**without, **extra}, path)
    assert "has 1 missing (visual.proj) and 5 unexpected (extra.a" in refused(copy_of_tiny)
    save_file({**state, "visual.proj": torch.zeros(32, 99)}, path)
    assert "has visual.proj (32, 99) instead of (32, 24). Use" in refused(copy_of_tiny)
    save_file({**state, "visual.proj": torch.zeros(32, 24, dtype=torch.int8)}, path)
    assert "Expected floating-point weights, but" in refused(copy_of_tiny)


def test_habits_of_saving_make_no_difference(copy_of_tiny: Path) -> None:
    state = load_file(copy_of_tiny / SAFE)
    digest = load_encoder(f"local-dir:{copy_of_tiny}", device="cpu").weights_digest
    (copy_of_tiny / SAFE).unlink()
    for habit in (
        state,
        {"state_dict": state, "epoch": 3},
        {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
        {**state, "logit_scale": state["logit_scale"].reshape(1)},
    ):
        torch.save(habit, copy_of_tiny / TORCH)
        assert load_encoder(f"local-dir:{copy_of_tiny}", device="cpu").weights_digest == digest


def test_half_precision_weights_load_as_float32(copy_of_tiny: Path, images: list[np.ndarray]) -> None:
    path = copy_of_tiny / SAFE
    full = load_encoder(f"local-dir:{copy_of_tiny}", device="cpu")
    save_file({name: tensor.half() for name, tensor in load_file(path).items()}, path)
    half = load_encoder(f"local-dir:{copy_of_tiny}", device="cpu")
    assert half.weights_digest != full.weights_digest
    np.testing.assert_allclose(half.encode_images(images), full.encode_images(images), atol=0.02)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, {}, torch.zeros(3)])
def test_a_file_that_holds_something_else(copy_of_tiny: Path, content: Any) -> None:
    (copy_of_tiny / SAFE).unlink()
    torch.save(content, copy_of_tiny / TORCH)
    assert refused(copy_of_tiny).startswith("Expected a table of named tensors, but")


def test_which_file_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(
        EncoderError, match=r"Expected a weights file in .*, but it holds none. Put open_clip_model.safeten"
    ):
        weights_in(tmp_path)
    (tmp_path / "epoch_1.pt").touch()
    assert weights_in(tmp_path).name == "epoch_1.pt"
    (tmp_path / "epoch_2.pt").touch()
    with pytest.raises(
        EncoderError, match=r"Expected one weights file in .*, but it holds epoch_1.pt, epoch_2.pt. Rename"
    ):
        weights_in(tmp_path)
    (tmp_path / "b.safetensors").touch()
    assert weights_in(tmp_path).name == "b.safetensors"
    (tmp_path / "pytorch_model.bin").touch()
    assert weights_in(tmp_path).name == "pytorch_model.bin"
    (tmp_path / SAFE).touch()
    assert weights_in(tmp_path).name == SAFE


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"Expected a readable weights file, but .*none.safetensors: No such file"):
        read_weights(tmp_path / "none.safetensors")
    (tmp_path / "folder.bin").mkdir()
    with pytest.raises(EncoderError, match=r"Expected a readable weights file, but .*folder.bin: Is a directory"):
        read_weights(tmp_path / "folder.bin")


def test_the_digest_is_over_names_kinds_shapes_and_values() -> None:
    class Two(torch.nn.Module):
        def __init__(self, first: torch.Tensor, second: torch.Tensor) -> None:
            super().__init__()
            self.register_buffer("first", first)
            self.register_buffer("second", second)

    plain = Two(torch.tensor([1.0, 2.0]), torch.tensor(3.0))
    stream = io.BytesIO()
    stream.write(b"first torch.float32 (2,)\n" + np.array([1, 2], dtype="<f4").tobytes())
    stream.write(b"second torch.float32 ()\n" + np.array(3, dtype="<f4").tobytes())
    assert weights_digest(plain) == hashlib.sha256(stream.getvalue()).hexdigest()
    others = [
        Two(torch.tensor([1.0, 2.5]), torch.tensor(3.0)),
        Two(torch.tensor([[1.0, 2.0]]), torch.tensor(3.0)),
        Two(torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor(3.0)),
        Two(torch.tensor([1.0]), torch.tensor([2.0, 3.0])),
    ]
    assert len({weights_digest(other) for other in [plain, *others]}) == 5
    assert weights_digest(Two(torch.arange(4.0).reshape(2, 2).T, torch.tensor(0))) == weights_digest(
        Two(torch.arange(4.0).reshape(2, 2).T.contiguous(), torch.tensor(0))
    )


def test_numbers_of_numpy_are_read_and_nothing_else(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}, "best": np.float32(1.5)}, tmp_path / "a.pt")
    assert list(read_weights(tmp_path / "a.pt")) == ["a"]
    torch.save(
        {"state_dict": {"a": torch.ones(2)}, "best": np.array([json], dtype=object).shape, "p": Path}, tmp_path / "b.pt"
    )
    with pytest.raises(EncoderError, match=r"needs code to be run"):
        read_weights(tmp_path / "b.pt")
