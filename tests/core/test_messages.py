"""Messages between processes: whole or not at all."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radcbir_core.messages import end_helper, receive, send

MESSAGES = st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()))


@given(st.lists(st.tuples(MESSAGES, st.binary()), max_size=5))
def test_messages_come_as_they_were_sent(messages) -> None:
    stream = io.BytesIO()
    for message, data in messages:
        send(stream, message, data=data)
    stream.seek(0)
    assert [receive(stream) for _ in messages] == messages
    with pytest.raises(EOFError, match="the other side is gone"):
        receive(stream)


@given(st.data())
def test_a_message_that_breaks_off_is_none(data) -> None:
    stream = io.BytesIO()
    send(stream, {"a": 1}, data=b"1234")
    whole = stream.getvalue()
    with pytest.raises(EOFError):
        receive(io.BytesIO(whole[: data.draw(st.integers(0, len(whole) - 1))]))


def test_the_form_on_the_wire() -> None:
    stream = io.BytesIO()
    send(stream, {"é": 1}, data=b"x")
    text = b'{"\\u00e9": 1}'
    assert stream.getvalue() == struct.pack("<QQ", len(text), 1) + text + b"x"


def test_each_message_is_sent_at_once() -> None:
    class Pipe(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed = len(self.getvalue())

    pipe = Pipe()
    send(pipe, {}, data=b"abc")
    assert pipe.flushed == len(pipe.getvalue()) == 21


def test_a_helper_is_ended_with_what_was_not_sent_yet() -> None:
    waiting = [sys.executable, "-c", "import sys; sys.stdin.buffer.read()"]
    helper = subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    helper.stdin.write(b"in the buffer of a process that is gone")
    end_helper(helper)
    assert helper.returncode is not None
    assert helper.stdin.closed
    assert helper.stdout.closed
    end_helper(helper)
