"""Silence for one thread, and only while it decodes."""

from __future__ import annotations

import logging
import threading
import warnings

import pytest

from radcbir_core.images.decoding.quiet import quiet


def test_only_the_thread_that_decodes_is_quiet() -> None:
    inside, done = threading.Event(), threading.Event()

    def decode_slowly() -> None:
        with quiet():
            inside.set()
            done.wait(10)
            warnings.warn("of the decoder", stacklevel=1)

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        thread = threading.Thread(target=decode_slowly)
        thread.start()
        assert inside.wait(10)
        warnings.warn("of another thread", stacklevel=1)
        done.set()
        thread.join()
        warnings.warn("after it", stacklevel=1)
    assert [str(warning.message) for warning in seen] == ["of another thread", "after it"]


def test_quiet_nests_and_outlives_other_filters() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        with quiet():
            with quiet():
                pass
            warnings.warn("still inside", stacklevel=1)
            with pytest.raises(ValueError, match="through"), quiet():
                raise ValueError("through")
        warnings.simplefilter("error")  # put before our filter
        with quiet():
            warnings.warn("no error inside", stacklevel=1)
        with pytest.raises(UserWarning):
            warnings.warn("an error outside", stacklevel=1)
    assert not seen


def test_records_of_other_threads_and_loggers_pass(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("pydicom")
    with caplog.at_level(logging.WARNING):
        with quiet():
            logger.warning("of the decoder")
            logging.getLogger("somebody.else").warning("of somebody else")
        logger.warning("after it")
    assert [record.getMessage() for record in caplog.records] == ["of somebody else", "after it"]
