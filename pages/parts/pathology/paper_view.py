"""What the paper's protocol adds to the view Precision: P@N for N from 1 to 100, beside the published figures.

Owns the curve, its table, and what is known of the published figures.

Source: Denner et al., *Leveraging Foundation Models for Content-Based Image Retrieval in Radiology*, Comput Biol Med
196, 2025 (arXiv 2403.06567): BiomedCLIP on 1.6 million images of four modalities and 161 pathologies.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import streamlit as st

from pages.parts.evaluation import charts, label_chart
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.frame.shell import Opened
from radcbir_core.evaluation import KS, Evaluation

KS_SHOWN: Final = (*KS, 20, 50, 100)
PUBLISHED: Final = {1: 0.594, 3: 0.590, 5: 0.588, 10: 0.583}
"""P@N of BiomedCLIP, the best of ten encoders in the paper."""


def show(opened: Opened, evaluation: Evaluation) -> None:
    """Draw the curve and its table."""
    table = by_n(evaluation)
    left, right = label_chart.halves("radcbir-half-paper", [1, 1])
    with left:
        st.plotly_chart(
            charts.paper_curve(table, PUBLISHED),
            key="radcbir:paper-curve",
            theme=None,
            config={"displayModeBar": False, "scrollZoom": False},
            alt=f"Curves: micro and macro P@N for N from 1 to 100, from {table['micro'].iloc[0]:.3f} and "
            f"{table['macro'].iloc[0]:.3f} at N = 1, and four published points",
        )
    with right:
        st.dataframe(
            table,
            hide_index=True,
            width="stretch",
            height=262,
            row_height=label_chart.ROW_HEIGHT,
            placeholder="–",
            column_config={
                "n": figure_column("N", format_text="%d", width=40),
                "micro": figure_column("Micro P@N", about="Mean over queries"),
                "micro_std": figure_column("± std", about="Standard deviation over queries"),
                "macro": figure_column("Macro P@N", about="Mean over labels"),
                "macro_std": figure_column("± std", about="Mean over labels of the standard deviation within each"),
                "published": figure_column("Published", about="BiomedCLIP, on the paper's own data"),
            },
        )
        label_chart.download(
            lambda: table,
            file_name=f"paper-{opened.collection.name}-{opened.encoder_id}.csv",
            about="P@N for N from 1 to 100, micro and macro, with standard deviations",
            label="CSV of P@N",
        )
    st.caption(
        "How to read it: of the first N hits of a test image, this share has its full label. ◆ Published: BiomedCLIP, "
        "the best encoder of Denner et al. (arXiv 2403.06567, whose abstract does not say whether micro or macro), on "
        "their 1.6 million images of 161 pathologies. It is a landmark, not a rival: other images and other labels are "
        "easier or harder, so a higher curve here does not mean a better encoder."
    )


def by_n(evaluation: Evaluation) -> pd.DataFrame:
    """One row an N: ``n``, ``micro``, ``micro_std``, ``macro``, ``macro_std`` and ``published`` (NaN: not known)."""
    columns = {}
    for averaging in ("micro", "macro"):
        rows = evaluation.table[evaluation.table["averaging"] == averaging].set_index("k").sort_index()
        columns[averaging], columns[f"{averaging}_std"] = rows["precision"], rows["std"]
    table = pd.DataFrame(columns).rename_axis("n").reset_index()
    return table.assign(published=table["n"].map(PUBLISHED))
