"""``python -m radcbir_core.jobs ID``: carry out a job in this process; see radcbir_core.jobs.runners.process_runner."""

import contextlib
import os
import signal
import sys

from radcbir_core.errors import RadcbirError

_NICENESS = 5


def run() -> int:
    """Carry out the job that the command line names; 0 once it is done, 1 where it ended otherwise."""
    from radcbir_core.jobs.execution import execute_alone
    from radcbir_core.jobs.job import job_called
    from radcbir_core.jobs.liveness import Hold, InheritableHold, take

    job_id, *rest = sys.argv[1:] or [""]
    try:
        job = job_called(job_id)
        if rest[:1] == ["--lock"]:
            descriptor = int(rest[1])  # held since before this process was born
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
            hold: Hold = InheritableHold(descriptor)
        else:
            hold = take(job.folder)
            hold.note(os.getpid())
    except (RadcbirError, ValueError, IndexError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: job.stop())
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(_NICENESS)  # whoever searches meanwhile comes first
    try:
        return 0 if execute_alone(job) else 1
    finally:
        hold.release()  # before Python clears up, which takes its time after large libraries


if __name__ == "__main__":
    sys.exit(run())
