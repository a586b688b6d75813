"""What a user writes, and the folder-safe name that follows."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from radcbir_core.encoders import encoder_id_of, known_encoders, load_encoder, resolve_device
from radcbir_core.encoders.base import folder_safe
from radcbir_core.errors import EncoderError, EncoderUnavailableError

SAFE = re.compile(r"[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?")
PREFIXES = [
    "",
    "pixels",
    "biomedclip?",
    "?fit=",
    "open_clip:",
    "open_clip:ViT-B-32:",
    "hf-hub:",
    "hf-hub:a/",
    "local-dir:",
]
BIOMEDCLIP = "hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224"


@pytest.mark.parametrize(
    ("spec", "encoder_id"),
    [
        ("pixels", "pixels"),
        (" pixels\n", "pixels"),
        ("biomedclip", "biomedclip"),
        (BIOMEDCLIP, "biomedclip"),
        (f"{BIOMEDCLIP}?fit=pad", "biomedclip-pad"),
        ("biomedclip?fit=crop", "biomedclip-crop"),
        ("clip-vit-l-14", "clip-vit-l-14"),
        ("open_clip:ViT-L-14:openai", "clip-vit-l-14"),
        ("open_clip:ViT-L/14:openai", "vit-l-14-openai"),
        ("open_clip:ViT-B-32:laion2b_s34b_b79k", "vit-b-32-laion2b_s34b_b79k"),
        ("hf-hub:laion/CLIP-ViT-B-16", "laion--clip-vit-b-16"),
        ("local-dir:/opt/encoders/radcbir-mini", "radcbir-mini"),
        ("local-dir:/opt/encoders/radcbir-mini/", "radcbir-mini"),
        ("local-dir:/opt/encoders/radcbir-mini?fit=pad", "radcbir-mini-pad"),
        ("local-dir:/opt/what?/mini", "mini"),
        ("local-dir:/opt/My Model (v2)", "my-model-v2"),
        ("local-dir:/opt/.hidden", "hidden"),
        ("local-dir:../../etc/passwd", "passwd"),
        ("local-dir:/opt/pixels", "local-pixels"),
        ("local-dir:/opt/biomedclip-pad", "local-biomedclip-pad"),
    ],
)
def test_encoder_ids(spec: str, encoder_id: str) -> None:
    assert encoder_id_of(spec) == encoder_id


@settings(deadline=None)
@given(st.builds(str.__add__, st.sampled_from(PREFIXES), st.text(max_size=300)))
@example("..")
@example("local-dir:")
@example("?fit=pad")
@example("local-dir:\x00")
@example("local-dir:" + "x" * 300)
@example("local-dir:" + "x/" * 2045)
@example("open_clip::")
@example("hf-hub:a/..")
@example("local-dir:~nobody-of-that-name/x")
@example("pixels?fit=pad?fit=pad")
def test_any_text_is_an_id_or_one_line_of_error(text: str) -> None:
    try:
        encoder_id = encoder_id_of(text)
    except EncoderError as error:
        message = str(error)
        assert message.startswith("Expected ")
        assert message.isprintable()
    else:
        assert SAFE.fullmatch(encoder_id)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=300))
@example("/" + "x" * 300)
@example("a/../../b")
@example("模型")
@example("<img src=x onerror=alert(1)>")
def test_any_folder_gives_a_safe_id(path: str) -> None:
    assume("?" not in path and os.path.normpath(f"/x/{path.strip()}").strip("/"))
    encoder_id = encoder_id_of(f"local-dir:/x/{path}")
    assert SAFE.fullmatch(encoder_id)
    assert encoder_id != "pixels"
    # An id made from the id is the id: names that are safe already stay as they are.
    assert encoder_id_of(f"local-dir:/x/{encoder_id}") == encoder_id


def test_names_that_lose_letters_stay_apart() -> None:
    assert folder_safe("模型甲") != folder_safe("模型乙")
    assert folder_safe("modèle") == "modele"
    assert folder_safe("x" * 200) != folder_safe("x" * 201)
    assert len(folder_safe("x" * 200)) == 80


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "Expected the name of an encoder, but encoder = ''. Use one of pixels, biomedclip"),
        ("biomedclp", "Expected one of pixels, .*, but encoder = 'biomedclp'. Did you mean biomedclip?"),
        ("BiomedCLIP", "Did you mean biomedclip?"),
        (
            "zzz",
            "but encoder = 'zzz'. Or use open_clip:architecture:tag, hf-hub:organization/name, "
            "hf:organization/name, timm:name or local-dir:path.",
        ),
        ("openclip:ViT-B-32:openai", "Did you mean open_clip:ViT-B-32:openai?"),
        ("microsoft/resnet-50", " or hf:microsoft/resnet-50 or hf-hub:microsoft/resnet-50?"),
        ("open_clip:ViT-B-33:openai", "Expected an architecture built into open_clip, but .*Did you mean ViT-B-32"),
        ("open_clip:qqqqqqqq:openai", "open_clip.list_models.. names them all."),
        ("open_clip:ViT-B-32", "Expected open_clip:architecture:tag, but encoder = open_clip:ViT-B-32. Add a pretr"),
        ("open_clip:ViT-B-32:../x", "Expected open_clip:architecture:tag"),
        ("hf-hub:microsoft", "Expected hf-hub:organization/name, but encoder = hf-hub:microsoft. Copy the name"),
        ("hf-hub:../../etc/passwd", "Expected hf-hub:organization/name"),
        ("local-dir:", "Expected the path of a folder, but local-dir = ''. Name the folder."),
        ("local-dir:/", "Expected the path of a folder, but local-dir = '/'"),
        ("local-dir:~nobody-of-that-name/x", "Expected a path, but local-dir = '~nobody"),
        ("pixels?fit=pad", "Expected pixels without options, but fit = pad. Its recipe is fixed: write pixels."),
        (
            "biomedclip?fit=stretch",
            "Expected .fit=crop, .fit=pad, .fit=squash, .output=cls, .* or no option, but option = .fit=stretch",
        ),
        ("biomedclip?size=99", "but option = .size=99. Correct or remove it."),
    ],
)
def test_nonsense_is_refused_with_advice(spec: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        encoder_id_of(spec)
    with pytest.raises(EncoderError, match=message):
        load_encoder(spec)


def test_a_folder_written_without_prefix_is_that_folder(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert encoder_id_of(str(tiny)) == "tiny-clip"
    assert encoder_id_of(f"{tiny}?fit=pad") == "tiny-clip-pad"
    encoder = load_encoder(str(tiny), device="cpu")
    assert encoder.spec == f"local-dir:{tiny}"
    monkeypatch.chdir(tiny.parent)
    assert load_encoder("tiny-clip", device="cpu").spec == encoder.spec
    with pytest.raises(EncoderError, match=r"Expected one of pixels, .*, but encoder = '/nowhere/tiny-clip'"):
        encoder_id_of("/nowhere/tiny-clip")
    # A name of the table is that encoder, whatever folders there are.
    (tiny.parent / "biomedclip").mkdir(exist_ok=True)
    assert encoder_id_of("biomedclip") == "biomedclip"


def test_unknown_tag_names_near_ones() -> None:
    with pytest.raises(
        EncoderError, match=r"Expected a pretrained tag of ViT-B-32, but tag = 'opnai'. Did you mean openai"
    ):
        load_encoder("open_clip:ViT-B-32:opnai")
    with pytest.raises(EncoderError, match=r"tag = 'openai'. It has none: choose another architecture."):
        load_encoder("open_clip:ViT-S-16:openai")


def test_the_table_is_complete_and_consistent() -> None:
    entries = known_encoders()
    assert entries[0].encoder_id == "pixels"
    assert len({entry.encoder_id for entry in entries}) == len(entries)
    for entry in entries:
        assert encoder_id_of(entry.encoder_id) == encoder_id_of(entry.spec) == entry.encoder_id
        assert entry.title
        assert entry.licence
        assert entry.note
        assert entry.dimension > 0
        assert entry.citation or entry.family == "pixels"
    entries.clear()
    assert known_encoders()


def test_the_table_agrees_with_open_clip(open_clip: object) -> None:
    from open_clip import get_model_config, is_pretrained_cfg

    entry = next(entry for entry in known_encoders() if entry.encoder_id == "clip-vit-l-14")
    assert is_pretrained_cfg("ViT-L-14", "openai")
    assert get_model_config("ViT-L-14")["embed_dim"] == entry.dimension


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cuda:", "CPU", "", "cuda:0 "])
def test_unknown_devices_are_refused(device: str) -> None:
    with pytest.raises(EncoderError, match=r"Expected auto, cpu, cuda, cuda:<number> or mps, but device = "):
        resolve_device(device)


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def machine(*, gpus: int, apple: bool) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)

    machine(gpus=2, apple=False)
    assert [resolve_device(name) for name in ("auto", "cpu", "cuda", "cuda:1", "cuda:01")] == [
        "cuda", "cpu", "cuda", "cuda:1", "cuda:1",
    ]  # fmt: skip
    with pytest.raises(EncoderError, match=r"but device = cuda:2 and torch .* finds 2 CUDA devices here. Use auto"):
        resolve_device("cuda:2")
    machine(gpus=0, apple=True)
    assert resolve_device("auto") == resolve_device("mps") == "mps"
    machine(gpus=0, apple=False)
    assert resolve_device("auto") == "cpu"
    for name in ("cuda", "mps"):
        with pytest.raises(EncoderError, match=f"Expected a device that is here, but device = {name} and torch"):
            resolve_device(name)
        with pytest.raises(EncoderError, match=f"but device = {name}"):
            load_encoder("pixels", device=name)


def test_unavailable_is_an_encoder_error() -> None:
    assert issubclass(EncoderUnavailableError, EncoderError)


def test_a_relative_folder_is_remembered_in_full(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny.parent)
    encoder = load_encoder(f"local-dir:./{tiny.name}", device="cpu")
    assert encoder.spec == f"local-dir:{tiny}"
    monkeypatch.chdir(os.sep)
    assert load_encoder(encoder.spec, device="cpu").fingerprint == encoder.fingerprint
