"""Configurations of models small enough to make in a test."""

TINY_TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
TINY_VISION = {"image_size": 32, "layers": 2, "width": 32, "patch_size": 8, "head_width": 16}
TINY_MODEL = {"embed_dim": 24, "vision_cfg": TINY_VISION, "text_cfg": TINY_TEXT}
TINY_PREPROCESS = {
    "mean": [0.4, 0.45, 0.5],
    "std": [0.2, 0.25, 0.3],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
WORDS = ["chest", "x", "ray", "ct", "of", "the", "head", "with", "a", "mass", "no", "finding", "-", "."]
