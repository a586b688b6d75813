"""``python -m radcbir_core …``: parse, call, print.

Owns the commands. Everything that computes lives in the other modules. Help lists commands in the order of the imports
below.
"""

from radcbir_core.cli import importing, making, querying, evaluating, keeping  # noqa: F401, I001 - they register
from radcbir_core.cli.application import EXIT_ERROR, EXIT_FAILED, EXIT_STOPPED, app, main

__all__ = ["EXIT_ERROR", "EXIT_FAILED", "EXIT_STOPPED", "app", "main"]
