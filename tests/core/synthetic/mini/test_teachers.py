"""Teachers: files that are none are refused; what an EfficientNet-Lite sees is that of its own stages."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from radcbir_core.encoders.torch.support import import_open_clip
from radcbir_core.errors import EncoderError
from radcbir_core.synthetic.mini import teachers
from radcbir_core.synthetic.mini.augment import SIDE
from radcbir_core.synthetic.mini.teachers import look
from radcbir_core.synthetic.mini.training_views import Views


def few_views(count: int = 5) -> Views:
    """So many views of noise."""
    generator = np.random.default_rng(0)
    return Views(
        pixels=generator.integers(0, 256, (count, SIDE, SIDE), dtype=np.uint8),
        rows=np.arange(count),
        first=np.arange(count),
        count=np.ones(count, dtype=np.int64),
        digest="few",
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("teacher.tflite", "ai-edge-litert|TensorFlow Lite model"),
        ("teacher.pth", "weights of an EfficientNet-Lite0"),
        ("teacher.onnx", r"ends in .tflite or .pth"),
    ],
)
def test_a_teacher_that_is_none(tmp_path, name, said) -> None:
    path = tmp_path / name
    path.write_bytes(b"no model")
    with pytest.raises(EncoderError, match=said):
        look(few_views(), path, cache=tmp_path / "cache")
    assert not list(tmp_path.glob("cache/*"))


def other_names(state):
    """A network's weights under the names of another program, in the same order."""
    return {f"_part{number}.{name.rsplit('.')[-1]}": value for number, (name, value) in enumerate(state.items())}


def test_an_efficientnet_lite_is_seen_through_at_each_stage(tmp_path) -> None:
    import_open_clip()
    import timm

    torch.manual_seed(0)
    network = timm.create_model("efficientnet_lite0", pretrained=False).eval()
    path = tmp_path / "teacher.pth"
    torch.save(other_names(network.state_dict()), path)
    views = few_views()
    seen = look(views, path, cache=tmp_path / "cache")
    assert seen.features.shape == (5, sum(seen.widths))
    # By hand: one image after the other through the network's parts.
    image = torch.from_numpy(views.pixels[3].astype(np.float32))[None, None] / 255
    side = teachers._LITE_SIDE
    image = torch.nn.functional.interpolate(image, size=(side, side), mode="bilinear", antialias=True)
    hidden = network.bn1(network.conv_stem((image.expand(-1, 3, -1, -1) * 255 - 127) / 128))
    expected = []
    with torch.inference_mode():
        for number, block in enumerate(network.blocks):
            hidden = block(hidden)
            if number:
                flat = hidden.flatten(2)
                expected.append(torch.cat([flat.mean(2), flat.std(2)], dim=1)[0].numpy())
    assert seen.widths == tuple(len(level) for level in expected)
    for level, wanted in zip(seen.levels, expected, strict=True):
        assert np.allclose(level[3].astype(np.float32), wanted, rtol=0.01, atol=0.01 * float(np.abs(wanted).max()))
    again = look(views, path, cache=tmp_path / "cache")
    assert np.array_equal(again.features, seen.features)
    torch.save(dict(list(other_names(network.state_dict()).items())[:-1]), path)
    with pytest.raises(EncoderError, match="weights of an EfficientNet-Lite0"):
        look(views, path, cache=tmp_path / "cache")
