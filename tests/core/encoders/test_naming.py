"""What follows a prefix: names on the hub, of timm's and of open_clip's, and the folder-safe names that they get."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radcbir_core.encoders import encoder_id_of
from radcbir_core.encoders.naming import (
    architecture_and_tag,
    identify_builtin,
    identify_model,
    identify_repository,
    identify_timm,
    timm_repository,
)
from radcbir_core.errors import EncoderError


def test_ids_and_titles() -> None:
    assert identify_repository("Org/Name_1") == ("org--name_1", "Org/Name_1")
    assert identify_model("Org/Name_1") == ("hf--org--name_1", "Org/Name_1"), "another than open_clip's of that name"
    assert identify_timm("resnet50.a1_in1k") == ("timm-resnet50.a1_in1k", "resnet50.a1_in1k (timm)")
    assert identify_timm("org/name") == ("timm-org--name", "org/name (timm)")
    assert identify_builtin("ViT-L/14:openai") == ("vit-l-14-openai", "ViT-L-14 (openai)")


def test_parts_of_a_name() -> None:
    assert architecture_and_tag("ViT-B-32") == ("ViT-B-32", "")
    assert architecture_and_tag("a:b:c") == ("a", "b:c")
    assert [timm_repository(name) for name in ("x", "org/x")] == ["timm/x", "org/x"]


@pytest.mark.parametrize(
    ("identify", "name", "message"),
    [
        (identify_repository, "name", "Expected hf-hub:organization/name, but encoder = hf-hub:name. Copy the name"),
        (identify_repository, "a/../b", "Expected hf-hub:organization/name, but encoder = hf-hub:a/../b."),
        (identify_model, "name", "Expected hf:organization/name, but encoder = hf:name."),
        (identify_timm, "a/b/c", "Expected timm:name or timm:organization/name, but encoder = timm:a/b/c."),
        (identify_timm, "", "Write, for example, timm:vit_base_patch16_224.augreg_in21k."),
        (identify_builtin, "ViT-B-32", "Expected open_clip:architecture:tag, but encoder = open_clip:ViT-B-32."),
        (identify_builtin, "ViT-B-32:a/b", "Expected open_clip:architecture:tag, but"),
        (identify_builtin, "ViT-B-23:openai", "but architecture = 'ViT-B-23'. Did you mean ViT-B-"),
        (identify_builtin, "zzzzzz:openai", "open_clip.list_models() names them all."),
    ],
)
def test_names_that_cannot_be(identify, name, message) -> None:
    with pytest.raises(EncoderError) as caught:
        identify(name)
    assert message in str(caught.value)


def test_architectures_are_the_same_with_and_without_open_clip(
    monkeypatch: pytest.MonkeyPatch, open_clip: object
) -> None:
    import sys

    from radcbir_core.encoders.naming import builtin_architectures

    loaded = set(builtin_architectures())
    monkeypatch.delitem(sys.modules, "open_clip")
    assert set(builtin_architectures()) == loaded
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"Expected open_clip to be installed, but it is not. Run pip install"):
        encoder_id_of("open_clip:ViT-B-32:openai")


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,3}", fullmatch=True), min_size=4, max_size=4))
def test_repositories_do_not_share_ids(parts: list[str]) -> None:
    first, second = f"{parts[0]}/{parts[1]}", f"{parts[2]}/{parts[3]}"
    same = encoder_id_of(f"hf-hub:{first}") == encoder_id_of(f"hf-hub:{second}")
    assert same == (first.lower() == second.lower())
