"""The core of RadCBIR: from image files to ranked hits, evaluation and a map of the embeddings.

Knows nothing of Streamlit or Plotly, and is as usable from a notebook or a terminal as from the dashboard. What a
notebook needs is offered here by name, and imported when it is first used, so that ``import radcbir_core`` takes no
longer than Python itself; docs/notebook.ipynb shows each. Everything else is imported from its own module.

```python
import radcbir_core as radcbir

collection = radcbir.import_images("images/", name="mine").collection
radcbir.build(collection, "radcbir-mini")
radcbir.Retriever(collection, "radcbir-mini").search("some-image-id", k=10, exclude=["patient"])
radcbir.evaluate(collection, "radcbir-mini")
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from radcbir_core.collections.collection import Collection, open_collection
    from radcbir_core.collections.layout import list_collections
    from radcbir_core.encoders import known_encoders, load_encoder
    from radcbir_core.errors import RadcbirError
    from radcbir_core.evaluation import evaluate
    from radcbir_core.evaluation.similarity_readings import read_hits
    from radcbir_core.images import decode_image
    from radcbir_core.notebook import build, compare, import_images
    from radcbir_core.search.queries.composition import compose
    from radcbir_core.search.queries.query import TextQuery
    from radcbir_core.search.retriever import Retriever
    from radcbir_core.search.series.series_search import VolumeQuery, search_series

__all__ = [
    "Collection",
    "RadcbirError",
    "Retriever",
    "TextQuery",
    "VolumeQuery",
    "build",
    "compare",
    "compose",
    "decode_image",
    "evaluate",
    "import_images",
    "known_encoders",
    "list_collections",
    "load_encoder",
    "open_collection",
    "read_hits",
    "search_series",
]

_MODULES = {
    "Collection": "collections.collection",
    "RadcbirError": "errors",
    "Retriever": "search.retriever",
    "TextQuery": "search.queries.query",
    "VolumeQuery": "search.series.series_search",
    "build": "notebook",
    "compare": "notebook",
    "compose": "search.queries.composition",
    "decode_image": "images",
    "evaluate": "evaluation",
    "import_images": "notebook",
    "known_encoders": "encoders",
    "list_collections": "collections.layout",
    "load_encoder": "encoders",
    "open_collection": "collections.collection",
    "read_hits": "evaluation.similarity_readings",
    "search_series": "search.series.series_search",
}


def __getattr__(name: str) -> Any:
    """A name of the public face, from the module that has it (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
