"""The program that decodes: it answers what it is asked about files, one after the other, until its input ends.

Started by ``decoding_process``, which says why. It talks in ``radcbir_core.messages`` on its standard input and output.
The system holds it to the limits that come with each request: memory (``RLIMIT_DATA``), the time of a processor
(``SIGPROF``), and time by the clock (``SIGALRM``, in case that whoever asks is gone and a file never ends).
"""

from __future__ import annotations

import hashlib
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from radcbir_core.images.decoded_image import Limits

_MEBIBYTE = 1024 * 1024
# What the files of libraries take, which the limit of a process's own memory does not count.
_LIBRARIES = 64 * _MEBIBYTE
# As many files of one request are looked at as can be in this time, and at least one.
_A_TURN = 0.1
# After which a file may have taken much memory.
_LONG = 0.02
_GRACE_SECONDS = 2.0
# Of larger pictures there is no room for copies below the limit of memory: they are handed over whole.
_FITTED_HERE = 32 * _MEBIBYTE

# The file of which frames are measured, and its digest.
_LAST: dict[str, Any] = {}

Answer = tuple[dict[str, Any], bytes | memoryview]


def answer_to(request: dict[str, Any], data: bytes) -> Answer:
    """What a request is answered with: JSON, and bytes behind it."""
    from radcbir_core.images.decoding.image_messages import limits_from

    limits = limits_from(request["limits"])
    _limit_memory(limits.max_memory)
    if "files" in request:
        return _in_turn(request, limits)
    with _Alarm(limits.max_seconds):
        return _guarded(request["wanted"], request, data, limits=limits)


def _in_turn(request: dict[str, Any], limits: Limits) -> Answer:
    """The answers to as many files as a turn allows, and the bytes of each one behind the other's."""
    start = last = time.monotonic()
    answers: list[dict[str, Any]] = []
    parts: list[bytes | memoryview] = []
    for file in request["files"]:
        with _Alarm(limits.max_seconds):
            answer, behind = _guarded(request["wanted"], {**request, **file}, b"", limits=limits)
        answers.append(answer)
        parts.append(behind)
        before, last = last, time.monotonic()
        if last - start > _A_TURN:
            break
        # What one file took must tell nothing of the next. Memory that is filled takes time, and so does asking for it.
        if ("error" in answer or last - before > _LONG) and had_much(limits.max_memory):
            break
    return {"answers": answers}, b"".join(parts)


def _guarded(wanted: str, request: dict[str, Any], data: bytes, *, limits: Limits) -> Answer:
    """An answer, or the error in one."""
    from radcbir_core.errors import ImageError
    from radcbir_core.images.decoding.decoding_request import image_error, too_much_memory
    from radcbir_core.images.decoding.image_messages import error_to_message

    if "\0" in (request["path"] or ""):  # which no system can look for
        path = image_error(
            request["name"], "an image file", "at a path with a null character", remedy="Check the path."
        )
        return error_to_message(path), b""
    try:
        return _ANSWERS[wanted](request, data, limits)
    except ImageError as error:
        if isinstance(error.__cause__, MemoryError):
            error = too_much_memory(request["name"], limits)
        elif error.__cause__ is not None and had_much(limits.max_memory):
            # Decoders say in many ways that they got no memory, and most of them read like damage.
            error = too_much_memory(request["name"], limits, certain=False)
        return error_to_message(error), b""


