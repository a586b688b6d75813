"""The processes that decode: kept, limited, replaced; and what becomes of them when whoever asks is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from radcbir_core.errors import ImageError, ImageTooLargeError
from radcbir_core.images import Limits, Prepared, decode_image, measure_images, prepare_images
from radcbir_core.images.decoded_image import MEBIBYTE
from radcbir_core.images.decoding import decoding_process
from radcbir_core.images.fitting import Fitting
from radcbir_core.images.thumbnailing import thumbnail_of
from tests.conftest import REPOSITORY
from tests.core.images.dicom_files import encapsulated_bytes, lossless_jpeg

GRAY = (np.add.outer(np.arange(40) * 3, np.arange(48) * 2) % 256).astype(np.uint8)
DEEP = (np.add.outer(np.arange(40) * 90, np.arange(48) * 60) % 4096).astype(np.uint16)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the system limits memory on Linux, and /proc is there")


def png(pixels: np.ndarray = GRAY) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def crashing_dicom() -> bytes:
    """A lossless JPEG frame that ends the process in which GDCM decodes it: no marker after the frame header."""
    frame = bytearray(lossless_jpeg(DEEP, 12))
    frame[frame.find(b"\xff\xc4")] = 188
    return encapsulated_bytes(DEEP, [bytes(frame)], uid.JPEGLosslessSV1, BitsStored=12)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[decoding_process._Processes]:
    """Processes of this test's own."""
    own = decoding_process._Processes()
    monkeypatch.setattr(decoding_process, "_processes", own)
    yield own
    own.end_idle(since=time.monotonic())
    assert not own._all


