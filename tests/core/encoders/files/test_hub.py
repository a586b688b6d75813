"""Files from the hub's cache, from a hub made in the test, and from one that cannot be reached."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.files.hub import fetch_file, fetch_folder, is_repository
from radcbir_core.errors import FOLDER, EncoderError, EncoderUnavailableError, Remedy
from tests.core.encoders.tiny_models import TINY_MODEL

REPOSITORY = Path(__file__).resolve().parents[4]
COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Hub:
    """As much of the hub's protocol as its client needs to fetch a file or a folder."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.gated: set[str] = set()
        self.requests: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def respond(self) -> None:
                hub.requests.append(f"{self.command} {self.path}")
                path = self.path.partition("?")[0].removeprefix("/api/models").strip("/")
                repository, _, rest = re.split(r"/(resolve|revision|tree)/", path)
                rest = rest.partition("/")[2]
                files = hub.files.get(repository)
                if repository in hub.gated:
                    self.answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
                elif files is None:
                    self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
                elif self.path.startswith("/api/models/"):
                    entries: Any = {"id": repository, "sha": COMMIT, "siblings": [{"rfilename": n} for n in files]}
                    if "/tree/" in self.path:
                        entries = [
                            {"type": "file", "path": name, "size": len(content), "oid": f"{len(content):040x}"}
                            for name, content in files.items()
                        ]
                    self.answer(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})
                elif rest not in files:
                    self.answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
                else:
                    content = files[rest]
                    self.answer(200, content, {"ETag": f'"{len(content):040x}"', "X-Repo-Commit": COMMIT})

            do_GET = do_HEAD = respond

            def answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(content))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Keep the test's output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, hub_cache: Any) -> Iterator[Hub]:
    made = Hub()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    use_endpoint(monkeypatch, made.address)
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def use_endpoint(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(
        huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def put(hub: Hub, repository: str, folder: Path) -> None:
    hub.files[repository] = {path.name: path.read_bytes() for path in folder.iterdir()}


def test_download_then_cache(hub: Hub, tiny: Path, images: list[np.ndarray]) -> None:
    put(hub, "example/tiny", tiny)
    first = load_encoder("hf-hub:example/tiny", device="cpu")
    assert first.encoder_id == "example--tiny"
    assert first.spec == "hf-hub:example/tiny"
    assert any(request.startswith("GET") for request in hub.requests)
    hub.requests.clear()
    hub.files.clear()
    second = load_encoder("hf-hub:example/tiny", device="cpu")
    assert hub.requests == []  # what is in the cache is not asked for
    local = load_encoder(f"local-dir:{tiny}", device="cpu")
    assert first.fingerprint == second.fingerprint == local.fingerprint
    np.testing.assert_array_equal(second.encode_images(images), local.encode_images(images))


def test_a_torch_file_where_there_is_no_safetensors(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(tiny / "open_clip_model.safetensors"), tmp_path / "open_clip_pytorch_model.bin")
    put(hub, "example/tiny", tmp_path)
    hub.files["example/tiny"]["open_clip_config.json"] = (tiny / "open_clip_config.json").read_bytes()
    encoder = load_encoder("hf-hub:example/tiny", device="cpu")
    # The same weights in another format are the same weights.
    assert encoder.fingerprint == load_encoder(f"local-dir:{tiny}", device="cpu").fingerprint


def test_a_text_towers_files_are_fetched_too(hub: Hub, tiny: Path, tiny_bert: Path) -> None:
    put(hub, "example/tiny-bert", tiny_bert)
    hub.files["example/tiny-bert"]["pytorch_model.bin"] = b"not wanted"
    folder = fetch_folder("example/tiny-bert", patterns=("tokenizer*", "vocab*"), markers=("spiece.model", "vocab.txt"))
    names = {path.name for path in folder.iterdir()}
    assert "vocab.txt" in names
    assert "pytorch_model.bin" not in names
    hub.requests.clear()
    assert fetch_folder("example/tiny-bert", patterns=(), markers=("vocab.txt",)) == folder
    assert hub.requests == []


@pytest.mark.parametrize(
    ("repository", "message"),
    [
        ("example/none", "Expected a repository on the hub, but example/none is unknown there or private. Check its"),
        (
            "example/gated",
            "Expected access to example/gated, .*Accept them at https://huggingface.co/example/gated, then",
        ),
        (
            "example/empty",
            "Expected a or b in the hub's repository, but example/empty has no such file. Check the name",
        ),
    ],
)
def test_what_the_hub_refuses(hub: Hub, repository: str, message: str) -> None:
    hub.files |= {"example/gated": {}, "example/empty": {}}
    hub.gated.add("example/gated")
    with pytest.raises(EncoderUnavailableError, match=message):
        fetch_file(repository, ("a", "b"))


@pytest.mark.parametrize("spec", ["biomedclip", "clip-vit-l-14", "hf-hub:example/tiny"])
def test_no_reachable_hub_is_told_at_once(
    spec: str, hub_cache: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        use_endpoint(monkeypatch, f"http://127.0.0.1:{closed.getsockname()[1]}")
    load_encoder_once_for_its_imports()
    with pytest.raises(EncoderUnavailableError) as caught:
        load_encoder(spec, device="cpu")
    message = str(caught.value)
    assert message.isprintable()
    assert "the hub gave" in message
    assert message.endswith("copy it here and name its folder as the encoder.")
    assert caught.value.remedy == Remedy("fetch_encoder", options={"to": FOLDER})
    assert capfd.readouterr() == ("", "")


def load_encoder_once_for_its_imports() -> None:
    with pytest.raises(EncoderError):
        load_encoder("open_clip:ViT-B-32:none")


def test_a_hub_that_never_answers(hub_cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use_endpoint(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr("radcbir_core.encoders.files.hub.CONNECT_SECONDS", 0.3)
        with pytest.raises(EncoderUnavailableError, match=r"the hub gave .*timed out"):
            fetch_file("example/tiny", ("a",))
        monkeypatch.setattr("radcbir_core.encoders.files.hub.CONNECT_SECONDS", 2.0)
        monkeypatch.setattr("radcbir_core.encoders.files.hub.GIVE_UP_SECONDS", 0.2)
        with pytest.raises(EncoderUnavailableError, match=r"the hub gave no answer in 0.2 seconds"):
            fetch_file("example/tiny", ("a",))


def test_offline_mode_asks_nobody(
    tiny: Path, hub_cache: Any, monkeypatch: pytest.MonkeyPatch, no_network: list[Any]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        EncoderUnavailableError, match=r"Expected open_clip_config.json of example/tiny in the local cache"
    ):
        load_encoder("hf-hub:example/tiny", device="cpu")
    hub_cache("example/tiny", {"open_clip_config.json": tiny / "open_clip_config.json"})
    # Only the configuration is there: the weights are what is missing.
    with pytest.raises(
        EncoderUnavailableError, match=r"Expected open_clip_model.safetensors or open_clip_pytorch_model"
    ):
        load_encoder("hf-hub:example/tiny", device="cpu")
    hub_cache("example/tiny", {"open_clip_model.safetensors": tiny / "open_clip_model.safetensors"})
    assert load_encoder("hf-hub:example/tiny", device="cpu").dimension == 24


def test_only_the_configuration_cached_and_no_hub(tiny: Path, hub_cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use_endpoint(monkeypatch, "http://127.0.0.1:9")
    hub_cache("example/tiny", {"open_clip_config.json": tiny / "open_clip_config.json"})
    with pytest.raises(
        EncoderUnavailableError, match=r"Expected open_clip_model.safetensors of example/tiny in the local"
    ):
        load_encoder("hf-hub:example/tiny", device="cpu")


def test_repository_names() -> None:
    good = ["a/b", "roberta-base", "microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224", "a/_b"]
    bad = ["", "/", "a/", "a/b/c", "../b", "a/..", "a--b/c", "a/b.", "-a/b", "a b/c", "x" * 97, "a/b\n"]
    assert [is_repository(name) for name in good] == [True] * len(good)
    assert [is_repository(name) for name in bad] == [False] * len(bad)
    with pytest.raises(EncoderError, match=r"Expected organization/name of a repository, but repository = '../x'"):
        fetch_file("../x", ("config.json",))


class TestBuiltIn:
    def test_quick_gelu_follows_the_tag(
        self, open_clip: Any, tmp_path: Path, images: list[np.ndarray], hub_cache: Any, no_network: Any,
        write_checkpoint: Any, monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        """An architecture without QuickGELU and a tag trained with it, as ViT-L-14 and openai are."""
        folder = write_checkpoint(tmp_path / "made", {**TINY_MODEL, "quick_gelu": True})
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Tiny-32", TINY_MODEL)
        tags = {
            "quick": {
                "hf_hub": "example/quick/",
                "quick_gelu": True,
                "mean": (0.4, 0.45, 0.5),
                "std": (0.2, 0.25, 0.3),
            },
            "plain": {"hf_hub": "example/quick/", "resize_mode": "squash", "interpolation": "bilinear"},
        }
        monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "Tiny-32", tags)
        hub_cache("example/quick", {"open_clip_model.safetensors": folder / "open_clip_model.safetensors"})
        quick = load_encoder("open_clip:Tiny-32:quick", device="cpu")
        plain = load_encoder("open_clip:Tiny-32:plain", device="cpu")
        assert (quick.encoder_id, quick.title) == ("tiny-32-quick", "Tiny-32 (quick)")
        local = load_encoder(f"local-dir:{folder}", device="cpu")
        np.testing.assert_array_equal(quick.encode_images(images), local.encode_images(images))
        assert quick.preprocessing == local.preprocessing
        assert (plain.preprocessing.fit, plain.preprocessing.interpolation) == ("squash", "bilinear")
        assert plain.weights_digest == quick.weights_digest
        assert plain.fingerprint != quick.fingerprint
        assert "quick_gelu" not in TINY_MODEL  # open_clip's own table is left alone

    def test_the_paper_s_clip_is_read_right(self, open_clip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        from radcbir_core.encoders.families import open_clip_sources

        asked = []
        monkeypatch.setattr(open_clip_sources, "fetch_file", lambda *what: asked.append(what) or Path("weights"))
        source = open_clip_sources.from_tag("ViT-L-14", "openai")
        model_cfg = source.read_json("open_clip_config.json")["model_cfg"]
        assert model_cfg["quick_gelu"] is True
        assert model_cfg["vision_cfg"]["image_size"] == 224
        assert len(source.files) == 2  # its own text tower and tokenizer need no files
        assert asked == [
            ("timm/vit_large_patch14_clip_224.openai", ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"))
        ]

    def test_at_true_size(
        self, open_clip: Any, tmp_path: Path, images: list[np.ndarray], hub_cache: Any, no_network: Any
    ) -> None:
        """ViTamin-S, 62 million parameters, with random weights in the torch file its tag names."""
        torch.manual_seed(0)
        model = open_clip.create_model("ViTamin-S", load_weights=False).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(parameter * 1.5 if parameter.ndim > 1 else parameter)
        torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
        hub_cache("jienengchen/ViTamin-S", {"pytorch_model.bin": tmp_path / "pytorch_model.bin"})
        encoder = load_encoder("open_clip:ViTamin-S:datacomp1b", device="cpu")
        (tmp_path / "pytorch_model.bin").unlink()  # pytest keeps the folders of three runs: spare it 750 MB
        assert (encoder.dimension, encoder.preprocessing.size) == (384, (224, 224))
        from PIL import Image

        transform = open_clip.image_transform(model.visual.image_size, is_train=False)
        with torch.no_grad():
            pixels = torch.stack([transform(Image.fromarray(image)) for image in images[:3]])
            made = model.encode_image(pixels, normalize=True).numpy()
            said = model.encode_text(open_clip.tokenize(["CT of the head", "a"]), normalize=True).numpy()
        np.testing.assert_allclose(encoder.encode_images(images[:3]), made, rtol=0, atol=1e-5)
        np.testing.assert_allclose(encoder.encode_texts(["CT of the head", "a"]), said, rtol=0, atol=1e-5)
        assert np.abs(made[0] - made[1]).max() > 1e-3


def test_a_fresh_process_offline_and_quiet(tiny: Path, tiny_bert: Path, tmp_path: Path, hub_cache: Any) -> None:
    """The environment variables a user sets, and nothing on stderr."""
    hub_cache("example/tiny", {path.name: path for path in tiny.iterdir()})
    code = (
        "from radcbir_core.encoders import load_encoder\n"
        "encoder = load_encoder('hf-hub:example/tiny', device='cpu')\n"
        "encoder.encode_texts(['chest'])\n"
        "print(encoder.fingerprint)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == load_encoder(f"local-dir:{tiny}", device="cpu").fingerprint
