"""From an encoder's record to what it was trained on."""

from __future__ import annotations

import json
import shutil

import pytest

from radcbir_core.encoders import load_encoder
from radcbir_core.encoders.kits.fetching import fetch_kit
from radcbir_core.encoders.kits.kit_json import check_kit, read_kit
from radcbir_core.encoders.kits.training_list import Training, list_bytes
from radcbir_core.encoders.trained_on import training_of
from radcbir_core.errors import EncoderError
from radcbir_core.storage import digest_file

LISTED = ["aa" * 32, "bb" * 32]


@pytest.fixture
def kit(mini, tmp_path):
    """A kit of a random encoder that says it was trained on two files."""
    folder = tmp_path / "mine"
    fetch_kit(f"local-dir:{mini}", folder)
    (folder / "trained_on.txt").write_bytes(list_bytes(LISTED, about="Two."))
    say(folder, "trained_on.txt")
    return folder


def say(folder, trained_on, **others):
    """Write what the kit says of its training, with digests of the files that are there now."""
    record = json.loads((folder / "kit.json").read_text())
    files = {name: digest_file(folder / name) for name in [*record["files"], "trained_on.txt"]}
    (folder / "kit.json").write_text(json.dumps({**record, "trained_on": trained_on, "files": files, **others}))


def asked(folder):
    return training_of(f"local-dir:{folder}", read_kit(folder).record["weights_digest"])


def test_the_kit_says_what_its_weights_were_trained_on(kit) -> None:
    assert asked(kit) == Training.listing(["a" * 16, "b" * 16])
    assert training_of(f"local-dir:{kit}?fit=crop", read_kit(kit).record["weights_digest"]) == asked(kit)
    assert training_of(f"local-dir:{kit}", "0" * 64).state == "unknown"  # other weights lie there now
    assert training_of(f"local-dir:{kit}", "").state == "unknown"
    say(kit, "nothing")
    assert asked(kit).state == "nothing"


def test_loading_and_copying_a_kit_keep_the_list(kit, tmp_path) -> None:
    encoder = load_encoder(f"local-dir:{kit}", device="cpu")
    assert encoder.fingerprint == read_kit(kit).record["fingerprint"]
    copy = fetch_kit(f"local-dir:{kit}", tmp_path / "copy")
    assert copy.record["trained_on"] == "trained_on.txt"
    assert asked(tmp_path / "copy") == asked(kit)
    assert "trained_on.txt" not in copy.checkpoint.files
    say(kit, "nothing")
    assert fetch_kit(f"local-dir:{kit}", tmp_path / "other").record["trained_on"] == "nothing"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "trained_on.txt").unlink(), "is missing"),
        (lambda folder: (folder / "trained_on.txt").write_text("a" * 16), "is truncated or altered"),
        (lambda folder: say(folder, "other.txt"), "has trained_on = 'other.txt'"),
    ],
)
def test_a_list_that_cannot_be_used_is_no_list_and_says_why(kit, damage, said) -> None:
    known = asked(kit)
    digest = read_kit(kit).record["weights_digest"]
    damage(kit)
    training = training_of(f"local-dir:{kit}", digest)
    assert training.state == "unknown" != known.state
    assert said in training.fault
    assert "\n" not in training.fault
    with pytest.raises(EncoderError, match=said.split(" = ")[0]):
        check_kit(kit)


def test_a_list_of_other_things_is_noticed_with_the_kit(kit) -> None:
    (kit / "trained_on.txt").write_text("no digests\n")
    say(kit, "trained_on.txt")
    with pytest.raises(EncoderError, match="Expected digests of 16 to 64 hex digits"):
        load_encoder(f"local-dir:{kit}", device="cpu")


def test_weights_that_are_the_committed_ones_are_known_wherever_they_are_said_to_lie(kit, mini, monkeypatch) -> None:
    digest = read_kit(kit).record["weights_digest"]
    root = kit.parent / "root"
    shutil.copytree(kit, root / "data" / "encoders" / "radcbir-mini")
    monkeypatch.setattr("radcbir_core.encoders.trained_on.ROOT", root)
    assert training_of("local-dir:/of/another/machine", digest) == Training.listing(["a" * 16, "b" * 16])
    assert training_of("imported:theirs", digest).state == "listed"
    (kit / "trained_on.txt").unlink()
    own = training_of(f"local-dir:{kit}", digest)  # whose fault is not passed over: the other list stands for it
    assert own == Training.listing(["a" * 16, "b" * 16], fault=own.fault)
    assert f"{kit / 'trained_on.txt'} is missing" in own.fault
    (root / "data" / "encoders" / "radcbir-mini" / "trained_on.txt").write_text("")
    assert training_of(f"local-dir:{kit}", digest) == Training("unknown", fault=own.fault)
    assert training_of("biomedclip", "0" * 64).state == "unknown"


def test_only_the_baseline_was_trained_on_nothing() -> None:
    assert training_of("pixels", "").state == "nothing"
    for spec in ("imported:pixels", "biomedclip", "no such: thing", ""):
        assert training_of(spec, "").state == "unknown"
