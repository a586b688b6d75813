"""What a teacher sees: centered by kind, and views that belong to their image."""

from __future__ import annotations

import numpy as np
import pytest

from radcbir_core.errors import EncoderError
from radcbir_core.synthetic.mini import teacher
from radcbir_core.synthetic.mini.teacher import APPEARANCE, teach
from tests.core.synthetic.mini.examples import made_up


def test_a_teacher_that_is_none(tmp_path) -> None:
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"no model")
    with pytest.raises(EncoderError, match=r"ai-edge-litert|TensorFlow Lite model"):
        teach(made_up(1), path, cache=tmp_path / "cache")


def test_what_the_teacher_sees_is_centered_by_kind_and_views_belong_to_their_image(tmp_path, monkeypatch) -> None:
    def run(pixels, extents, *_):
        """Mean level, its square, the share of black, and a constant."""
        level = np.array([image[:h, :w].mean() / 255 for image, (h, w) in zip(pixels, extents, strict=True)])
        black = (pixels == 0).mean(axis=(1, 2))
        return np.stack([level, level**2, black, np.ones(len(level))], axis=1).astype(np.float32)

    monkeypatch.setattr(teacher, "_run", run)
    path = tmp_path / "teacher.tflite"
    path.write_bytes(b"any")
    examples = made_up(8)
    found = teach(examples, path, cache=tmp_path / "cache")
    trained = ~examples.validation
    assert len(found.pixels) == trained.sum() * len(teacher.VIEWS)
    assert (found.first_view >= 0).tolist() == trained.tolist()
    rows = np.arange(len(examples))
    chosen = found.views_of(rows, np.random.default_rng(0))
    assert (chosen[~trained] == -1).all()
    assert ((chosen - found.first_view)[trained] < found.views).all()
    # The first view is the image as the encoder shows it.
    assert np.array_equal(found.pixels[found.first_view[trained]], examples.prepared[trained])
    # By hand: the level of one kind, its mean over what is trained on removed.
    kind = np.array([m == "MR" for m in examples.modality])
    seen = run(examples.pixels, examples.extents)
    part = seen[kind] - seen[kind & trained].mean(axis=0)
    expected = part / np.linalg.norm(part, axis=1, keepdims=True)
    assert np.allclose(found.details[kind].astype(float), expected, atol=0.02)
    part = seen - seen[trained].mean(axis=0)
    expected = part / np.linalg.norm(part, axis=1, keepdims=True)
    assert np.allclose(found.features.astype(float), expected, atol=0.02)
    # Appearances: half of the kind's mean removed, turned into principal directions, which keeps angles.
    of = np.array([f"{m}/{a}" for m, a in zip(examples.modality, examples.anatomy, strict=True)])
    general = seen[trained].mean(axis=0)
    rest = np.stack(
        [row - (general + seen[trained & (of == kind)].mean(axis=0)) / 2 for row, kind in zip(seen, of, strict=True)]
    )
    rest /= np.linalg.norm(rest, axis=1, keepdims=True)
    looks = found.appearances.astype(float)
    assert looks.shape == (len(examples), APPEARANCE)
    assert np.allclose(looks @ looks.T, rest @ rest.T, atol=0.02)
    assert found.view_appearances.shape == (len(found.pixels), APPEARANCE)
    assert np.allclose(np.linalg.norm(found.view_appearances.astype(float), axis=1), 1, atol=0.01)
    again = teach(examples, path, cache=tmp_path / "cache")
    assert np.array_equal(again.view_features, found.view_features)