def _display(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    from radcbir_core.images.decoding.file_reading import read_file
    from radcbir_core.images.decoding.image_messages import decoded_to_message
    from radcbir_core.images.display.showing import display_image

    window = request["window"]
    stored = read_file(_source(request, data), name=request["name"], frame=request["frame"], limits=limits)
    image = display_image(stored, window=None if window is None else (window[0], window[1]))
    return decoded_to_message(image)


def _stored(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    from radcbir_core.images.decoding.file_reading import read_file
    from radcbir_core.images.decoding.image_messages import stored_to_message

    return stored_to_message(
        read_file(_source(request, data), name=request["name"], frame=request["frame"], limits=limits)
    )


def _prepare(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    from radcbir_core.images.decoding.file_reading import read_file
    from radcbir_core.images.decoding.image_messages import Prepared, prepared_to_message
    from radcbir_core.images.display.showing import display_image
    from radcbir_core.images.fitting import Fitting
    from radcbir_core.images.thumbnailing import thumbnail_of

    stored = read_file(_source(request, data), name=request["name"], frame=request["frame"], limits=limits)
    pixels = display_image(stored).pixels
    del stored
    prepared = Prepared(pixels, is_fitted=False)
    if pixels.nbytes <= _FITTED_HERE:
        fitted = Fitting.from_message(request["fitting"])(pixels)
        prepared = Prepared(fitted, thumbnail_of(pixels) if request["thumbnails"] else b"")
    return prepared_to_message(prepared)


def _measure(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:  # noqa: ARG001 - as the others
    from radcbir_core.images.decoding.file_content import KEPT_WHOLE
    from radcbir_core.images.decoding.file_reading import read_file
    from radcbir_core.images.decoding.image_messages import Measured, measured_to_message
    from radcbir_core.images.display.showing import display_image

    source: Any = request["path"]
    digest = ""
    try:
        # A pipe would be waited for until somebody writes into it.
        with open(source, "rb", buffering=0, opener=_open_at_once) as handle:
            status = os.fstat(handle.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size <= limits.max_bytes:
                if request["frame"] is not None:  # the file has others, for which it is not read whole each time
                    digest = _digest_of_last(handle, status)
                elif status.st_size <= KEPT_WHOLE:  # a larger one is read twice, rather than kept
                    source = handle.readall()
                    digest = hashlib.sha256(source).hexdigest()
                else:
                    digest = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError:
        pass  # reading it says what is wrong
    source = source if isinstance(source, bytes) else Path(source)
    stored = read_file(source, name=request["name"], frame=request["frame"], limits=limits, measured_only=True)
    # Eight bits of a raster image are shown as they are, which cannot fail; all else is tried.
    height, width = stored.square or stored.stored.shape[:2]
    if not stored.as_is:
        height, width = display_image(stored).pixels.shape[:2]
    return measured_to_message(Measured(digest, width, height, stored.remarks)), b""


def _digest_of_last(handle: Any, status: os.stat_result) -> str:
    """The digest of a file of which frame after frame is asked for; found out once."""
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if _LAST.get("key") != key:
        _LAST["digest"] = hashlib.file_digest(handle, "sha256").hexdigest()
        _LAST["key"] = key
    return str(_LAST["digest"])


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _header(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    from radcbir_core.images.dicom.reading import plain_elements, read_elements

    source = _source(request, data)
    header = read_elements(source, request["keywords"], name=request["name"], limits=limits)
    return {"elements": plain_elements(header, request["keywords"])}, b""


def _stripped(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    from radcbir_core.images.dicom.stripping import stripped

    return {}, stripped(data, request["values"], name=request["name"], limits=limits)


def _directory(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:  # noqa: ARG001 - as the others
    from radcbir_core.images.dicom.directory import image_file_ids

    return {"ids": image_file_ids(Path(request["path"]), name=request["name"])}, b""


def _volume(request: dict[str, Any], data: bytes, limits: Limits) -> Answer:
    from radcbir_core.images.decoding.file_reading import read_volume
    from radcbir_core.images.decoding.image_messages import volume_to_message

    return volume_to_message(read_volume(_source(request, data), name=request["name"], limits=limits)), b""


_ANSWERS = {
    "display": _display,
    "stored": _stored,
    "prepare": _prepare,
    "measure": _measure,
    "header": _header,
    "stripped": _stripped,
    "directory": _directory,
    "volume": _volume,
}


def _source(request: dict[str, Any], data: bytes) -> Any:
    return data if request["path"] is None else Path(request["path"])


def _limit_memory(most: int) -> None:
    """Let the system refuse what is more, where it can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = most - _LIBRARIES
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def had_much(most: int) -> bool:
    """Whether this process has once had a good part of the memory that it may have."""
    return peak_memory() > most // 4


def peak_memory() -> int:
    """The most bytes that this process has had in memory; 0 where the system does not say."""
    try:
        # Not getrusage, which on Linux begins with the peak of whoever started this process.
        status = Path("/proc/self/status").read_bytes()
        return int(status[status.index(b"VmHWM:") + 6 :].split(maxsplit=1)[0]) * 1024
    except (OSError, ValueError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


class _Alarm:
    """Ends this process, where the system can, once it has been busy with one file for too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        from radcbir_core.images.decoded_image import CLOCK_SECONDS

        self._set(self._seconds, self._seconds * CLOCK_SECONDS + _GRACE_SECONDS)

    def __exit__(self, *_: object) -> None:
        self._set(0, 0)

    def _set(self, of_a_processor: float, by_the_clock: float) -> None:
        if hasattr(signal, "setitimer"):  # not on Windows
            signal.setitimer(signal.ITIMER_PROF, of_a_processor)
            signal.setitimer(signal.ITIMER_REAL, by_the_clock)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more, or nobody is left to hear the answer."""
    from radcbir_core.messages import receive, send

    while True:
        try:
            request, data = receive(requests)
            answer, behind = answer_to(request, data)
            del data
            # After much memory a new process is begun with: what this one once had tells nothing of the next file.
            answer["last"] = had_much(request["limits"]["max_memory"])
            send(answers, answer, data=behind)
            if answer["last"]:
                return
        except (EOFError, BrokenPipeError):
            return


def main() -> None:
    """Set the process up and serve."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    # Ctrl-C is for who asks; this process ends when its input does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # an image of this process would hold the patient's
    except ImportError:  # Windows
        pass
    with os.fdopen(os.dup(1), "wb") as answers:
        # A library that prints must not get in among the answers.
        os.dup2(2, 1)
        # What nearly every file needs is loaded now, so that the time of the first counts from here.
        from radcbir_core.images.decoding import file_reading  # noqa: F401
        from radcbir_core.images.display import showing  # noqa: F401
        from radcbir_core.messages import send

        send(answers, {"ready": True})
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
