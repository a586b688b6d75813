"""What is lost by not comparing every image, or by keeping fewer digits: recall against exact search, and P@k.

Owns the ways of searching that are compared, the tables, and the paired differences to exact search. Searching,
rounding and recall are search/'s; P@k and its intervals are those of every evaluation.

The neighbor graph is one of the ways: what every other figure rests on. It is measured where it is called exact, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.artifacts import INDEX, NEIGHBORS
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.reports.leakage import difference_said
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.sampling import check_sample, sample_said, sampled
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES
from radcbir_core.evaluation.view import GalleryView, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits
from radcbir_core.search.engines.quantized import QUANTIZATIONS, Quantized, exact_hits, kept_as, narrower_than_stored
from radcbir_core.search.engines.recall import neighbor_recall, true_similarities
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.opening import index_note, searcher_of
from radcbir_core.wording import counted

EXACT: Final = "exact"
"""The first way, with which the others are compared: all images, as they are stored."""
ENGINE: Final = "index"
GRAPH: Final = "graph"
DEPTHS: Final = (1, 10, 100)
"""The k's of recall@k."""
MEANS_COLUMNS = (
    *("way", "averaging", "label", "k", "recall", "recall_low", "recall_high"),
    *("precision", "low", "high", "chance", "difference", "difference_low", "difference_high"),
    *("n_queries", "n_patients", "n_empty", "n_seen"),
)


