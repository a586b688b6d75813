"""Files of a Hugging Face repository: from the local cache if they are there, else from the hub, or a quick refusal.

Owns every contact with the network that an encoder makes. What is in the cache is used without asking the hub, so that
a build gives the same numbers tomorrow, and on a machine that has been cut off since. Knows no encoder family.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from radcbir_core.encoders.base import shown
from radcbir_core.encoders.torch.support import first_line, quiet
from radcbir_core.errors import FOLDER, EncoderError, EncoderUnavailableError, Remedy

CONNECT_SECONDS = 5.0
"""How long the hub may take to answer the first request."""
GIVE_UP_SECONDS = 8.0
"""How long that may take in all; a name server that does not answer keeps to no timeout of ours."""

_ADVICE = (
    "Connect this machine to the hub once, or make a kit on one that is connected, copy it here and name its folder "
    "as the encoder."
)
_REMEDY = Remedy("fetch_encoder", options={"to": FOLDER})


_ASKING_NOBODY: ContextVar[bool] = ContextVar("asking nobody", default=False)


@contextmanager
def asking_nobody() -> Iterator[None]:
    """Within this block, what is not in the local cache counts as unavailable at once; the hub is not asked.

    Example:
        >>> with asking_nobody():
        ...     fetch_file("no/such", ["config.json"])
        Traceback (most recent call last):
        radcbir_core.errors.EncoderUnavailableError: Expected config.json of no/such in the local cache, but it is \
not. Connect this machine to the hub once, or make a kit on one that is connected, copy it here and name its folder as \
the encoder.
    """
    token = _ASKING_NOBODY.set(True)
    try:
        yield
    finally:
        _ASKING_NOBODY.reset(token)


def is_repository(name: str) -> bool:
    """Whether ``name`` can be a repository's: ``organization/name``, or the bare ``name`` that a few old ones have.

    Example:
        >>> is_repository("microsoft/resnet-50"), is_repository("../../etc/passwd"), is_repository("a/b/c")
        (True, False, False)
    """
    shaped = re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]*/)?[A-Za-z0-9_][A-Za-z0-9_.-]*", name)
    return bool(shaped) and "--" not in name and ".." not in name and len(name) <= 96 and name[-1] not in "-."


def cached_file(repository: str, filename: str) -> Path | None:
    """``filename`` of ``repository``'s main branch in the local cache, or None; asks nobody.

    Raises:
        EncoderError: ``repository`` cannot be a repository's name.
    """
    if not is_repository(repository):
        raise EncoderError(
            f"Expected organization/name of a repository, but repository = '{shown(repository)}'. Check the name."
        )
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(repository, filename)
    return Path(cached) if isinstance(cached, str) else None


def fetch_file(repository: str, filenames: Sequence[str]) -> Path:
    """The first of ``filenames`` that is in the cache, else the first that the hub has, downloaded into the cache.

    Args:
        repository: ``organization/name``.
        filenames: Alternatives, the preferred one first.

    Raises:
        EncoderUnavailableError: Neither the cache nor the hub has one, or the hub cannot be reached.
    """
    for filename in filenames:
        cached = cached_file(repository, filename)
        if cached is not None:
            return cached
    from huggingface_hub import hf_hub_download

    filename = _first_on_hub(repository, filenames)
    with quiet(), _refusing(repository, filename):
        return Path(hf_hub_download(repository, filename))


def fetch_folder(repository: str, *, patterns: Sequence[str], markers: Sequence[str]) -> Path:
    """A folder with those files of ``repository`` that match ``patterns``, from the cache or else the hub.

    Args:
        repository: ``organization/name``.
        patterns: Which files to download, such as ``tokenizer*``.
        markers: The cache counts as complete when it holds one of these; what is downloaded must hold one too.

    Raises:
        EncoderUnavailableError: Neither the cache nor the hub has one of ``markers``, or the hub cannot be reached.
    """
    for marker in markers:
        cached = cached_file(repository, marker)
        if cached is not None:
            return cached.parent
    from huggingface_hub import snapshot_download

    marker = _first_on_hub(repository, markers)
    with quiet(), _refusing(repository, marker):
        return Path(snapshot_download(repository, allow_patterns=list(patterns)))


def _first_on_hub(repository: str, filenames: Sequence[str]) -> str:
    """The first of ``filenames`` that the hub has, asked once each and without the client's minute of retries."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.constants import is_offline_mode
    from huggingface_hub.errors import RemoteEntryNotFoundError

    wanted = " or ".join(filenames)
    if _ASKING_NOBODY.get():
        raise EncoderUnavailableError(
            f"Expected {wanted} of {repository} in the local cache, but it is not. {_ADVICE}", remedy=_REMEDY
        )
    if is_offline_mode():
        raise EncoderUnavailableError(
            f"Expected {wanted} of {repository} in the local cache, but it is not there and HF_HUB_OFFLINE = 1 "
            f"forbids fetching it. {_ADVICE}",
            remedy=_REMEDY,
        )
    for filename in filenames:
        url = hf_hub_url(repository, filename)
        with quiet(), _refusing(repository, filename):
            try:
                _within(GIVE_UP_SECONDS, partial(get_hf_file_metadata, url, timeout=CONNECT_SECONDS))
            except RemoteEntryNotFoundError:
                continue
        return filename
    raise EncoderUnavailableError(
        f"Expected {wanted} in the hub's repository, but {repository} has no such file. Check the name on the hub."
    )


@contextmanager
def _refusing(repository: str, filename: str) -> Iterator[None]:
    """Turn every way in which a download fails into one line that says what to do."""
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        yield
    except EncoderUnavailableError:
        raise
    except GatedRepoError as error:
        raise EncoderUnavailableError(
            f"Expected access to {repository}, but the hub grants it only to those who accepted its terms. "
            f"Accept them at https://huggingface.co/{repository}, then run hf auth login."
        ) from error
    except RepositoryNotFoundError as error:
        raise EncoderUnavailableError(
            f"Expected a repository on the hub, but {repository} is unknown there or private. "
            "Check its spelling, or run hf auth login if it is yours."
        ) from error
    except Exception as error:
        # The client's network errors share no base class, and all mean the same here: the file did not come.
        raise EncoderUnavailableError(
            f"Expected {filename} of {repository} in the local cache or from the hub, but it is not in the cache and "
            f"the hub gave {first_line(error)}. {_ADVICE}",
            remedy=_REMEDY,
        ) from error


def _within(seconds: float, call: Callable[[], Any]) -> Any:
    """What ``call`` returns or raises, or a TimeoutError after ``seconds``, with the call left to end by itself."""
    answers: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            answers.put((call(), None))
        except BaseException as error:  # noqa: BLE001  # handed to the waiting thread, which raises it
            answers.put((None, error))

    threading.Thread(target=work, name="hub", daemon=True).start()
    try:
        value, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer in {seconds:g} seconds") from None
    if error is not None:
        raise error
    return value
