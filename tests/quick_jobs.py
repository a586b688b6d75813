"""Jobs in processes of their own, made quick, slow or faulty for tests.

Every Python process that is started after :func:`prepare` reads a ``sitecustomize.py`` first, which calls
:func:`in_process` in those that are RadCBIR's. What a test wants of a job meanwhile it says in files of the folder it
gave: see :class:`Controls`.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radcbir_core.jobs import Job, list_jobs
from radcbir_core.storage import disk_errors

if TYPE_CHECKING:
    import pytest

_SITE = """
import sys

if any(word.startswith(("radcbir_core", "streamlit")) for word in sys.orig_argv):
    from tests.quick_jobs import in_process

    in_process({folder!r}, {options!r})
"""


@dataclass(frozen=True)
class Controls:
    """What a test can do to the jobs in processes that are at work.

    Attributes:
        folder: Where the files lie that say it.
    """

    folder: Path

    @property
    def deaf(self) -> Path:
        """While this file is there, the encoder ``pixels`` rests before each batch, and hears nothing."""
        return self.folder / "deaf"

    def rest_at(self, step: str) -> None:
        """Let jobs rest at a step of their progress until :meth:`go_on`; they can be stopped there."""
        (self.folder / "rest").write_text(step)

    def fail_at(self, step: str, fault: str = "full") -> None:
        """Let jobs fail at a step of their progress until :meth:`go_on`: "full" is a full disk, else nobody's guess."""
        (self.folder / "fault").write_text(f"{step} {fault}")

    def go_on(self) -> None:
        """Let nothing hold jobs up any more."""
        for name in ("rest", "fault", "deaf"):
            (self.folder / name).unlink(missing_ok=True)


def prepare(
    patch: pytest.MonkeyPatch,
    folder: Path,
    *,
    builds: bool = True,
    demonstration: Path | None = None,
    images: int = 60,
    drawn: bool = False,
    detector: bool = False,
    only_pixels: bool = False,
) -> Controls:
    """Make the processes of jobs quick.

    Args:
        patch: Undone at the end of the test.
        folder: Where to put what the processes read.
        builds: Makes the layout of the map quick too.
        demonstration: Makes that quick too: what holds a random radcbir-mini, see tiny_encoder.py.
        images: How many images it has.
        drawn: Whether they are phantoms, as in earnest.
        detector: Lets the stand-in look for text in pixels, in the app too, whether or not the optional part is there.
        only_pixels: Lets the app find this encoder alone; looking for others imports open_clip, which takes seconds.
    """
    site, controls = folder / "site", Controls(folder / "controls")
    site.mkdir(parents=True)
    controls.folder.mkdir()
    root = None if demonstration is None else str(demonstration)
    options = {"builds": builds, "root": root, "images": images, "drawn": drawn, "detector": detector}
    options["only_pixels"] = only_pixels
    program = _SITE.format(folder=str(controls.folder), options=json.dumps(options))
    (site / "sitecustomize.py").write_text(program, encoding="utf-8")
    patch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(Path(__file__).resolve().parents[1])]))
    return controls


def in_process(folder: str, options: str) -> None:
    """What :func:`prepare` promises, in a process of a job, of a command or of the app."""
    from radcbir_core.jobs import execution, liveness
    from radcbir_core.jobs.kinds import KINDS

    KINDS["count"] = "tests.core.jobs.counting:Count"
    if os.environ.get("RADCBIR_TEST_LONE_LOCK"):
        liveness.INHERITED = False
    wanted = json.loads(options)
    if wanted["detector"]:
        _look_for_white()
    if "streamlit" in sys.orig_argv and wanted["only_pixels"]:
        _find_only_pixels()
    if "streamlit" in sys.orig_argv and wanted["root"] is not None:
        from radcbir_core.encoders import registry

        registry.ROOT = Path(wanted["root"])
    if "radcbir_core.jobs" not in sys.orig_argv:
        return
    controls = Controls(Path(folder))
    tell = execution.Teller.__call__

    def tell_later(self: execution.Teller, step: str, done: int, total: int) -> None:
        tell(self, step, done, total)
        while _says(controls.folder / "rest") == [step]:
            time.sleep(0.05)
            tell(self, step, done, total)
        at, *fault = _says(controls.folder / "fault") or [""]
        if at == step:
            with disk_errors(self.job.folder):
                raise (
                    OSError(errno.ENOSPC, "No space left on device") if fault == ["full"] else ZeroDivisionError(*fault)
                )

    execution.Teller.__call__ = tell_later  # type: ignore[method-assign]
    if wanted["builds"]:
        from tests.stand_ins import ForGood, use_quick_map

        use_quick_map(ForGood())
        _slow_pixels(controls)
    if wanted["root"] is not None:
        from tests.stand_ins import ForGood, use_stand_ins

        use_stand_ins(ForGood(), Path(wanted["root"]), images=wanted["images"], drawn=wanted["drawn"])


def _look_for_white() -> None:
    from tests.core.burned_text.stand_in import StandIn
    from tests.stand_ins import ForGood

    patch = ForGood()
    patch.setattr("radcbir_core.burned_text.text_detector.is_installed", lambda: True)
    patch.setattr("radcbir_core.burned_text.text_detector.load_detector", lambda **_: StandIn())


def _find_only_pixels() -> None:
    from radcbir_core.encoders.usable import Usable
    from tests.stand_ins import ForGood

    found = [Usable("pixels", "Pixels", supports_text=False)]
    ForGood().setattr("radcbir_core.encoders.usable.find_usable_encoders", lambda *_: found)


def _says(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


def _slow_pixels(controls: Controls) -> None:
    from radcbir_core.encoders.families.pixels import PixelsEncoder

    encode = PixelsEncoder.encode_prepared

    def encode_later(self: PixelsEncoder, batch: Any) -> Any:
        while controls.deaf.exists():
            time.sleep(0.05)
        return encode(self, batch)

    PixelsEncoder.encode_prepared = encode_later  # type: ignore[method-assign]


def wait_for(that: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Wait until something is so; fails where that takes too long."""
    until = time.monotonic() + seconds
    while not that():
        if time.monotonic() > until:
            import pytest  # here, because the processes of jobs import this module and have no use for it

            told = [(job.id, job.status(), _log(job)) for job in list_jobs()]
            pytest.fail(f"it did not come to that within {seconds:g} s: {told}")
        time.sleep(0.03)


def end(*, wait: bool = True) -> None:
    """End all jobs of this data folder, and wait until nobody is at them."""
    for job in list_jobs():
        job.end()
    if wait:
        wait_for(lambda: not any(job.is_alive() for job in list_jobs()))


def ended(job: Job) -> Job:
    """The same, once it has ended."""
    wait_for(lambda: job.status().ended)
    return job


def _log(job: Job) -> str:
    return job.log_path.read_text(encoding="utf-8") if job.log_path.exists() else ""