def stand_in(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another program decode, which says that it is ready and then does as it is told."""
    program = folder / "program.py"
    program.write_text(
        f"import sys, os, time; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from radcbir_core.messages import receive, send\n"
        "send(sys.stdout.buffer, {'ready': True})\n" + code
    )
    monkeypatch.setattr(decoding_process, "_WORKER", program)


def test_one_process_answers_one_file_after_the_other(processes) -> None:
    for shade in range(5):
        image = decode_image(png(np.full((4, 4), shade, np.uint8)))
        assert int(image.pixels[0, 0]) == shade
    assert len(processes._all) == 1


def test_a_file_that_kills_the_decoder_is_one_error_and_the_next_is_decoded(processes) -> None:
    decode_image(png())
    with pytest.raises(ImageError) as caught:
        decode_image(crashing_dicom(), name="x.dcm")
    assert str(caught.value) == (
        "Expected a file that can be decoded, but x.dcm = damaged, or more than its decoder can take, which ended "
        "(SIGABRT). Copy it again from its source, or convert it."
    )
    assert np.array_equal(decode_image(png()).pixels, GRAY)


def test_of_many_files_the_one_that_kills_the_decoder_is_found(processes, tmp_path: Path) -> None:
    contents = [png(), png(GRAY[:9]), crashing_dicom(), b"", png(GRAY[:3])]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    found = list(measure_images([(tmp_path / str(n), f"{n}", None) for n in range(5)]))
    assert [getattr(measured, "height", str(measured)[:31]) for measured in found] == [
        40,
        9,
        "Expected a file that can be dec",
        "Expected an image file, but 3 =",
        3,
    ]


def test_of_files_that_are_prepared_the_one_that_kills_the_decoder_is_found(processes, tmp_path: Path) -> None:
    contents = [png(), crashing_dicom(), b"", png(GRAY[:3])]
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_bytes(content)
    fitting = Fitting(size=(8, 8), fit="pad", interpolation="bicubic")
    made = list(prepare_images([(tmp_path / str(n), None) for n in range(4)], fitting=fitting, thumbnails=True))
    assert [str(made[n])[:31] for n in (1, 2)] == [
        "Expected a file that can be dec",
        "Expected an image file, but 2 =",
    ]
    for n, pixels in ((0, GRAY), (3, GRAY[:3])):
        assert isinstance(made[n], Prepared)
        np.testing.assert_array_equal(made[n].pixels, fitting(pixels))
        assert made[n].thumbnail == thumbnail_of(pixels)


def test_a_picture_without_room_for_copies_is_prepared_by_who_asks(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large.png").write_bytes(png(np.tile(GRAY, (200, 120))[:6000]))
    fitting = Fitting(size=(8, 8), fit="pad", interpolation="bicubic")
    asked = [(tmp_path / "large.png", None)]
    (made,) = prepare_images(asked, fitting=fitting, thumbnails=True)
    pixels = decode_image(tmp_path / "large.png").pixels
    assert pixels.nbytes > 32 * MEBIBYTE
    assert isinstance(made, Prepared)
    assert made.is_fitted
    np.testing.assert_array_equal(made.pixels, fitting(pixels))
    assert made.thumbnail == thumbnail_of(pixels)
    (without,) = prepare_images(asked, fitting=fitting, thumbnails=False)
    assert isinstance(without, Prepared)
    assert without.thumbnail == b""


def test_a_process_that_died_meanwhile_costs_no_file(processes) -> None:
    decode_image(png())
    (worker,) = processes._all
    worker.kill()
    worker.wait()
    assert np.array_equal(decode_image(png()).pixels, GRAY)
    assert worker not in processes._all


def test_a_process_that_somebody_kills_costs_no_good_file(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "once"
    stand_in(
        tmp_path,
        f"receive(sys.stdin.buffer)\nif not os.path.exists({str(mark)!r}):\n"
        f"  open({str(mark)!r}, 'w').close(); os.kill(os.getpid(), 9)\n"
        "send(sys.stdout.buffer, {'error': 'answered', 'kind': 'ImageError', 'last': True})",
        monkeypatch,
    )
    with pytest.raises(ImageError, match="answered"):
        decode_image(png())
    mark.unlink()
    stand_in(tmp_path, "receive(sys.stdin.buffer); os.kill(os.getpid(), 9)", monkeypatch)
    with pytest.raises(ImageError, match=r"which ended \(SIGKILL\)"):
        decode_image(png())
    assert not processes._all


def test_how_a_process_ended_is_what_it_says_and_not_how_its_rest_is_removed(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "receive(sys.stdin.buffer); raise ValueError", monkeypatch)
    with pytest.raises(ImageError, match=r"which ended \(exit code 1\)"):
        decode_image(png())


def test_a_process_that_is_lost_between_two_hands_counts_against_nobody(
    processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_most", 1)
    monkeypatch.setattr(decoding_process, "_LOOK_AGAIN_SECONDS", 0.01)
    lost = [processes.take()]
    waiting = ThreadPoolExecutor(1).submit(decode_image, png())
    lost.clear()
    assert np.array_equal(waiting.result(60).pixels, GRAY)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_whatever_is_raised_before_the_request_is_sent_loses_no_process(
    processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_most", 1)

    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(processes, "begin", refuse)
        with pytest.raises(KeyboardInterrupt):
            decode_image(png())
    assert not processes._all

    def no_thread(_: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(processes, "_keeper", None)
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(ImageError, match="Expected a thread to watch decoding, but the system gives none"):
            decode_image(png())
    assert not processes._all
    assert np.array_equal(decode_image(png()).pixels, GRAY)


def test_a_system_that_starts_no_process_is_told_in_a_sentence(processes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(decoding_process, "_Process", refuse)
    with pytest.raises(ImageError) as caught:
        decode_image(png())
    assert str(caught.value) == (
        "Expected a process to decode images in, but it could not be started: Too many open files. Close other "
        "programs, or allow more files and processes (`ulimit`)."
    )


@linux_only
def test_a_large_server_does_not_make_damage_look_like_want_of_memory(processes) -> None:
    """The peak of who starts a process survives into it, by some of the system's figures."""
    kept = np.ones(Limits().max_memory // 3, np.uint8)
    with pytest.raises(ImageError, match="damaged, cut off"):
        decode_image(png(np.tile(GRAY, (9, 9)))[:-200])
    assert kept[-1]


def test_a_file_without_end_is_given_up(processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, "time.sleep(60)", monkeypatch)
    with pytest.raises(ImageError) as caught:
        decode_image(png(), name="slow.jpg", limits=Limits(max_seconds=0.01))
    assert str(caught.value) == (
        "Expected an image that decodes within 0.01 seconds, but slow.jpg = not decoded by then. Convert it to a plain "
        "PNG, or leave it out."
    )
    assert not processes._all


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no such signals here")
def test_the_time_of_a_processor_counts(processes) -> None:
    decode_image(png())
    slow = png(np.zeros((3000, 3000, 4), np.uint8))
    with pytest.raises(ImageError, match="but the upload = not decoded by then"):
        decode_image(slow, limits=Limits(max_seconds=0.02))
    assert not processes._all
    assert decode_image(slow).pixels.shape == (3000, 3000)


@linux_only
def test_a_file_that_takes_more_memory_is_refused_and_the_next_is_decoded(processes) -> None:
    large = png(np.zeros((4000, 4000, 4), np.uint8))
    limits = Limits(max_memory=160 * MEBIBYTE)
    with pytest.raises(ImageTooLargeError) as caught:
        decode_image(large, name="large.png", limits=limits)
    assert str(caught.value) == (
        "Expected an image that decodes within 160 MiB of memory, but large.png = needs more. Make it smaller."
    )
    assert np.array_equal(decode_image(png(), limits=limits).pixels, GRAY)


@linux_only
def test_where_the_system_does_not_limit_memory_it_is_watched(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "kept = b'1' * 100_000_000; time.sleep(60)", monkeypatch)
    monkeypatch.setattr(decoding_process, "_LIMITED_BY_SYSTEM", False)
    monkeypatch.setattr(decoding_process, "_LOOKS_A_SECOND", 1000)
    with pytest.raises(ImageTooLargeError, match="within 60 MiB of memory"):
        decode_image(png(), limits=Limits(max_memory=60 * MEBIBYTE))


def test_the_memory_of_a_process() -> None:
    assert decoding_process.memory_of(os.getpid()) > 10 * MEBIBYTE
    assert decoding_process.memory_of(2**22 + 1) == 0


def test_a_process_that_does_not_start(processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program.py"
    program.write_text("raise SystemExit(1)")
    monkeypatch.setattr(decoding_process, "_WORKER", program)
    with pytest.raises(ImageError, match="a process to decode images in, but it ended as it started"):
        decode_image(png())


def test_an_answer_that_is_the_last_ends_the_process(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(
        tmp_path,
        "while True:\n  receive(sys.stdin.buffer); send(sys.stdout.buffer, {'error': 'x', 'kind': 'ImageError', "
        "'last': True})",
        monkeypatch,
    )
    with pytest.raises(ImageError, match="x"):
        decode_image(png())
    assert not processes._all


def test_requests_share_one_process_until_they_have_waited_for_long(processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_most", 2)
    monkeypatch.setattr(decoding_process, "_PATIENCE_SECONDS", 60.0)  # however busy the machine is
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: decode_image(png()), range(40)))
    assert len(processes._all) == 1
    monkeypatch.setattr(decoding_process, "_PATIENCE_SECONDS", 0.0)
    first, second = processes.take(), processes.take()
    assert second is not first
    waiting = ThreadPoolExecutor(1).submit(processes.take)  # two are as many as may be
    processes.give_back(first)
    assert waiting.result() is first
    for worker in (first, second):
        processes.give_back(worker)


def test_threads_get_the_answers_to_their_own_questions(processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_process, "_PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(processes, "_most", 3)
    files = [png(np.full((3, 3), shade, np.uint8)) for shade in range(60)]
    files[7] = files[31] = b"GIF8"
    files[20] = crashing_dicom()

    def shade(data: bytes) -> int:
        try:
            return int(decode_image(data).pixels[0, 0])
        except ImageError:
            return -1

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(shade, files))
    assert answers == [-1 if n in {7, 20, 31} else n for n in range(60)]


def test_a_process_is_prepared_once(processes) -> None:
    decoding_process.prepare()
    for thread in threading.enumerate():
        if thread.name == "decoding start":
            thread.join()
    (worker,) = processes._all
    processes.prepare()
    decode_image(png())
    assert set(processes._all) == {worker}


def test_one_that_cannot_be_prepared_is_told_to_who_asks(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(decoding_process, "_WORKER", tmp_path / "program.py")
    processes.prepare()
    assert not processes._all
    with pytest.raises(ImageError, match="a process to decode images in"):
        decode_image(png())


def test_idle_processes_are_ended(processes, monkeypatch: pytest.MonkeyPatch) -> None:
    decode_image(png())
    (worker,) = processes._all
    processes.end_idle(since=time.monotonic() - 3600)
    assert worker.poll() is None
    keeper = processes._keeper
    monkeypatch.setattr(decoding_process, "IDLE_SECONDS", 0.0)
    with processes._changed:
        processes._wake_keeper.notify()
    keeper.join(20)
    assert worker.returncode is not None
    assert not processes._all
    assert processes._keeper is None
    monkeypatch.setattr(decoding_process, "IDLE_SECONDS", 100.0)
    decode_image(png())
    assert processes._keeper is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_process_starts_its_own(processes) -> None:
    decode_image(png())
    child = os.fork()
    if child == 0:
        own = decoding_process._processes
        os._exit(0 if not own._all and np.array_equal(decode_image(png()).pixels, GRAY) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert np.array_equal(decode_image(png()).pixels, GRAY)


def test_ctrl_c_is_for_who_asks(processes) -> None:
    decode_image(png())
    (worker,) = processes._all
    worker.send_signal(signal.SIGINT)
    decode_image(png())
    assert set(processes._all) == {worker}


def test_ctrl_c_while_a_file_is_decoded_leaves_no_process(
    processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, "time.sleep(60)", monkeypatch)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(decoding_process, "send", interrupt)
    with pytest.raises(KeyboardInterrupt):
        decode_image(png())
    assert not processes._all


@linux_only
def test_processes_end_with_who_asks_however_that_ends(tmp_path: Path) -> None:
    """Also as a notebook calls it: no file, no ``__main__`` guard; and nothing is left of a process that is killed."""
    code = (
        "import os, sys, signal; from pathlib import Path\n"
        "from radcbir_core.images import decode_image\n"
        "from radcbir_core.images.decoding import decoding_process\n"
        f"decode_image(Path({str(tmp_path / 'a.png')!r}))\n"
        "print(*(worker.pid for worker in decoding_process._processes._all), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    (tmp_path / "a.png").write_bytes(png())
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, "")
    until = time.monotonic() + 20
    while is_running(int(done.stdout)) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(int(done.stdout))


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
