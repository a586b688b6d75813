"""Streamlit's command where the demonstration is quick: ``python -m tests.browser.quick_demo ROOT run app.py``.

A few real phantoms, a random encoder (ROOT holds it, see tiny_encoder.py), and a map without UMAP.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    import radcbir_core.pipeline
    from radcbir_core.encoders import registry
    from radcbir_core.synthetic import demonstration
    from tests.stand_ins import project_quickly

    registry.ROOT = Path(sys.argv.pop(1))
    demonstration.DEFAULT_IMAGES = 24
    radcbir_core.pipeline.project_store = project_quickly
    from streamlit.web import cli

    cli.main()
