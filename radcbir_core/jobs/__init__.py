"""Long work that runs by itself: an import, builds, whatever becomes of the page or the terminal that asked for it.

Owns pieces of work: what was asked for (:mod:`~radcbir_core.jobs.request`), how far it is
(:mod:`~radcbir_core.jobs.status`), starting, stopping and going on (:mod:`~radcbir_core.jobs.pieces`), and the process
that carries it out (:mod:`~radcbir_core.jobs.running`). A piece of work is a folder below the data folder; everything
that is known of it is read from there, so that it outlives whoever began it. What an import and a build do is not its
business.

```text
work/<id>/            in the data folder
  request.json   what was asked for
  status.json    how far it is, written at most twice a second
  lock           held by the process at work; its number inside
  stop           there once somebody has asked it to stop
  log.txt        what the process wrote
```
"""

from radcbir_core.jobs.pieces import Work, list_work, start, work_on
from radcbir_core.jobs.request import WorkRequest
from radcbir_core.jobs.status import Status

__all__ = ["Status", "Work", "WorkRequest", "list_work", "start", "work_on"]
