"""Kits: made on one machine, used on another without network, and never half there."""

from __future__ import annotations

import copy
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from radcbir_core.cli import main
from radcbir_core.encoders import encoder_id_of, load_encoder
from radcbir_core.encoders.kits.fetching import _unshared, add_probe, fetch_kit
from radcbir_core.encoders.kits.kit_json import check_kit, read_kit
from radcbir_core.errors import EncoderError, EncoderUnavailableError, StorageError
from radcbir_core.storage import write_json
from tests.core.encoders.families import test_transformers
from tests.core.encoders.files.test_hub import Hub, hub, put  # noqa: F401 - a fixture
from tests.core.encoders.published import DINOV2_NAMES, write_folder
from tests.core.encoders.tiny_models import TINY_MODEL
from tests.stand_ins import project_quickly

REPOSITORY = Path(__file__).resolve().parents[4]
WEIGHTS = "open_clip_model.safetensors"
TEXTS = ["chest x-ray with a mass", "CT of the head"]
BIOMED = {
    "embed_dim": 24,
    "vision_cfg": TINY_MODEL["vision_cfg"],
    "text_cfg": {
        "hf_model_name": "example/tiny-bert",
        "hf_tokenizer_name": "example/tiny-bert",
        "hf_proj_type": "mlp",
        "hf_pooler_type": "cls_last_hidden_state_pooler",
        "context_length": 16,
    },
}


@pytest.fixture
def biomed(tmp_path: Path, tiny_bert: Path, write_checkpoint: Callable[..., Path], open_clip: Any) -> Path:
    """A checkpoint of BiomedCLIP's kind: its BERT's configuration and tokenizer lie in another repository."""

    def build(**cfg: Any) -> Any:
        local = copy.deepcopy(cfg)
        local["text_cfg"] |= {"hf_model_name": str(tiny_bert), "hf_model_pretrained": False}
        return open_clip.CustomTextCLIP(**local)

    return write_checkpoint(tmp_path / "biomed", BIOMED, build=build)


def names_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def left_behind(folder: Path, *known: str) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in known)


