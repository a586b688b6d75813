"""`serve` is Streamlit's own run of the dashboard, in this very process."""

from __future__ import annotations

import sys

from radcbir_core.cli import main
from radcbir_core.installation import ROOT


def test_streamlit_is_run_with_the_dashboard_and_the_port(monkeypatch) -> None:
    ran = []
    monkeypatch.setattr(sys, "argv", ["radcbir", "serve"])
    monkeypatch.setattr("runpy.run_module", lambda name, **options: ran.append((name, list(sys.argv), options)))
    assert main(["serve", "--port", "8600"]) == 0
    assert ran == [
        (
            "streamlit",
            ["streamlit", "run", str(ROOT / "app.py"), "--server.port", "8600"],
            {"run_name": "__main__", "alter_sys": True},
        )
    ]
    assert (ROOT / "app.py").is_file()
