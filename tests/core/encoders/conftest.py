"""Small checkpoints made on the spot, a fake hub cache, and a network that must not be touched."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.encoders.tiny_models import TINY_MODEL, TINY_PREPROCESS, WORDS


@pytest.fixture(scope="session")
def open_clip() -> Any:
    from radcbir_core.encoders.torch.support import import_open_clip

    return import_open_clip()


@pytest.fixture(scope="session")
def write_checkpoint(open_clip: Any) -> Callable[..., Path]:
    """A function that saves a random model of a configuration as open_clip's users do."""
    import torch
    from safetensors.torch import save_file

    def write(
        folder: Path,
        model_cfg: dict[str, Any] = TINY_MODEL,
        preprocess_cfg: dict[str, Any] = TINY_PREPROCESS,
        *,
        seed: int = 0,
        build: Callable[..., Any] | None = None,
    ) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(seed)
        kwargs = {key: value for key, value in model_cfg.items() if key != "custom_text"}
        model = (build or open_clip.CLIP)(**kwargs)
        # Fresh layers are too tame to tell two activations or two pixels apart.
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.15)
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(
            json.dumps({"model_cfg": model_cfg, "preprocess_cfg": preprocess_cfg})
        )
        return folder

    return write


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, write_checkpoint: Callable[..., Path]) -> Path:
    """A tiny CLIP with a vision transformer, as a folder. Read-only by agreement."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoints") / "tiny-clip")


@pytest.fixture
def copy_of_tiny(tiny: Path, tmp_path: Path) -> Path:
    """The tiny CLIP in a folder that the test may damage."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in tiny.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory, open_clip: Any) -> Path:
    """Configuration and tokenizer of a tiny BERT, as transformers saves them."""
    from transformers import BertConfig, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert") / "tiny-bert"
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    BertTokenizerFast.from_pretrained(folder).save_pretrained(folder)
    BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """Gray and color, wide and tall, large and smaller than any input."""
    random = np.random.default_rng(7)
    shapes = [(40, 64), (64, 40), (33, 33), (70, 200, 3), (199, 71, 3), (20, 16), (5, 9, 3), (32, 32), (128, 257)]
    return [random.integers(0, 256, shape, dtype=np.uint8) for shape in shapes]


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, dict[str, Path]], Path]:
    """An empty hub cache of the test's own, and a function that puts files of a repository into it."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))

    def put(repository: str, files: dict[str, Path]) -> Path:
        folder = tmp_path / "home" / "hub" / f"models--{repository.replace('/', '--')}"
        commit = "0123456789abcdef0123456789abcdef01234567"
        (folder / "refs").mkdir(parents=True, exist_ok=True)
        (folder / "refs" / "main").write_text(commit)
        snapshot = folder / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        for name, source in files.items():
            (snapshot / name).symlink_to(source)
        return snapshot

    return put


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every attempt to resolve or connect fails, is remembered, and fails the test at its end."""
    attempts: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        attempts.append(arguments)
        raise OSError("the test allows no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield attempts
    assert attempts == []
