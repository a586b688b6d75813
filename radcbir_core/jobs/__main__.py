"""``python -m radcbir_core.jobs ID``: carry out a piece of work in this process; see radcbir_core.jobs.pieces."""

import os
import sys

from radcbir_core.errors import RadcbirError


def run() -> int:
    """Carry out the piece of work that the command line names; 0 once it is done, 1 where it ended otherwise."""
    from radcbir_core.jobs.pieces import named, note_number, taken_lock
    from radcbir_core.jobs.running import run as carry_out

    work_id, *rest = sys.argv[1:] or [""]
    try:
        work = named(work_id)
        if rest[:1] == ["--lock"]:
            descriptor = int(rest[1])  # held since before this process was born
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - it takes no keyword
        else:
            descriptor = taken_lock(work)
            note_number(descriptor, os.getpid())
    except (RadcbirError, ValueError, IndexError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    status = carry_out(work)
    os.close(descriptor)  # before Python clears up, which takes its time after large libraries
    return 0 if status.state == "done" else 1


if __name__ == "__main__":
    sys.exit(run())