@dataclass(frozen=True)
class Approximation(Evaluation):
    """Recall and P@k of a sample of queries, by each way of searching.

    Tables: ``means`` with the columns :data:`MEANS_COLUMNS`, a row a way, mean and k; the k's are those of the
    protocol and :data:`DEPTHS`. ``recall`` is the share of the exact first k hits that the way finds, ``difference``
    its P@k less that of exact search, paired; both with the bounds of their 95 % intervals, and NaN for exact search
    itself. And ``queries``, a row a way and query: ``way``, ``row``, and for each k ``recall@k`` and ``p@k``.

    The ways are :data:`EXACT`; :data:`ENGINE`, the index in use, where there is one that does not compare everything,
    as it answers under these exclusions to whoever asks for k hits; :data:`GRAPH`, the neighbor graph with what its
    readers search again where too few are left of it; and exact search over vectors and queries of fewer digits, of
    :data:`~radcbir_core.search.engines.quantized.QUANTIZATIONS`.
    """

    kind: ClassVar[str] = "approximation"
    recipe: ClassVar[int] = 1
    name: ClassVar[str] = "Approximate search"
    about: ClassVar[str] = (
        "What the index, the neighbor graph and vectors of fewer digits miss of exact search: recall at k over a "
        "sample of queries, and how far P at k moves."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "means": "Recall, P@k and differences of every way of searching, micro, macro and by label",
        "queries": "Recall and P@k of every query",
    }

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")
    sample: int = choice(1000, "How many queries, drawn from those that have something to find")

    def __post_init__(self) -> None:
        if self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out or split, but protocol = {self.protocol.name}, which is exact. "
                "Use split."
            )
        check_sample(self.sample)

    @property
    def ks(self) -> tuple[int, ...]:
        """All k's that are told."""
        return tuple(sorted({*self.protocol.ks, *DEPTHS}))

    def made_of(self, store: EncoderStore) -> list[str]:
        """The index and the graph too, which may be built again over the same vectors."""
        index = "" if store.index_fault() or not store.is_current(INDEX) else store.made_digest(INDEX)
        return [*super().made_of(store), store.made_digest(NEIGHBORS), index]

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Recall and P@k by every way.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of ways that are searched, as step "approximation"; and queries, as step "search".
        """
        whole: GalleryView = self.labeled(store)
        view = sampled(replace(whole, protocol=replace(self.protocol, ks=self.ks)), self.sample)
        searcher = searcher_of(store)
        ways = ways_of(store)
        chance = means_alone(view, by_chance(view, view.allowed))
        exact: npt.NDArray[np.float64] | None = None
        reference: npt.NDArray[np.float64] | None = None
        means, queries = [], []
        progress("approximation", 0, len(ways))
        for done, way in enumerate(ways, 1):
            found = []
            for ks, hits in self._answers(view, way, progress=progress):
                similarities = true_similarities(searcher.engine, view.queries, hits.rows)
                exact = similarities if exact is None else exact
                at = replace(view, protocol=replace(view.protocol, ks=ks))
                found.append((neighbor_recall(similarities, exact[:, : max(ks)], ks), at.precision(hits)))
            recall, values = (np.concatenate(parts, axis=1) for parts in zip(*found, strict=True))
            reference = values if reference is None else reference
            table = figures(view, values).assign(way=way, chance=chance)
            if way != EXACT:
                parts = {
                    "recall": figures(view, np.where(np.isnan(values), np.nan, recall)),
                    "difference": figures(view, values - reference, limits=DIFFERENCES),
                }
                for name, part in parts.items():
                    table[name] = part["precision"].to_numpy()
                    table[[f"{name}_low", f"{name}_high"]] = part[["low", "high"]].to_numpy()
            means.append(table.reindex(columns=list(MEANS_COLUMNS)))
            of_query = {f"recall@{k}": recall[:, i] for i, k in enumerate(self.ks)}
            of_query |= {f"p@{k}": values[:, i] for i, k in enumerate(self.ks)}
            queries.append(pd.DataFrame({"way": way, "row": view.queries.astype(np.int32), **of_query}))
            progress("approximation", done, len(ways))
        usual = searcher.answers_exactly(int((view.gallery & store.valid).sum()))
        return self.result(
            store,
            {
                "means": pd.concat(means, ignore_index=True),
                "queries": pd.concat(queries, ignore_index=True),
            },
            [sample_said(view, of=whole), *_notes(store, usual=usual), *view_notes(store, self.protocol)],
            {
                "k": max(self.protocol.summary_ks),
                "stored": kept_as(searcher.engine),
                "engine": searcher.engine.name,
                "recall_when_built": searcher.engine.recall.facts()["recall_at_10"],
                "graph": store.facts(NEIGHBORS).get("method", "exact"),
                "answers_exactly": usual,
            },
        )

    def title(self, result: Result) -> str:  # noqa: ARG002 - the same for all
        """The level, the sample, and the rules."""
        return f", level {self.level}, {counted(self.sample, 'query', 'queries')} at most: {self.protocol.describe()}"

    def summary(self, result: Result) -> pd.DataFrame:
        """Recall@1, 10 and 100 of every way, and micro P@k with what it is less than that of exact search."""
        table, k = result.table, result.facts["k"]
        micro = table[table["averaging"] == "micro"]
        lines = []
        for row in lines_of(micro[micro["k"] == k]):
            line = {"searched by": way_said(row.way, result), "queries": row.n_queries, "patients": row.n_patients}
            line |= seen_cell(micro[micro["way"] == row.way], self.protocol)
            for other in lines_of(micro[(micro["way"] == row.way) & micro["k"].isin(DEPTHS)]):
                line[f"recall@{other.k}"] = with_bounds(other.recall, other.recall_low, other.recall_high)
            line[f"P@{k}"] = with_bounds(row.precision, row.low, row.high)
            line["less exact search"] = difference_said(row.difference, row.difference_low, row.difference_high)
            line["chance"] = f"{row.chance:.3f}"
            lines.append(line)
        return pd.DataFrame(lines)

    def remarks(self, result: Result) -> Sequence[str]:
        """What the index and the graph miss, a sentence each."""
        return [way_told(result, way) for way in (ENGINE, GRAPH) if (result.table["way"] == way).any()]

    def _answers(self, view: GalleryView, way: str, *, progress: Progress) -> Iterator[tuple[tuple[int, ...], Hits]]:
        """The hits of the sample by one way, and the k's that they answer.

        An index that is asked for a hundred hits finds more of the first ten than one that is asked for ten, and of the
        graph's hundred less is searched again for ten: both are asked for each k by itself. Of exact search the hits of
        a smaller k are the first of a larger one.
        """
        store, most = view.store, max(self.ks)
        exclusions = exclusions_of(store, view.queries, self.protocol.exclude)
        searcher, gallery = searcher_of(store), view.gallery & store.valid
        if way not in {ENGINE, GRAPH}:
            source = searcher.engine if way == EXACT else Quantized(searcher.engine, way)
            hits = exact_hits(source, view.queries, k=most, gallery=gallery, exclusions=exclusions, progress=progress)
            yield self.ks, hits
            return
        for done, k in enumerate(self.ks):
            progress("search", done, len(self.ks))
            if way == GRAPH:
                yield (k,), view.hits(k)
                continue
            vectors = searcher.queries_of(view.queries)
            hits = searcher.search(vectors, k=k, allowed=gallery, exclusions=exclusions, method="approximate")
            yield (k,), hits


def ways_of(store: EncoderStore) -> list[str]:
    """The ways of searching that are compared, exact search first.

    Args:
        store: What an encoder made of a collection.
    """
    engine = searcher_of(store).engine
    return [EXACT, *([ENGINE] if engine.method == "approximate" else []), GRAPH, *narrower_than_stored(engine)]


def way_said(way: str, result: Result) -> str:
    """A way of searching in words.

    Args:
        way: Of :func:`ways_of`.
        result: In which it is one.
    """
    if way == EXACT:
        return f"exact search, {result.facts['stored']} as stored"
    if way == ENGINE:
        return f"the index ({result.facts['engine']})"
    if way == GRAPH:
        return f"the neighbor graph ({result.facts['graph']})"
    return f"exact search, {way}"


def way_told(result: Result, way: str, *, k: int | None = None, depth: int = 10) -> str:
    """What a way misses, in one sentence.

    Args:
        result: With the way.
        way: Which.
        k: Of P@k; the largest of the summary by default.
        depth: Of recall, one of :data:`DEPTHS`.
    """
    k = k or result.facts["k"]
    micro = result.table[(result.table["averaging"] == "micro") & (result.table["way"] == way)]
    lines = {row.k: row for row in lines_of(micro)}
    found, at_k = lines[depth], lines[k]
    said = way_said(way, result)
    share = with_bounds(found.recall, found.recall_low, found.recall_high)
    moved = difference_said(at_k.difference, at_k.difference_low, at_k.difference_high)
    return (
        f"{said[0].upper()}{said[1:]} finds {share} of the exact first {depth} hits; micro P@{k} is {moved} beside "
        f"that of exact search, over {counted(at_k.n_queries, 'query', 'queries')} of "
        f"{counted(at_k.n_patients, 'patient')}."
    )


def _notes(store: EncoderStore, *, usual: bool) -> list[str]:
    searcher = searcher_of(store)
    engine, stored = searcher.engine, kept_as(searcher.engine)
    notes = []
    if engine.method == "exact":
        note = index_note(store)
        notes.append(note or f"There is no index that leaves anything out: {engine.name} compares all images.")
    elif usual:
        notes.append(
            f"Retrieval compares all {counted(len(store.collection), 'image')} here, which is as quick; the index is "
            "measured as if it had been asked."
        )
    if stored == "f16":
        notes.append(
            "The vectors are stored in half precision (f16), and compared in single precision: what their further "
            "digits would have changed cannot be measured any more."
        )
    else:
        notes.append(f"The vectors are stored as {stored}, and compared in single precision.")
    said = "; ".join(f"{name}: {QUANTIZATIONS[name].said}" for name in narrower_than_stored(engine))
    notes.append(
        f"Of fewer digits ({said}), queries and images alike, all images are compared, so that the difference is that "
        "of the digits alone."
    )
    return notes
