"""``python -m radcbir_core …``: parse, call, print.

Owns the commands. Everything that computes lives in the other modules. Help lists commands in the order of the imports
below.
"""

from radcbir_core.cli import import_command  # noqa: F401, I001 - they register
from radcbir_core.cli import build_commands  # noqa: F401
from radcbir_core.cli import map_command  # noqa: F401
from radcbir_core.cli import burned_text_commands  # noqa: F401
from radcbir_core.cli.querying import query_command  # noqa: F401
from radcbir_core.cli.querying import series_command  # noqa: F401
from radcbir_core.cli.querying import why_command  # noqa: F401
from radcbir_core.cli import evaluation_commands  # noqa: F401
from radcbir_core.cli import review_commands  # noqa: F401
from radcbir_core.cli import study_commands  # noqa: F401
from radcbir_core.cli import relabel_command  # noqa: F401
from radcbir_core.cli import collection_commands  # noqa: F401
from radcbir_core.cli import serve_command  # noqa: F401
from radcbir_core.cli import job_commands  # noqa: F401
from radcbir_core.cli.application import EXIT_ERROR, EXIT_FAILED, EXIT_STOPPED, app, main

__all__ = ["EXIT_ERROR", "EXIT_FAILED", "EXIT_STOPPED", "app", "main"]
