"""A runner for tests: it carries a job out at once, where it is begun."""

from radcbir_core.jobs.execution import execute_alone


def begin(job, hold):
    execute_alone(job)
    hold.release()


def end(job):
    pass
