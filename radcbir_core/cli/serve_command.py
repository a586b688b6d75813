"""``serve``: the dashboard, from the repository or as installed."""

from __future__ import annotations

import runpy
import sys
from typing import Annotated

import typer

from radcbir_core.cli.application import app
from radcbir_core.installation import ROOT


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Of http://127.0.0.1, where the dashboard is to be.")] = 8501,
) -> None:
    """Open the dashboard on this machine, until it is stopped.

    The same as `streamlit run app.py` in the repository; Streamlit's own settings are taken from the environment.
    """
    # In this very process, so that whoever ends it ends the server.
    sys.argv = ["streamlit", "run", str(ROOT / "app.py"), "--server.port", str(port)]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
