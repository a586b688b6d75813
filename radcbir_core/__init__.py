"""The core of RadCBIR: from image files to ranked hits, evaluation and a map of the embeddings.

Knows nothing of Streamlit or Plotly, and is as usable from a notebook or a terminal as from the dashboard. Each
module is imported by its own name (``from radcbir_core.collections.collection import open_collection``); heavy
libraries are imported inside the functions that need them, so that importing the core is quick.
"""
