"""``jobs``: what works by itself on this data folder, whoever began it, and stopping it or going on with it."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from radcbir_core.cli.application import AsJson, app
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import print_table
from radcbir_core.cli.remedies import advice, program
from radcbir_core.jobs import Job, Status, job_called, list_jobs

jobs = typer.Typer(no_args_is_help=False, invoke_without_command=True)
app.add_typer(jobs, name="jobs")

JobId = Annotated[str, typer.Argument(metavar="ID", help="A job, as the list names it.")]


@jobs.callback()
def list_(context: typer.Context, as_json: AsJson = False) -> None:  # noqa: FBT002 - a switch on the command line
    """List the jobs of this data folder: imports, builds, exports, evaluations; or stop one, or go on with it."""
    if context.invoked_subcommand is not None:
        return
    statuses = [(job, job.status()) for job in list_jobs()]
    if as_json:
        print(json.dumps([_facts(job, status) for job, status in statuses], indent=2, ensure_ascii=False))
        return
    print_table(
        ["id", "kind", "collection", "state", "at"],
        [[job.id, job.kind, job.name, status.state, _at(status)] for job, status in statuses],
    )
    if not statuses:
        print("There is no job. Pages begin them: imports, builds, exports, evaluations.")


@jobs.command()
def stop(job_id: JobId) -> None:
    """Ask a job to stop at the next step of its progress. What is finished stays."""
    job = job_called(job_id)
    if job.status().ended:
        print(f"{job.id} is not at work: {job.status().state}.")
        return
    put_on_record(f"stop {job.kind}", job.name or job.id)
    job.stop()
    print(f"Asked {job.id} to stop. It can go on later: {program()} jobs resume {job.id}")


@jobs.command()
def resume(job_id: JobId) -> None:
    """Go on with a job that was stopped, was interrupted or failed, in a process of its own."""
    job = job_called(job_id)
    put_on_record(f"resume {job.kind}", job.name or job.id)
    job.resume(runner="process")  # a thread of this command would end with it
    print(f"{job.id} goes on by itself. How far it is: {program()} jobs")


@jobs.command()
def dismiss(job_id: JobId) -> None:
    """Forget a job that has ended. What it has made stays."""
    job = job_called(job_id)
    put_on_record(f"dismiss {job.kind}", job.name or job.id)
    job.dismiss()
    print(f"Forgot {job.id}.")


def _facts(job: Job, status: Status) -> dict[str, Any]:
    return {"id": job.id, "kind": job.kind, "collection": job.name, "place": job.place} | status.to_json()


def _at(status: Status) -> str:
    """How far it is, in one line."""
    if status.error:
        # Options to add are for the command or the page that asked for it, and not for going on with it.
        command = "" if status.remedy is None or status.remedy.action == "again" else advice(status.remedy)
        return f"{status.error} {command}".rstrip()
    parts = [part for part in (status.part, status.stage) if part]
    if status.total > 1:
        parts.append(f"{status.done:,} of {status.total:,}")
    if status.seconds_left is not None and not status.ended:
        parts.append(f"{status.seconds_left:,.0f} s left")
    return ", ".join(parts)
