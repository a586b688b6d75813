"""The record of a volume travels between processes as plain values."""

from __future__ import annotations

import json

from radcbir_core.images.decoding.image_messages import volume_from, volume_to_message
from radcbir_core.images.nifti.facts import VolumeFacts


def test_it_comes_back_as_it_went() -> None:
    facts = VolumeFacts(30, "axial", True, (5.0, 0.5, 0.5), 2, "HU", False)
    assert volume_from(json.loads(json.dumps(volume_to_message(facts)))) == facts
