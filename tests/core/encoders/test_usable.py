"""Which encoders can be used here: asked without the network, and without reading weights."""

from __future__ import annotations

import shutil

import pytest

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.files import hub
from radcbir_core.encoders.usable import find_usable_encoders
from radcbir_core.errors import EncoderUnavailableError


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch, tmp_path):
    """An empty cache, and a hub that must not be asked."""

    def asked(*_):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(hub, "_within", asked)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def test_with_an_empty_cache_there_are_those_that_need_none(mini):
    usable = find_usable_encoders()
    assert [(encoder.spec, encoder.supports_text) for encoder in usable] == [("pixels", False), ("radcbir-mini", True)]
    for encoder in usable:
        assert load_encoder(encoder.spec, device="cpu").encoder_id == encoder.spec


def test_kits_in_a_folder_are_found_and_damaged_ones_passed_over(mini, tmp_path):
    shutil.copytree(mini, tmp_path / "kits" / "mine")
    (tmp_path / "kits" / "broken").mkdir()
    (tmp_path / "kits" / "broken" / "kit.json").write_text("{")
    (tmp_path / "kits" / "notes.txt").touch()
    usable = [encoder.spec for encoder in find_usable_encoders([tmp_path / "kits", tmp_path / "none"])]
    assert usable == ["pixels", "radcbir-mini", f"local-dir:{tmp_path / 'kits' / 'mine'}"]


def test_a_damaged_encoder_of_the_repository_is_not_offered(mini, tiny_root, tmp_path, monkeypatch):
    shutil.copytree(tiny_root, tmp_path / "root")
    monkeypatch.setattr("radcbir_core.encoders.registry.ROOT", tmp_path / "root")
    (tmp_path / "root/data/encoders/radcbir-mini/open_clip_model.safetensors").unlink()
    assert [encoder.spec for encoder in find_usable_encoders()] == ["pixels"]


def test_the_hub_is_asked_again_afterwards(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: False)
    with hub.asking_nobody(), pytest.raises(EncoderUnavailableError, match="in the local cache, but it is not"):
        hub.fetch_file("no/such", ["config.json"])
    with pytest.raises(EncoderUnavailableError, match="the hub was asked"):
        hub.fetch_file("no/such", ["config.json"])
