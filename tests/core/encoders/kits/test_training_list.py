"""The list of what an encoder was trained on: written, read, refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from radcbir_core.encoders.kits import training_list
from radcbir_core.encoders.kits.training_list import UNKNOWN, Training, list_bytes, list_name, read_list
from radcbir_core.errors import EncoderError

DIGESTS = [sha256(bytes([number])).hexdigest() for number in range(40)]


def written(folder: Path, text: str) -> Path:
    path = folder / "trained_on.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read_whatever_the_order(tmp_path) -> None:
    content = list_bytes([*DIGESTS[::-1], DIGESTS[3]], about="Forty files.\n\nFor a test.")
    assert content == list_bytes(DIGESTS, about="Forty files.\n\nFor a test.")
    training = read_list(written(tmp_path, content.decode()), restore="")
    assert training == Training.listing(digest[:16] for digest in DIGESTS)
    assert training.digits == 16
    assert training.identity
    assert training.identity != read_list(written(tmp_path, DIGESTS[0]), restore="").identity
    assert UNKNOWN.identity == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# said\nABCDEF0123456789\n", "line 2 .* = 'ABCDEF0123456789'"),
        ("0123456789abcde\n", "line 1 .* = '0123456789abcde'"),
        ("0" * 65, "line 1 "),
        (f"{'0' * 16}\n{'1' * 17}\n", "line 2 "),
        (f"{'1' * 16}\n{'0' * 16}\n", "line 2 "),
        (f"{'1' * 16}\n{'1' * 16}\n", "line 2 "),
        (f" {'1' * 16}", "line 1 "),
    ],
)
def test_other_lines_are_refused(tmp_path, text, line) -> None:
    with pytest.raises(
        EncoderError, match=rf"Expected digests of 16 to 64 hex digits, .*{line}.* Fetch it again\."
    ) as e:
        read_list(written(tmp_path, text), restore="Fetch it again.")
    assert "\n" not in str(e.value)


def test_a_list_of_nothing_a_missing_one_and_no_text_are_refused(tmp_path) -> None:
    with pytest.raises(EncoderError, match=r"Expected the digests of training images, but .* has none"):
        read_list(written(tmp_path, "# only said\n"), restore="")
    with pytest.raises(EncoderError, match=r"Expected a readable list of training images, but .* No such file"):
        read_list(tmp_path / "gone.txt", restore="")
    (tmp_path / "trained_on.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EncoderError, match="is no text in UTF-8"):
        read_list(tmp_path / "trained_on.txt", restore="")


def test_a_list_that_is_too_long_is_not_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(training_list, "MOST_BYTES", 30)
    path = written(tmp_path, f"{'0' * 16}\n{'1' * 16}\n")
    with pytest.raises(EncoderError, match=r"of at most 30 bytes, but .* has 34"):
        read_list(path, restore="")


@pytest.mark.parametrize("said", [7, ["a.txt"], "b.txt", "../a.txt", ""])
def test_a_kit_names_one_of_its_files_or_nothing(said) -> None:
    record = {"files": {"a.txt": "0" * 64}}
    assert list_name(record, path=Path("kit.json"), restore="") is None
    assert list_name({**record, "trained_on": "a.txt"}, path=Path("kit.json"), restore="") == "a.txt"
    assert list_name({**record, "trained_on": "nothing"}, path=Path("kit.json"), restore="") == "nothing"
    with pytest.raises(
        EncoderError, match=r"Expected one of the kit's files, or nothing, but kit\.json has trained_on"
    ):
        list_name({**record, "trained_on": said}, path=Path("kit.json"), restore="")
