"""Long work, whatever becomes of the page or the terminal that asked for it.

Owns jobs: what was asked for (:mod:`~radcbir_core.jobs.kinds`), how far it is (:mod:`~radcbir_core.jobs.status`),
the one handle by which it is watched, stopped and gone on with (:mod:`~radcbir_core.jobs.job`), starting it once
(:mod:`~radcbir_core.jobs.starting`), where it runs (:mod:`~radcbir_core.jobs.runners`) and carrying it out
(:mod:`~radcbir_core.jobs.execution`). A job is a folder below the data folder; everything that is known of it is read
from there, by whoever asks. What an import and a build do is not its business: the kinds know that, and nothing else
here knows them but by name.

```text
jobs/<id>/             in the data folder
  request.json    what was asked for
  status.json     how far it is, written at most twice a second
  lock            held by whoever is at work; the number of a process of its own inside
  stop            there once somebody has asked it to stop
  log.txt         what its process wrote
```
"""

from radcbir_core.jobs.job import Job, at_work_at, at_work_on, job_at, job_called, list_jobs
from radcbir_core.jobs.kinds import Request, Telling
from radcbir_core.jobs.starting import run_here, start
from radcbir_core.jobs.status import Status

__all__ = [
    "Job",
    "Request",
    "Status",
    "Telling",
    "at_work_at",
    "at_work_on",
    "job_at",
    "job_called",
    "list_jobs",
    "run_here",
    "start",
]