class TestFromTheHubToAMachineWithoutNetwork:
    def test_a_text_tower_of_another_repository(
        self, hub: Hub, biomed: Path, tiny_bert: Path, tmp_path: Path, images: list[np.ndarray],  # noqa: F811
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        put(hub, "example/biomed", biomed)
        put(hub, "example/tiny-bert", tiny_bert)
        hub.files["example/biomed"] |= {"LICENSE": b"Do what you like.", "README.md": b"---\nlicense: mit\n---"}
        kit = fetch_kit("hf-hub:example/biomed", tmp_path / "kit")
        assert kit.encoder_id == "example--biomed"
        in_folder = names_in(tmp_path / "kit")
        assert {"open_clip_config.json", WEIGHTS, "text/config.json", "tokenizer.json", "vocab.txt"} <= in_folder
        assert in_folder == {*kit.files, "kit.json"}
        assert (tmp_path / "kit/LICENSE").read_bytes() == b"Do what you like."
        assert (tmp_path / "kit/MODEL_CARD.md").read_bytes().startswith(b"---\nlicense: mit")
        for name, source in (("open_clip_config.json", biomed), (WEIGHTS, biomed), ("tokenizer.json", tiny_bert)):
            assert (tmp_path / "kit" / name).read_bytes() == (source / name).read_bytes()
        assert "example/biomed" in (tmp_path / "kit/LICENCE.txt").read_text()
        online = load_encoder("hf-hub:example/biomed", device="cpu")
        made, said = online.encode_images(images), online.encode_texts(TEXTS)

        moved = tmp_path / "elsewhere" / "any name"
        moved.parent.mkdir()
        (tmp_path / "kit").rename(moved)
        done = in_a_fresh_process_without_network(moved, tmp_path)
        np.testing.assert_allclose(done["texts"], said, atol=1e-5)
        np.testing.assert_allclose(done["images"], online.encode_images(fixed_images()), atol=1e-5)
        assert (done["encoder_id"], done["fingerprint"]) == ("example--biomed", online.fingerprint)
        assert made.shape == (len(images), 24)

    def test_a_missing_tokenizer_is_noticed_here_and_not_there(
        self, hub: Hub, biomed: Path, tiny_bert: Path, tmp_path: Path  # noqa: F811
    ) -> None:  # fmt: skip
        put(hub, "example/biomed", biomed)
        put(hub, "example/tiny-bert", tiny_bert)
        hub.files["example/tiny-bert"]["tokenizer.json"] = b"{"
        with pytest.raises(EncoderError, match="Expected a tokenizer that transformers can load"):
            fetch_kit("hf-hub:example/biomed", tmp_path / "kit")
        assert left_behind(tmp_path, "biomed", "home") == []

    def test_no_hub_and_no_cache(self, hub_cache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import socket

        def refuse(*_: Any, **__: Any) -> None:
            raise OSError("no network here")

        monkeypatch.setattr(socket, "getaddrinfo", refuse)
        with pytest.raises(EncoderUnavailableError, match="no network here"):
            fetch_kit("biomedclip", tmp_path / "kit")
        assert left_behind(tmp_path, "home") == []


def fixed_images() -> list[np.ndarray]:
    return [np.arange(40 * 30, dtype=np.uint8).reshape(40, 30), np.full((9, 20, 3), 77, dtype=np.uint8)]


def in_a_fresh_process_without_network(kit: Path, tmp_path: Path) -> dict[str, Any]:
    """What the kit gives in a process that may connect nowhere, with an empty cache and nothing said to be offline."""
    code = """
import json, sys
import numpy as np

def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        print("tried", event, arguments, file=sys.stderr)
        raise OSError("no network here")

sys.addaudithook(refuse)
from radcbir_core.encoders import load_encoder
encoder = load_encoder(sys.argv[1], device="cpu")
images = [np.arange(40 * 30, dtype=np.uint8).reshape(40, 30), np.full((9, 20, 3), 77, dtype=np.uint8)]
print(json.dumps({
    "encoder_id": encoder.encoder_id,
    "fingerprint": encoder.fingerprint,
    "images": encoder.encode_images(images).tolist(),
    "texts": encoder.encode_texts(json.loads(sys.argv[2])).tolist(),
}))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    environment["HF_HOME"] = str(tmp_path / "empty")
    done = subprocess.run(
        [sys.executable, "-c", code, str(kit), json.dumps(TEXTS)],
        capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


class TestFromTheDisk:
    def test_a_torch_file_becomes_safetensors_tensor_for_tensor(
        self, tiny: Path, tmp_path: Path, hub_cache: Any
    ) -> None:
        source = tmp_path / "source"
        source.mkdir()
        state = load_file(tiny / WEIGHTS)
        state["visual.class_embedding"] = state["visual.class_embedding"].half()
        torch.save({"state_dict": state, "epoch": 3}, source / "open_clip_pytorch_model.bin")
        shutil.copy(tiny / "open_clip_config.json", source)
        (source / "LICENSE.md").write_text("Mine.")
        (source / "notes.txt").write_text("not the encoder's")
        kit = fetch_kit("hf-hub:example/tiny", tmp_path / "kit", source=source)
        written = load_file(tmp_path / "kit" / kit.record["weights"])
        assert kit.record["weights"].endswith(".safetensors")
        assert written.keys() == state.keys()
        for name, tensor in state.items():
            assert written[name].dtype == tensor.dtype
            assert torch.equal(written[name], tensor)
        assert (tmp_path / "kit/LICENSE").read_text() == "Mine."
        modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "kit").iterdir() if path.is_file()}
        assert len(modes) == 1, "whoever may read one file may read the others"
        assert "notes.txt" not in names_in(tmp_path / "kit")
        assert load_encoder(str(tmp_path / "kit"), device="cpu").encoder_id == "example--tiny"

    def test_a_known_encoder_from_a_folder_in_a_fresh_process(
        self, biomed: Path, tiny_bert: Path, tmp_path: Path, hub_cache: Any, no_network: Any
    ) -> None:
        """As a person does it: the first thing that this process imports is what the command needs."""
        for path in tiny_bert.iterdir():
            shutil.copy(path, biomed)
        command = [sys.executable, "-m", "radcbir_core", "fetch-encoder", "biomedclip"]
        command += ["--from", str(biomed), "--to", str(tmp_path / "kit")]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        encoder = load_encoder(str(tmp_path / "kit"), device="cpu")
        assert (encoder.encoder_id, encoder.title) == ("biomedclip", "BiomedCLIP (ViT-B/16, PubMedBERT)")
        assert encoder.encode_texts(TEXTS).shape == (2, 24)
        licence = (tmp_path / "kit/LICENCE.txt").read_text().splitlines()
        assert "Licence of the weights: MIT" in licence
        assert licence[-1].startswith("Cite: Zhang et al.")
        assert encoder.fingerprint == load_encoder(f"local-dir:{biomed}", device="cpu").fingerprint

    def test_another_output_is_checked_as_published_and_then_used(
        self, tmp_path: Path, images: list[np.ndarray], hub_cache: Any, no_network: Any
    ) -> None:
        source = write_folder(
            tmp_path / "source",
            test_transformers.dinov2(),
            test_transformers.DINOV2_PROCESSOR,
            names=DINOV2_NAMES,
        )
        kit = fetch_kit("dinov2-vit-b-14", tmp_path / "kit", source=source)
        for options in ("?output=mean", "?output=mean&fit=pad"):
            asked = load_encoder(f"{kit.folder}{options}", device="cpu")
            plain = load_encoder(f"{source}{options}", device="cpu")
            assert asked.fingerprint == plain.fingerprint
            np.testing.assert_array_equal(asked.encode_images(images), plain.encode_images(images))
        published = load_encoder(str(kit.folder), device="cpu")
        assert np.abs(published.encode_images(images) - asked.encode_images(images)).max() > 1e-3

    def test_shared_and_strided_tensors(self) -> None:
        whole = torch.arange(12.0).reshape(3, 4)
        state = {"a": whole, "tied": whole, "row": whole[1], "turned": whole.T, "alone": torch.ones(2)}
        owned = _unshared(state)
        for name, tensor in state.items():
            assert torch.equal(owned[name], tensor)
            assert owned[name].is_contiguous()
        assert len({tensor.untyped_storage().data_ptr() for tensor in owned.values()}) == len(state)

    def test_a_pickle_that_needs_code_is_refused(self, tiny: Path, tmp_path: Path, hub_cache: Any) -> None:
        class Attack:
            def __reduce__(self) -> Any:
                return (Path.write_text, (tmp_path / "attacked", "yes"))

        source = tmp_path / "source"
        source.mkdir()
        torch.save({"weights": Attack()}, source / "open_clip_pytorch_model.bin")
        shutil.copy(tiny / "open_clip_config.json", source)
        with pytest.raises(EncoderError, match="needs code to be run"):
            fetch_kit("hf-hub:example/tiny", tmp_path / "kit", source=source)
        assert left_behind(tmp_path, "source") == []

    def test_weights_of_another_model_are_refused(self, tiny: Path, tmp_path: Path, hub_cache: Any) -> None:
        source = tmp_path / "source"
        source.mkdir()
        state = load_file(tiny / WEIGHTS)
        torch.save({name: state[name] for name in list(state)[:5]}, source / "open_clip_pytorch_model.bin")
        shutil.copy(tiny / "open_clip_config.json", source)
        with pytest.raises(EncoderError, match="Expected the weights of exactly this architecture"):
            fetch_kit("hf-hub:example/tiny", tmp_path / "kit", source=source)
        assert left_behind(tmp_path, "source") == []

    def test_a_kit_of_a_kit_is_the_same_kit(self, mini: Path, tmp_path: Path, no_network: Any) -> None:
        first = fetch_kit("radcbir-mini", tmp_path / "first")
        second = fetch_kit(f"local-dir:{first.folder}", tmp_path / "second")
        assert second.encoder_id == "radcbir-mini"
        assert first.record == second.record

    def test_what_is_known_of_an_encoder_goes_on_with_it(self, tiny: Path, tmp_path: Path, hub_cache: Any) -> None:
        source = Path(shutil.copytree(tiny, tmp_path / "Our Encoder"))
        (source / "LICENSE").write_text("Ours.")
        (source / "README.md").write_text("Our card.")
        add_probe(
            source, facts={"licence": "CC-BY-4.0", "citation": "Us, 2025", "title": "Our encoder", "source": "us"}
        )
        for origin, target in (("Our Encoder", "second"), ("second", "third")):
            kit = fetch_kit(str(tmp_path / origin), tmp_path / target)
            known = ("encoder_id", "title", "licence", "citation", "source", "spec")
            assert [kit.record[key] for key in known] == [
                "our-encoder", "Our encoder", "CC-BY-4.0", "Us, 2025", "us", "Our Encoder",
            ]  # fmt: skip
            assert (kit.folder / "LICENSE").read_text() == "Ours."
            assert (kit.folder / "MODEL_CARD.md").read_text() == "Our card."
            assert "Licence of the weights: CC-BY-4.0" in (kit.folder / "LICENCE.txt").read_text()

    def test_no_path_of_this_machine_is_in_a_kit(self, tiny: Path, tmp_path: Path, hub_cache: Any) -> None:
        kit = fetch_kit(f"local-dir:{tiny}", tmp_path / "kit")
        for name in ("kit.json", "LICENCE.txt"):
            assert str(tiny.parent) not in (kit.folder / name).read_text()
        assert (kit.record["spec"], kit.record["licence"]) == ("tiny-clip", "not known to RadCBIR: see the source")

    @pytest.mark.parametrize(
        ("spec", "options", "message"),
        [
            ("biomedclop", {}, "Did you mean biomedclip"),
            ("pixels", {}, "pixels has none"),
            ("radcbir-mini?fit=crop", {}, "Make the kit without"),
            ("radcbir-mini", {"source": Path("/nowhere/at-all")}, "does not exist"),
        ],
    )
    def test_what_is_no_encoder_with_files(
        self, mini: Path, tmp_path: Path, spec: str, options: dict, message: str, no_network: Any
    ) -> None:
        with pytest.raises(EncoderError, match=message):
            fetch_kit(spec, tmp_path / "kit", **options)
        assert left_behind(tmp_path) == []


class TestThePlace:
    def test_it_must_not_exist(self, mini: Path, tmp_path: Path) -> None:
        for make in (Path.mkdir, Path.touch, lambda path: path.symlink_to(tmp_path / "nowhere")):
            make(tmp_path / "taken")
            for replace in (False, True):
                with pytest.raises(EncoderError, match="Expected a new folder, or an older kit of radcbir-mini, but"):
                    fetch_kit("radcbir-mini", tmp_path / "taken", replace=replace)
            if (tmp_path / "taken").is_dir():
                (tmp_path / "taken").rmdir()
            else:
                (tmp_path / "taken").unlink()
        with pytest.raises(EncoderError, match=f"Expected a folder to make the kit in, but {tmp_path}/no is none"):
            fetch_kit("radcbir-mini", tmp_path / "no" / "kit")
        assert left_behind(tmp_path) == []

    def test_an_older_kit_of_the_same_encoder_is_replaced_on_request(
        self, mini: Path, tiny: Path, tmp_path: Path
    ) -> None:
        fetch_kit("radcbir-mini", tmp_path / "kit")
        (tmp_path / "kit/old.txt").write_text("old")
        (tmp_path / "kit" / WEIGHTS).write_bytes(b"damaged")
        with pytest.raises(EncoderError, match=r"is a kit of radcbir-mini already\. Have it replaced"):
            fetch_kit("radcbir-mini", tmp_path / "kit")
        assert (tmp_path / "kit/old.txt").is_file()
        with pytest.raises(EncoderError, match="exists and is the kit of radcbir-mini"):
            fetch_kit("hf-hub:example/tiny", tmp_path / "kit", source=tiny, replace=True)
        fetch_kit("radcbir-mini", tmp_path / "kit", replace=True)
        assert not (tmp_path / "kit/old.txt").exists()
        check_kit(tmp_path / "kit")
        assert left_behind(tmp_path) == ["kit"]

    def test_a_failure_leaves_the_older_kit(self, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = fetch_kit("radcbir-mini", tmp_path / "kit")

        def fail(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("radcbir_core.encoders.kits.fetching.make_probe", fail)
            with pytest.raises(KeyboardInterrupt):
                fetch_kit("radcbir-mini", tmp_path / "kit", replace=True)
        assert check_kit(tmp_path / "kit") == before
        assert left_behind(tmp_path) == ["kit"]

    def test_killed_between_the_two_renames(self, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        before = fetch_kit("radcbir-mini", tmp_path / "kit")
        (tmp_path / "kit").rename(tmp_path / ".partial-kit-kit-before")
        write_json(tmp_path / ".swap-kit.json", {"fresh": ".partial-kit-kit", "before": ".partial-kit-kit-before"})
        with pytest.raises(EncoderError, match="Have it replaced"):
            fetch_kit("radcbir-mini", tmp_path / "kit")
        assert check_kit(tmp_path / "kit") == before
        assert left_behind(tmp_path) == ["kit"]

    def test_killed_while_writing(self, mini: Path, tiny_root: Path, tmp_path: Path) -> None:
        code = (
            "import sys, time\nfrom pathlib import Path\nfrom radcbir_core.encoders import registry\n"
            "from radcbir_core.encoders.kits import fetching\n"
            "registry.ROOT = Path(sys.argv[1])\n"
            "def wait(*_, **__):\n    print('now', flush=True)\n    time.sleep(60)\n"
            "fetching.make_probe = wait\nfetching.fetch_kit('radcbir-mini', Path(sys.argv[2]))\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tiny_root), str(tmp_path / "kit")],
            cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        with pytest.raises(EncoderError, match=r"Expected nobody else to be writing .*kit, but another process is"):
            fetch_kit("radcbir-mini", tmp_path / "kit")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert not (tmp_path / "kit").exists()
        assert (tmp_path / ".partial-kit-kit").is_dir()
        fetch_kit("radcbir-mini", tmp_path / "kit")
        check_kit(tmp_path / "kit")
        assert left_behind(tmp_path) == ["kit"]

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
    def test_no_space_or_no_permission(
        self, mini: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Path, *_: Any, **__: Any) -> None:
            raise OSError(number, os.strerror(number), str(self))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "mkdir", refuse)
            with pytest.raises(StorageError, match=f"Expected to write the kit .*kit, but .*{os.strerror(number)}"):
                fetch_kit("radcbir-mini", tmp_path / "kit")
        assert left_behind(tmp_path) == []

    def test_no_space_for_the_last_file(self, mini: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from radcbir_core.encoders.kits import fetching

        whole, calls = fetching._write, []

        def fill(path: Path, content: Any) -> None:
            calls.append(path.name)
            if path.name == "text_embeddings.npy":
                raise OSError(errno.ENOSPC, "No space left on device")
            whole(path, content)

        monkeypatch.setattr(fetching, "_write", fill)
        with pytest.raises(StorageError, match=r"No space left on device\. Free some space there"):
            fetch_kit("radcbir-mini", tmp_path / "kit")
        assert calls[-1] == "text_embeddings.npy"
        assert left_behind(tmp_path) == []

    def test_a_full_disk_while_weights_are_converted(self, tiny: Path, tmp_path: Path, hub_cache: Any) -> None:
        source = tmp_path / "source"
        source.mkdir()
        torch.save(load_file(tiny / WEIGHTS), source / "open_clip_pytorch_model.bin")
        shutil.copy(tiny / "open_clip_config.json", source)
        resource = pytest.importorskip("resource")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
        try:
            with pytest.raises(StorageError, match=r"Expected to write the weights .*but the disk gave: .*too large"):
                fetch_kit("hf-hub:example/tiny", tmp_path / "kit", source=source)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert left_behind(tmp_path, "source") == []

    def test_two_at_once(self, mini: Path, tmp_path: Path) -> None:
        with (
            filelock.FileLock(tmp_path / ".kit.lock"),
            pytest.raises(EncoderError, match=r"but another process is\. Wait until it has finished"),
        ):
            fetch_kit("radcbir-mini", tmp_path / "kit")


@pytest.fixture(scope="module")
def made(tiny_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit. Read-only."""
    folder = tiny_root / "data" / "encoders" / "radcbir-mini"
    return fetch_kit(f"local-dir:{folder}", tmp_path_factory.mktemp("kits") / "kit").folder


class TestAttacks:
    @pytest.fixture
    def kit(self, made: Path, tmp_path: Path) -> Path:
        return Path(shutil.copytree(made, tmp_path / "kit"))

    def refused(self, folder: Path) -> str:
        with pytest.raises(EncoderError) as caught:
            load_encoder(str(folder), device="cpu")
        assert str(caught.value).isprintable()
        return str(caught.value)

    def changed(self, folder: Path, **changed: Any) -> str:
        record = json.loads((folder / "kit.json").read_text())
        (folder / "kit.json").write_text(json.dumps(record | changed))
        return self.refused(folder)

    def test_altered_weights(self, kit: Path) -> None:
        data = bytearray((kit / WEIGHTS).read_bytes())
        data[-1] ^= 1
        (kit / WEIGHTS).write_bytes(data)
        assert "is truncated or altered" in self.refused(kit)

    def test_a_truncated_list(self, kit: Path) -> None:
        text = (kit / "kit.json").read_text()
        for length in (0, 1, len(text) // 2, len(text) - 3):
            (kit / "kit.json").write_text(text[:length])
            assert "kit.json is not valid JSON" in self.refused(kit)

    @pytest.mark.parametrize(
        "name", ["../../secret", "/etc/passwd", "probe/../../x", "..\\x", "C:\\x", "a:b", "", "\0", "nul\0"]
    )
    def test_names_that_lead_out(self, kit: Path, name: str) -> None:
        files = json.loads((kit / "kit.json").read_text())["files"]
        assert "Expected names of files in the folder, but" in self.changed(kit, files={**files, name: "0" * 64})

    def test_links_that_lead_out(self, kit: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        (kit / WEIGHTS).rename(outside)
        (kit / WEIGHTS).symlink_to(outside)
        assert f"{kit / WEIGHTS} is a link out of it" in self.refused(kit)
        (kit / WEIGHTS).unlink()
        outside.rename(kit / "inside")
        (kit / WEIGHTS).symlink_to("inside")  # a link within the folder comes along with it
        load_encoder(str(kit), device="cpu")
        (kit / WEIGHTS).unlink()
        (kit / WEIGHTS).symlink_to(WEIGHTS)
        assert f"{kit / WEIGHTS} cannot be read" in self.refused(kit)
        (tmp_path / "probe").mkdir()
        shutil.rmtree(kit / "probe")
        (kit / "probe").symlink_to(tmp_path / "probe")
        (kit / WEIGHTS).unlink()
        (kit / "inside").rename(kit / WEIGHTS)
        assert "is missing" in self.refused(kit)

    def test_the_folder_itself_may_be_a_link(self, kit: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(kit)
        assert load_encoder(str(tmp_path / "link"), device="cpu").encoder_id == "radcbir-mini"

    @pytest.mark.parametrize("version", [2, 99, "1", None, 1.0, True])
    def test_a_newer_format(self, kit: Path, version: Any) -> None:
        message = self.changed(kit, format=version)
        assert f"Expected a kit of format 1 or older, but {kit / 'kit.json'} has format = {version!r}" in message
        assert "Update RadCBIR" in message

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"family": 3}, "Expected family in"),
            ({"family": "warp-drive"}, "family = 'warp-drive'"),
            ({"recipe": []}, "Expected recipe in"),
            ({"weights": "none.safetensors"}, "does not list 'none.safetensors'"),
            ({"weights": "kit.json"}, "does not list 'kit.json'"),
            ({"encoder_id": "../x"}, "Expected an encoder_id of lower-case letters"),
            ({"encoder_id": ""}, "Expected encoder_id in"),
            ({"title": "a\nb"}, "Expected a title of one line"),
            ({"probe": "no"}, "Expected the record of a probe"),
            ({"files": {}}, "lists none"),
        ],
    )
    def test_records_that_are_no_kit(self, kit: Path, changed: dict, message: str) -> None:
        assert message in self.changed(kit, **changed)

    def test_a_file_that_is_not_listed_is_not_used(self, kit: Path) -> None:
        before = load_encoder(str(kit), device="cpu").fingerprint
        (kit / "open_clip_model.bin").write_bytes(b"an attack")
        (kit / "config.json").write_text('{"model_type": "vit", "architecture": "x", "pretrained_cfg": {}}')
        assert load_encoder(str(kit), device="cpu").fingerprint == before

    def test_a_read_only_kit_is_as_good(self, kit: Path, no_network: Any) -> None:
        for path in [*kit.rglob("*"), kit]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            assert load_encoder(str(kit), device="cpu").supports_text
        finally:
            for path in [kit, *kit.rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)


class TestAddProbe:
    def test_in_place(self, mini: Path, tmp_path: Path) -> None:
        folder = Path(shutil.copytree(mini, tmp_path / "radcbir-other"))
        (folder / "README.md").write_text("a card")
        kit = add_probe(folder, facts={"licence": "Apache-2.0", "title": "Other"})
        assert (kit.encoder_id, kit.title, kit.record["licence"]) == ("radcbir-other", "Other", "Apache-2.0")
        assert "README.md" not in kit.files
        assert (folder / "README.md").read_text() == "a card"
        assert load_encoder(str(folder), device="cpu").title == "Other"
        again = add_probe(folder)
        assert again.record == kit.record

    def test_the_committed_encoder_keeps_its_name(self, mini: Path, tmp_path: Path, monkeypatch: Any) -> None:
        root = Path(shutil.copytree(mini.parents[2], tmp_path / "root"))
        monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", root)
        kit = add_probe(root / "data/encoders/radcbir-mini")
        assert (kit.encoder_id, kit.record["licence"]) == ("radcbir-mini", "Apache-2.0")
        assert load_encoder("radcbir-mini", device="cpu").spec == "radcbir-mini"
        (kit.folder / "probe/prepared.npy").unlink()
        with pytest.raises(EncoderError, match="git checkout -- data/encoders/radcbir-mini"):
            load_encoder("radcbir-mini", device="cpu")

    def test_files_that_lie_elsewhere(self, biomed: Path, tiny_bert: Path, hub_cache: Any) -> None:
        hub_cache("example/tiny-bert", {path.name: path for path in tiny_bert.iterdir()})
        with pytest.raises(EncoderError, match=f"Expected all files of the encoder in {biomed} under their own names"):
            add_probe(biomed)
        kit = fetch_kit(f"local-dir:{biomed}", biomed.parent / "kit")
        assert "tokenizer.json" in kit.files


class TestCommands:
    def test_build_query_and_evaluate_with_a_kit(
        self, mini: Path, small_data: Path, tmp_path: Path, monkeypatch: Any, capsys: Any, no_network: Any,
        hub_cache: Any,
    ) -> None:  # fmt: skip
        monkeypatch.setenv("RADCBIR_DATA", str(shutil.copytree(small_data, tmp_path / "data")))
        monkeypatch.setattr("radcbir_core.pipeline.project_store", project_quickly)
        kit = tmp_path / "a kit"
        assert main(["fetch-encoder", "radcbir-mini", "--to", str(kit)]) == 0
        out = capsys.readouterr().out
        assert f"Next, wherever the folder is: python -m radcbir_core build NAME --encoder '{kit}'" in out
        assert out.splitlines()[-1].startswith(f"Made the kit of radcbir-mini: {kit}, ")
        monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tmp_path / "no repository")
        moved = kit.rename(tmp_path / "moved")
        assert main(["build", "small", "--encoder", f"{moved}?fit=crop"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "Built small with radcbir-mini-crop: 61 images, 0 failed."
        chosen = ["--encoder", f"{moved}?fit=crop"]
        assert main(["query", "small", *chosen, "--text", "chest", "-k", "3"]) == 0
        assert "3 hits" in capsys.readouterr().out
        assert main(["evaluate", "small", *chosen]) == 0
        capsys.readouterr()
        shutil.rmtree(moved)
        assert main(["query", "small", "--encoder", "radcbir-mini-crop", "--text", "chest"]) == 2
        assert "Expected a folder" in capsys.readouterr().err

    def test_one_line_of_error(self, mini: Path, tmp_path: Path, capsys: Any) -> None:
        for arguments, message in (
            (["biomedclop", "--to", str(tmp_path / "kit")], "Did you mean biomedclip"),
            (["radcbir-mini"], "--to"),
            (["radcbir-mini", "--to", str(tmp_path / "a" / "b")], "Make it first"),
        ):
            assert main(["fetch-encoder", *arguments]) == 2
            err = capsys.readouterr().err
            assert message in err
            assert len(err.strip().splitlines()) == 1


def test_a_kit_names_its_encoder(mini: Path, tmp_path: Path) -> None:
    kit = fetch_kit("radcbir-mini", tmp_path / "any-name")
    assert encoder_id_of(str(kit.folder)) == "radcbir-mini"
    assert encoder_id_of(f"local-dir:{kit.folder}?fit=squash") == "radcbir-mini-squash"
    assert read_kit(kit.folder) == kit
