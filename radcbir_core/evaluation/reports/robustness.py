"""What becomes of P@k and of the hits when queries are changed a little: flipped, turned, cropped, burned into.

Owns the sample of queries, the tables, and the paired differences to the unchanged queries. What a perturbation does is
images/perturbations.py's; P@k and its intervals are those of every evaluation.

The gallery stays as it is. An encoder that goes by what is in the body finds the same after a change that a person
would look past; one that goes by a burned-in letter, the frame or the exact gray levels does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Level
from radcbir_core.encoders import Encoder, load_encoder
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import precision_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.overlap import overlap_by_depth, rank_biased_overlap
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.figures import by_chance, figures, means_alone
from radcbir_core.evaluation.reports.leakage import difference_said
from radcbir_core.evaluation.reports.precision import seen_cell, with_bounds
from radcbir_core.evaluation.sampling import check_sample, sample_said, sampled
from radcbir_core.evaluation.statistics.intervals import DIFFERENCES
from radcbir_core.evaluation.view import GalleryView, view_notes
from radcbir_core.images.perturbations import PERTURBATIONS, Step
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits, unit
from radcbir_core.search.exclusions import exclusions_of
from radcbir_core.search.opening import searcher_of
from radcbir_core.search.retriever import check_encoder
from radcbir_core.wording import counted

UNCHANGED: Final = "unchanged"
"""The first line: the queries as they are."""
MEANS_COLUMNS = (
    *("perturbation", "averaging", "label", "k", "precision", "low", "high", "chance"),
    *("difference", "difference_low", "difference_high", "overlap", "overlap_low", "overlap_high"),
    *("n_queries", "n_patients", "n_empty", "n_seen"),
)
QUERY_COLUMNS = ("perturbation", "row", "similarity", "rank_biased_overlap")
_IMAGES_AT_ONCE = 8


@dataclass(frozen=True)
class Robustness(Evaluation):
    """P@k of a sample of queries, unchanged and under each perturbation.

    Tables: ``means`` with the columns :data:`MEANS_COLUMNS`, a row a perturbation, mean and k, that of the unchanged
    queries first. ``difference`` is P@k less that of the same queries unchanged, and ``overlap`` the share of the first
    k hits that they had unchanged, both with the bounds of their 95 % intervals. And ``queries``, a row a perturbation
    and query: the columns :data:`QUERY_COLUMNS`, where ``similarity`` is that of the changed to the unchanged image,
    and for each k ``p@k`` and ``overlap@k``.
    """

    kind: ClassVar[str] = "robustness"
    recipe: ClassVar[int] = 2
    name: ClassVar[str] = "Robustness"
    about: ClassVar[str] = (
        "P at k of a sample of queries that are flipped, rotated, cropped, inverted, written into and so on, with the "
        "difference to the same queries unchanged, and how many of the hits stay."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "means": "P@k, differences and overlaps of every perturbation, micro, macro and by label",
        "queries": "The same of every query",
    }

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    level: Level = choice("label", "modality, anatomy or label")
    perturbations: tuple[str, ...] = choice((), "Which, as name or name:strength, such as rotate:10; all by default")
    sample: int = choice(200, "How many queries, drawn from those that have something to find")

    def __post_init__(self) -> None:
        if self.protocol.fixed:
            raise EvaluationError(
                f"Expected the protocol leave-one-out or split, but protocol = {self.protocol.name}. Use split."
            )
        check_sample(self.sample)
        words = [Step.of(word).word for word in self.perturbations or PERTURBATIONS]
        object.__setattr__(self, "perturbations", tuple(dict.fromkeys(words)))

    @property
    def steps(self) -> list[Step]:
        """The perturbations, with their strengths."""
        return [Step.of(word) for word in self.perturbations]

    def check(self, store: EncoderStore) -> None:
        """As every evaluation; and that there is an encoder at all."""
        super().check(store)
        check_changeable(store)

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """P@k of the queries, unchanged and changed.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of queries, as step "perturbations".

        Raises:
            EncoderError: The encoder cannot be loaded here.
            StaleError: The encoder here is another version than the one that made the embeddings.
            ImageError: The file of an image is gone, or cannot be decoded.
        """
        view = sampled(self.labeled(store), self.sample)
        check_changeable(store)
        encoder = load_encoder(store.spec)
        check_encoder(store, encoder)
        steps, rows = self.steps, view.queries
        progress("perturbations", 0, len(rows))
        vectors = np.empty((len(steps), len(rows), encoder.dimension), dtype=np.float32)
        for start, part in _changed_embeddings(store, encoder, rows, steps):
            vectors[:, start : start + part.shape[1]] = part
            progress("perturbations", start + part.shape[1], len(rows))
        means, queries = [], []
        own = searcher_of(store).queries_of(rows)
        before = view.hits()
        unchanged = view.precision(before)
        for word, changed in zip((UNCHANGED, *self.perturbations), (None, *vectors), strict=True):
            hits = before if changed is None else self._hits(view, changed)
            values = unchanged if changed is None else view.precision(hits)
            overlap = _overlap(before.rows, hits.rows, ks=self.protocol.ks)
            change = None if changed is None else values - unchanged
            means.append(_means(view, values, change, overlap).assign(perturbation=word))
            of_query = {f"p@{k}": values[:, i] for i, k in enumerate(self.protocol.ks)}
            of_query |= {f"overlap@{k}": overlap[:, i] for i, k in enumerate(self.protocol.ks)}
            near = np.ones(len(rows)) if changed is None else np.einsum("qd,qd->q", own, changed)
            same = rank_biased_overlap(before.rows, hits.rows)
            columns = (word, rows.astype(np.int32), near.astype(np.float64), same)
            queries.append(pd.DataFrame({**dict(zip(QUERY_COLUMNS, columns, strict=True)), **of_query}))
        return self.result(
            store,
            {
                "means": pd.concat(means, ignore_index=True)[list(MEANS_COLUMNS)],
                "queries": pd.concat(queries, ignore_index=True),
            },
            self._notes(store, view),
            {"k": max(self.protocol.summary_ks)},
            by_seen=precision_by_seen(
                self.labeled(store), name=f"P@{max(self.protocol.summary_ks)} of all queries, unchanged"
            ),
        )

    def title(self, result: Result) -> str:  # noqa: ARG002 - the same for all
        """The level, the sample, and the rules."""
        return f", level {self.level}, {counted(self.sample, 'query', 'queries')} at most: {self.protocol.describe()}"

    def summary(self, result: Result) -> pd.DataFrame:
        """Micro and macro P@1 and P@k under every perturbation, with the difference and the overlap."""
        table, k = result.table, result.facts["k"]
        lines = []
        for row in lines_of(table[(table["averaging"] == "micro") & (table["k"] == k)]):
            line = {"queries that are": perturbation_said(row.perturbation), "queries": row.n_queries}
            line["patients"] = row.n_patients
            line |= seen_cell(table, self.protocol)
            same = table[(table["perturbation"] == row.perturbation) & (table["averaging"] == "micro")]
            for other in lines_of(same[same["k"].isin({min(self.protocol.ks), k})]):
                line[f"P@{other.k}"] = with_bounds(other.precision, other.low, other.high)
                line[f"change of P@{other.k}"] = difference_said(
                    other.difference, other.difference_low, other.difference_high
                )
            line[f"hits of {k} that stay"] = with_bounds(row.overlap, row.overlap_low, row.overlap_high)
            line["chance"] = f"{row.chance:.3f}"
            lines.append(line)
        return pd.DataFrame(lines)

    def _hits(self, view: GalleryView, vectors: npt.NDArray[np.float32]) -> Hits:
        """The hits of changed queries, which no graph can know; none of a query that has no embedding any more."""
        k, usable = max(self.protocol.ks), vectors.any(axis=1)
        hits = Hits.empty(len(vectors), k)
        if not usable.any():
            return hits
        some = searcher_of(view.store).search(
            unit(vectors[usable], dimension=vectors.shape[1]),
            k=k,
            allowed=view.gallery,
            exclusions=exclusions_of(view.store, view.queries[usable], self.protocol.exclude),
        )
        hits.rows[usable], hits.similarities[usable], hits.counts[usable] = some.rows, some.similarities, some.counts
        return hits

    def _notes(self, store: EncoderStore, view: GalleryView) -> list[str]:
        said = sample_said(view, of=self.labeled(store))
        return [f"{said} The gallery is unchanged.", *view_notes(store, self.protocol)]


def check_changeable(store: EncoderStore) -> None:
    """Do nothing if there is an encoder that changed images can be given to.

    Raises:
        EvaluationError: The embeddings were imported.
    """
    if store.imported:
        raise EvaluationError(
            f"Expected an encoder that can be given changed images, but the embeddings of {store.encoder_id} were "
            "imported. Build the collection with an encoder of this machine."
        )


def perturbation_said(word: str) -> str:
    """A line's perturbation in words.

    Example:
        >>> perturbation_said("unchanged"), perturbation_said("rotate:10")
        ('unchanged', 'rotated, 10°')
    """
    if word == UNCHANGED:
        return UNCHANGED
    said = Step.of(word).said
    return said if said[:2].isupper() else said[0].lower() + said[1:]


def worst_said(table: pd.DataFrame, *, k: int) -> str:
    """What the table says in one sentence: which change takes most from P@k, of those that surely do.

    Args:
        table: Of means, all k's.
        k: Of P@k.
    """
    rows = table[(table["averaging"] == "micro") & (table["k"] == k) & (table["perturbation"] != UNCHANGED)]
    sure = rows[rows["difference_high"] < 0]
    if not len(sure):
        return f"No change takes anything from P@{k} for sure: every interval of a difference holds 0."
    row = sure.sort_values(["difference", "perturbation"]).iloc[0]
    unchanged = row["precision"] - row["difference"]
    said = difference_said(row["difference"], row["difference_low"], row["difference_high"])
    return (
        f"{Step.of(str(row['perturbation'])).said}: P@{k} falls from {unchanged:.2f} to "
        f"{row['precision']:.2f} ({said}); {row['overlap']:.0%} of the first {k} hits stay. {len(sure)} of "
        f"{len(rows)} changes take something for sure."
    )


def _changed_embeddings(
    store: EncoderStore, encoder: Encoder, rows: npt.NDArray[np.intp], steps: Sequence[Step]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Where a few queries begin, and what the encoder makes of each change of them: (P, q, D)."""

    def prepared(row: int) -> list[npt.NDArray[np.float32]]:
        pixels = store.collection.read_image(row).pixels
        return [encoder.prepare(step(pixels)) for step in steps]

    with ThreadPoolExecutor(2, thread_name_prefix="perturb") as pool:
        for start in range(0, len(rows), _IMAGES_AT_ONCE):
            part = [int(row) for row in rows[start : start + _IMAGES_AT_ONCE]]
            inputs = [one for image in pool.map(prepared, part) for one in image]
            batches = range(0, len(inputs), encoder.batch_size)
            vectors = [encoder.encode_prepared(np.stack(inputs[at : at + encoder.batch_size])) for at in batches]
            yield start, np.concatenate(vectors).reshape(len(part), len(steps), -1).swapaxes(0, 1)


def _overlap(
    before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], *, ks: Sequence[int]
) -> npt.NDArray[np.float64]:
    """(Q, len(ks)) the share of the first k hits before that are among the first k after; of as many as there are."""
    shared = overlap_by_depth(before, after)
    there = np.cumsum(before >= 0, axis=1)
    return np.stack([shared[:, k - 1] / np.maximum(there[:, k - 1], 1) for k in ks], axis=1)


def _means(
    view: GalleryView,
    values: npt.NDArray[np.float64],
    change: npt.NDArray[np.float64] | None,
    overlap: npt.NDArray[np.float64],
) -> pd.DataFrame:
    """The lines of a perturbation; those of the unchanged queries have no change and no overlap."""
    table = figures(view, values).assign(chance=means_alone(view, by_chance(view, view.allowed)))
    if change is None:
        return table.reindex(columns=[name for name in MEANS_COLUMNS if name != "perturbation"])
    scored = np.where(np.isnan(values), np.nan, overlap)
    parts = {"difference": figures(view, change, limits=DIFFERENCES), "overlap": figures(view, scored)}
    for name, part in parts.items():
        table[name] = part["precision"].to_numpy()
        table[[f"{name}_low", f"{name}_high"]] = part[["low", "high"]].to_numpy()
    return table
