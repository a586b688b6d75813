from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.dicomweb.multipart import MultipartError, media_type_of, parts_of


def made(parts, boundary="b-1", end="--") -> bytes:
    body = b""
    for kind, content in parts:
        head = f"--{boundary}\r\n".encode() + (f"Content-Type: {kind}\r\n\r\n".encode() if kind else b"\r\n")
        body += head + content + b"\r\n"
    return body + f"--{boundary}{end}\r\n".encode()


@given(
    st.lists(st.tuples(st.sampled_from(["application/dicom", "text/plain", ""]), st.binary(max_size=40)), min_size=1)
)
def test_parts_come_back_as_they_were_put_in(parts) -> None:
    if not any(b"--b-1" in content for _, content in parts):
        assert list(parts_of(made(parts), "b-1")) == parts
        assert list(parts_of(b"a preamble\r\n" + made(parts) + b"an epilogue", "b-1")) == parts


@given(st.binary(max_size=200), st.text(max_size=5))
def test_any_bytes_are_parts_or_an_error(body, boundary) -> None:
    with contextlib.suppress(MultipartError):
        assert all(content in body for _, content in parts_of(body, boundary))


@given(st.integers(1, 200))
def test_what_is_cut_off_is_never_a_part_of_less(cut) -> None:
    whole = made([("application/dicom", bytes(150))])
    with pytest.raises(MultipartError):
        list(parts_of(whole[: len(whole) - 6 - min(cut, len(whole) - 7)], "b-1"))


def test_headers_are_read_in_every_spelling() -> None:
    assert media_type_of("Multipart/Related; BOUNDARY=\"a b\"; type='x'")[::2] == ("multipart/related", "a b")
    assert media_type_of("") == ("", "", "")
    body = b"--1 \r\ncontent-length: 2\r\nCONTENT-TYPE: application/dicom; transfer-syntax=1.2\r\n\r\nab\r\n--1--"
    assert list(parts_of(body, "1")) == [("application/dicom", b"ab")]
