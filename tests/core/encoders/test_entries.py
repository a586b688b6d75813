"""The table of known encoders: complete, true to the code, and the same in the documents and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from radcbir_core.cli import main
from radcbir_core.encoders import encoder_id_of, known_encoders
from radcbir_core.encoders.registry import ROOT, _parsed
from radcbir_core.errors import EncoderError

# The paper's ten encoders and its specialised one, and what else is asked for.
PAPER = {
    "biomedclip", "clip-vit-l-14", "medclip", "dinov2-vit-b-14", "vit-b-16", "mae-vit-b-16", "sam-vit-b",
    "medsam-vit-b", "resnet50", "radimagenet-resnet50",
}  # fmt: skip
BEYOND = {
    "resnet50-pooled", "medsiglip", "rad-dino", "unimed-clip-vit-b-16", "siglip2-vit-b-16", "dinov3-vit-b-16",
    "pe-core-b-16", "mobileclip2-s2",
}  # fmt: skip


def test_all_are_there() -> None:
    assert {entry.encoder_id for entry in known_encoders() if entry.in_paper} == PAPER
    assert {entry.encoder_id for entry in known_encoders()} == PAPER | BEYOND | {"pixels", "radcbir-mini"}


def test_each_says_all_there_is_to_know() -> None:
    for entry in known_encoders():
        for field in ("title", "source", "bring_in", "licence", "input", "output", "note"):
            assert getattr(entry, field), (entry.encoder_id, field)
        assert entry.citation or entry.encoder_id == "pixels"
        assert bool(entry.output_option) == entry.spec.startswith("hf:")


def test_the_readme_has_the_table() -> None:
    lines = (ROOT / "docs" / "encoders.md").read_text(encoding="utf-8").splitlines()
    start = lines.index(
        "| `--encoder` | what | dimension | text | source | licence | input | output | to bring it in |"
    )
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append(line)
    assert rows == [
        f"| `{entry.encoder_id}`{'*' if entry.in_paper else ''} | {entry.title} | {entry.dimension} | "
        f"{'yes' if entry.supports_text else 'no'} | {entry.source} | {entry.licence} | {entry.input} | "
        f"{entry.output} | {entry.bring_in} |"
        for entry in known_encoders()
    ]


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encoders", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["encoder_id"] for row in printed] == [entry.encoder_id for entry in known_encoders()]
    assert main(["encoders"]) == 0
    out = capsys.readouterr().out
    for entry in known_encoders():
        for fact in (entry.encoder_id, entry.licence, entry.bring_in, entry.note, entry.output):
            assert fact in out


def test_open_clip_agrees(open_clip: Any) -> None:
    for entry in known_encoders():
        if not entry.spec.startswith("open_clip:"):
            continue
        _, architecture, tag = entry.spec.split(":")
        cfg = open_clip.get_model_config(architecture)
        published = open_clip.get_pretrained_cfg(architecture, tag)
        side = cfg["vision_cfg"]["image_size"]
        fit = {"shortest": "cropped", "squash": "squashed"}[published["resize_mode"] or "shortest"]
        assert (cfg["embed_dim"], f"{side} x {side}, {fit}") == (entry.dimension, entry.input)
        assert published["hf_hub"].rstrip("/") in entry.source


@pytest.mark.parametrize(
    ("spec", "encoder_id", "canonical"),
    [
        ("resnet50", "resnet50", "resnet50"),
        ("hf:microsoft/resnet-50?output=logits", "resnet50", "resnet50"),
        ("hf:microsoft/resnet-50?output=pooled", "resnet50-pooled", "resnet50-pooled"),
        ("hf:microsoft/resnet-50", "resnet50-pooled", "hf:microsoft/resnet-50"),
        ("resnet50?output=pooled", "resnet50-pooled", "resnet50-pooled"),
        ("resnet50-pooled?output=logits&fit=pad", "resnet50-pad", "resnet50?fit=pad"),
        ("resnet50?output=mean", "resnet50-pooled-mean", "resnet50-pooled?output=mean"),
        ("dinov2-vit-b-14?fit=pad&output=mean", "dinov2-vit-b-14-mean-pad", "dinov2-vit-b-14?output=mean&fit=pad"),
        ("hf:facebook/dinov2-base?output=cls", "dinov2-vit-b-14", "dinov2-vit-b-14"),
        ("hf:some/one?output=cls", "hf--some--one-cls", "hf:some/one?output=cls"),
        ("hf-hub:some/one", "some--one", "hf-hub:some/one"),
        ("timm:vit_base_patch16_224.augreg", "timm-vit_base_patch16_224.augreg", "timm:vit_base_patch16_224.augreg"),
        ("timm:some/one?fit=squash", "timm-some--one-squash", "timm:some/one?fit=squash"),
        ("local-dir:/x/dinov2-vit-b-14", "local-dinov2-vit-b-14", "local-dir:/x/dinov2-vit-b-14"),
        ("local-dir:/x/y?output=cls&fit=pad", "y-cls-pad", "local-dir:/x/y?output=cls&fit=pad"),
    ],
)
def test_one_encoder_has_one_name(spec: str, encoder_id: str, canonical: str) -> None:
    assert encoder_id_of(spec) == encoder_id
    parsed = _parsed(spec)
    assert parsed.text == canonical
    again = _parsed(parsed.text)
    assert (again.encoder_id, again.output or "", again.fit) == (encoder_id, parsed.output or "", parsed.fit)


def test_every_long_form_is_its_entry() -> None:
    for entry in known_encoders():
        assert encoder_id_of(entry.spec) == encoder_id_of(_parsed(entry.spec).text) == entry.encoder_id


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("medclip?output=cls", "Expected no .output= here, but output = cls: medclip has one output. Remove it."),
        ("open_clip:ViT-B-32:openai?output=cls", "Expected no .output= here"),
        ("pixels?output=cls", "Expected pixels without options, but output = cls."),
        ("resnet50?output=cls&output=cls", "but option = .output=cls&output=cls. Correct or remove it."),
        ("resnet50?output=best", "but option = .output=best"),
        ("hf:microsoft", "Expected hf:organization/name, but encoder = hf:microsoft."),
        ("timm:../x", "Expected timm:name or timm:organization/name, but encoder = timm:../x."),
        ("medsam:x", "Expected one of pixels"),
    ],
)
def test_nonsense_is_refused(spec: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        encoder_id_of(spec)


def test_a_recipe_that_is_not_understood_is_refused(tiny: Path) -> None:
    from dataclasses import replace

    from radcbir_core.encoders import find_checkpoint, load_checkpoint

    named = {"spec": "made", "encoder_id": "made", "title": "Made", "device": "cpu"}
    checkpoint = find_checkpoint(str(tiny))
    with pytest.raises(EncoderError, match=r"Expected a recipe of nothing for the family open_clip, but it has crop"):
        load_checkpoint(replace(checkpoint, recipe={"crop": 3}), **named)
    with pytest.raises(
        EncoderError, match=r"Expected one of the families open_clip, .*, but family = 'keras'. It was m"
    ):
        load_checkpoint(replace(checkpoint, family="keras"), **named)


def test_a_folder_of_open_clip_has_one_output(tiny: Path) -> None:
    from radcbir_core.encoders import load_encoder

    with pytest.raises(EncoderError, match=r"Expected no .output= for the family open_clip, but output = cls"):
        load_encoder(f"{tiny}?output=cls", device="cpu")
