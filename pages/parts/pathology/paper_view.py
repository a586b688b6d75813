"""What the paper's protocol adds to the view Precision: P@N for N from 1 to 100, beside the published figures.

Owns how the curve and its table are drawn.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

from pages.parts.evaluation import charts, label_chart
from pages.parts.evaluation.label_chart import figure_column
from pages.parts.frame.shell import Opened
from radcbir_core.evaluation import KS, Result
from radcbir_core.evaluation.reports.paper import PUBLISHED

KS_SHOWN: Final = (*KS, 20, 50, 100)


def show(opened: Opened, result: Result) -> None:
    """Draw the curve and its table."""
    table = result.tables["curve"]
    left, right = st.container(key="radcbir-half-paper").columns([1, 1], gap="medium")
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
