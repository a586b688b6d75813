"""Failures mined over all labels: kinds of failing queries, suspected labels, hubs, each with its rate and its chance.

Owns what a failure of each kind is, the tables that say so of every image, and the order in which they are shown. All
is read from the neighbor graph, with the protocol's exclusions; nothing is searched again but the first k hits of
images that have too few left in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.arrays import row_chunks
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.errors import EvaluationError
from radcbir_core.evaluation.by_seen import by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice, lines_of
from radcbir_core.evaluation.metrics.k_occurrence import hub_threshold, k_occurrences
from radcbir_core.evaluation.metrics.label_noise import VOTES, label_noise
from radcbir_core.evaluation.protocol import Protocol
from radcbir_core.evaluation.reports.precision import with_bounds
from radcbir_core.evaluation.reports.retrieval_confusion import check_varied
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.evaluation.statistics.chance import expected_success
from radcbir_core.evaluation.statistics.intervals import mean_intervals
from radcbir_core.evaluation.view import GalleryView, asked_view, view_notes
from radcbir_core.progress import Progress, silent
from radcbir_core.search.backend import Hits
from radcbir_core.search.neighbors.graph import NEIGHBORS
from radcbir_core.wording import counted

_SORTED_BY: Final = {
    "confident": "similarity",
    "pathology": "wrong_pathology",
    "modality": "other_modality",
    "nothing": "relevant",
    "suspect": "score",
    "hub": "occurrences",
    "anti-hub": "could_find",
}
"""Kind → the column of the table ``images`` that says how much of a failure it is."""


@dataclass(frozen=True)
class FailureKind:
    """One kind of failures.

    Attributes:
        name: What people call it.
        words: What exactly it is, a sentence; ``{k}`` is how many hits count, ``{votes}`` how many of suspected labels,
            and ``{queries}`` who asked.
        by: What it is sorted by, largest first, in words.
    """

    name: str
    words: str
    by: str


@dataclass(frozen=True)
class Rate:
    """How frequent failures of a kind are.

    Attributes:
        n: Images that fail so.
        share: Of those that could.
        low: Lower bound of its 95 % interval over patients; NaN of a single one.
        high: Upper bound.
        n_images: Those that could.
        n_patients: Whose they are.
    """

    n: int
    share: float
    low: float
    high: float
    n_images: int
    n_patients: int


KINDS: dict[str, FailureKind] = {
    "confident": FailureKind(
        "Confident and wrong", "The first hit has another label; the most similar ones first.", "similarity"
    ),
    "pathology": FailureKind(
        "Right anatomy, wrong pathology",
        "The first hit has the query's modality and anatomy, and another pathology; those first of whose first {k} "
        "hits most are so.",
        "share of hits",
    ),
    "modality": FailureKind(
        "Wrong modality",
        "Of the first {k} hits at least one is of another modality; those with most of them first.",
        "share of hits",
    ),
    "nothing": FailureKind(
        "Nothing relevant",
        "There are images with the query's label, but none is among its neighbors in the graph (at most 100, without "
        "what is left out); those with most such images first.",
        "relevant images",
    ),
    "suspect": FailureKind(
        "Suspected labels",
        "The labels of the first {votes} hits speak against the image's own (confident learning over the graph, after "
        "Northcutt et al. 2021); the surest first.",
        "score",
    ),
    "hub": FailureKind(
        "Hubs",
        "Images that are among the first {k} hits of many of the {queries}: in more lists than the mean and two "
        "standard deviations.",
        "lists",
    ),
    "anti-hub": FailureKind(
        "Anti-hubs",
        "Images that are among the first {k} hits of none of the {queries}. Those first that most of these could have "
        "found as relevant.",
        "queries",
    ),
}

KIND_COLUMNS = ("kind", "n", "share", "low", "high", "chance", "n_images", "n_patients", "n_seen")


@dataclass(frozen=True)
class MinedFailures(Evaluation):
    """Failures of every kind, over all labels.

    Table ``kinds`` with the columns :data:`KIND_COLUMNS`: of ``n_images`` images of ``n_patients`` patients that could
    fail so (queries; for hubs and anti-hubs, the gallery), ``n`` do, which is the ``share``, with the bounds of its
    95 % interval over patients; ``n_seen`` images that could were seen in training, and left out where they would
    ask and the protocol says so. ``chance`` is the same for hits drawn at random from those a query may be given:
    exact, but for hubs and anti-hubs, where counts are taken for Poisson's; NaN for suspected labels.

    Table ``images``, one row an image that asks or may be returned: ``row``, ``label``; of queries (else NaN or -1)
    ``similarity`` of the first hit; ``wrong``, 1 if that is not relevant; ``same_anatomy``, 1 if it is of the same
    modality and anatomy; ``wrong_pathology``, the share of the first k hits that have the same modality and anatomy and
    another label; ``other_modality``, the share with another modality; ``known``, the hits that the graph has;
    ``first_relevant``, the rank of the first relevant among them, 0 where none is; ``relevant``, the images that could
    be found; ``p_own``, ``suggested``, ``p_suggested`` and ``score`` (see metrics/label_noise.py); and of images that
    may be returned (else -1) ``occurrences``, in how many lists of k hits it is, ``bad_occurrences``, in how many of
    them as not relevant, and ``could_find``, how many queries of its label could have found it.
    """

    kind: ClassVar[str] = "failures"
    recipe: ClassVar[int] = 4
    name: ClassVar[str] = "Mined failures"
    about: ClassVar[str] = (
        "Failures of every kind over all labels: confident and wrong, wrong pathology or modality, nothing relevant, "
        "suspected labels, hubs and anti-hubs."
    )
    uses: ClassVar[tuple[Need, ...]] = ("neighbors", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "kinds": "How many failures of every kind there are, with intervals and chance",
        "images": "What is known of every image: similarity, suggested label, score, occurrences",
    }
    protocol_choices: ClassVar[tuple[str, ...]] = ("exclude", "seen")

    protocol: Protocol = choice(Protocol(), "leave-one-out, or split (gallery = train, queries = test)")
    k: int = choice(10, "How many hits of each query count")

    def __post_init__(self) -> None:
        check_varied(self.protocol, what="mined failures")
        if not 1 <= self.k <= NEIGHBORS:
            raise EvaluationError(f"Expected k from 1 to {NEIGHBORS}, but k = {self.k}. Choose such.")

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Read every kind from the neighbor graph.

        Args:
            store: What an encoder made of a collection, with its neighbor graph.
            progress: Told the number of queries, as step "failures".
        """
        progress("failures", 0, 1)
        view = asked_view(store, self.protocol, "label")
        images = self._images(view, progress)
        facts = {"hub": hub_threshold(images["occurrences"].to_numpy()[view.gallery[images["row"]]])}
        facts |= {"n_queries": len(view.queries), "n_gallery": int(view.gallery.sum())}
        kinds = self._kinds(view, images, facts["hub"])
        tables = {"kinds": kinds, "images": images}

        def wrong(part: GalleryView) -> npt.NDArray[np.float64]:
            hits = part.hits(1)
            none = part.available.empty | (hits.counts == 0)
            return np.where(none, np.nan, ~part.relevant(hits)[:, 0])

        both = by_seen(view, wrong, name="First hits that are wrong")
        return self.result(store, tables, view_notes(store, self.protocol), facts, by_seen=both)

    def _images(self, view: GalleryView, progress: Progress) -> pd.DataFrame:
        manifest = view.store.collection.manifest
        queries, kinds = view.queries, view.relevance.kinds
        alike = view.places.codes
        modality = manifest.codes("modality").codes
        many = view.hits(max(self.k, VOTES))
        noise = label_noise(
            many.rows, kinds[queries], gallery_labels=kinds, n_labels=len(view.relevance.labels), k=VOTES
        )
        hits = Hits(many.rows[:, : self.k], many.similarities[:, : self.k], np.minimum(many.counts, self.k))
        relevant = view.relevant(hits)
        there, counts = hits.rows >= 0, np.maximum(hits.counts, 1)
        same_anatomy = there & (alike[hits.rows] == alike[queries, None]) & (alike[queries, None] >= 0)
        known, first = _first_relevant(view, progress)
        names = np.array([*view.relevance.labels, ""], dtype=object)
        empty = hits.counts == 0
        asked = pd.DataFrame(
            {
                "similarity": hits.similarities[:, 0].astype(np.float64),
                "wrong": np.where(empty, np.nan, ~relevant[:, 0]),
                "same_anatomy": np.where(empty, np.nan, same_anatomy[:, 0]),
                "wrong_pathology": (same_anatomy & ~relevant).sum(axis=1) / counts,
                "other_modality": (there & (modality[hits.rows] != modality[queries, None])).sum(axis=1) / counts,
                "known": known,
                "first_relevant": first,
                "relevant": view.available.relevant,
                "p_own": noise.own,
                "suggested": pd.Series(names[noise.suggested], dtype="str"),
                "p_suggested": noise.p_suggested,
                "score": noise.score,
            }
        )
        rows = np.union1d(queries, np.flatnonzero(view.gallery))
        images = pd.DataFrame({"row": rows.astype(np.int32), "label": pd.Series(names[kinds[rows]], dtype="str")})
        table = asked.set_index(queries).reindex(rows)
        table["suggested"] = table["suggested"].fillna("").astype("str")
        table["known"] = table["known"].fillna(-1).astype(np.int32)
        table["first_relevant"] = table["first_relevant"].fillna(-1).astype(np.int32)
        table["relevant"] = table["relevant"].fillna(-1).astype(np.int64)
        number = len(manifest)
        given = view.gallery[rows]
        for name, chosen in (("occurrences", None), ("bad_occurrences", ~relevant)):
            table[name] = np.where(given, k_occurrences(hits.rows, n_rows=number, k=self.k, chosen=chosen)[rows], -1)
        table["could_find"] = np.where(given, _seekers(view)[rows], -1)
        return pd.concat([images, table.reset_index(drop=True)], axis=1)

    def _kinds(self, view: GalleryView, images: pd.DataFrame, hub: int) -> pd.DataFrame:
        """How many of each kind there are, and what chance would make."""
        rows = images["row"].to_numpy()
        could = {kind: could_be_of_kind(images, kind) for kind in KINDS}
        chances = self._chances(view, images, hub)
        unanswerable = view.asked_by(view.seen).available.empty
        seen = dict.fromkeys(could, len(view.seen))
        seen |= dict.fromkeys(("confident", "pathology", "nothing"), int((~unanswerable).sum()))
        in_gallery = seen_of(view.store).rows & view.gallery
        seen |= dict.fromkeys(("hub", "anti-hub"), int(in_gallery.sum()))
        lines: list[dict[str, Any]] = []
        for kind in KINDS:
            members, there = is_of_kind(images, kind, hub=hub), could[kind]
            rate = _rate(members, there, view.clusters[rows])
            lines.append({"kind": kind, "chance": chances[kind], "n_seen": seen[kind], **asdict(rate)})
        return pd.DataFrame(lines, columns=list(KIND_COLUMNS))

    def _chances(self, view: GalleryView, images: pd.DataFrame, hub: int) -> dict[str, float]:
        """The share of each kind for hits drawn at random."""
        from scipy.special import pdtrc  # not scipy.stats, which takes two seconds to import

        allowed = view.allowed.astype(np.float64)
        relevant = view.available.relevant.astype(np.float64)
        answerable = relevant > 0
        known = images["known"].to_numpy()[images["known"].to_numpy() >= 0]
        missed = np.ones(len(allowed))
        for count in np.unique(known).tolist():
            mine = known == count
            missed[mine] = 1 - expected_success(relevant[mine], allowed[mine], count)
        other = allowed - view.allowed_with(view.store.collection.manifest.codes("modality"))
        drawn = np.minimum(self.k, allowed)
        # In how many lists an image of the gallery is on average.
        lists = float(drawn.sum()) / max(int(view.gallery.sum()), 1)
        return {
            "confident": _mean(1 - _part(relevant, allowed), answerable),
            "pathology": _mean(_part(view.allowed_alike - relevant, allowed), answerable),
            "modality": _mean(expected_success(other, allowed, self.k), np.ones(len(allowed), dtype=np.bool_)),
            "nothing": _mean(missed, answerable),
            "suspect": float("nan"),
            "hub": float(pdtrc(hub - 1, lists)),
            "anti-hub": float(np.exp(-lists)),
        }

    def title(self, result: Result) -> str:
        """The protocol, k, and who asked."""
        facts = result.facts
        return (
            f": first {self.k} hits; {self.protocol.name}, {self.protocol.excluded}; {facts['n_queries']:,} queries, "
            f"gallery of {facts['n_gallery']:,}; hubs are in {counted(facts['hub'], 'list')} or more"
        )

    def summary(self, result: Result) -> pd.DataFrame:
        """How many failures of each kind there are."""
        return pd.DataFrame(
            [
                {
                    "failure": KINDS[row.kind].name,
                    "images": row.n,
                    "of": row.n_images,
                    "patients": row.n_patients,
                    **({"seen in training": row.n_seen} if result.table["n_seen"].any() else {}),
                    "share": with_bounds(row.share, row.low, row.high),
                    "chance": with_bounds(row.chance, np.nan, np.nan),
                }
                for row in lines_of(result.table)
            ]
        )


def is_of_kind(images: pd.DataFrame, kind: str, *, hub: int) -> npt.NDArray[np.bool_]:
    """Which images are failures of a kind.

    Args:
        images: The table of that name.
        kind: Of :data:`KINDS`.
        hub: From how many lists on an image is a hub.

    Raises:
        EvaluationError: There is no such kind.
    """
    if kind not in KINDS:
        raise EvaluationError(f"Expected a kind of {', '.join(KINDS)}, but kind = {kind!r}. Choose one.")
    answerable = images["relevant"] > 0
    members = {
        "confident": lambda: answerable & (images["wrong"] == 1),
        "pathology": lambda: answerable & (images["wrong"] == 1) & (images["same_anatomy"] == 1),
        "modality": lambda: images["other_modality"] > 0,
        "nothing": lambda: answerable & (images["first_relevant"] == 0),
        "suspect": lambda: images["suggested"] != "",
        "hub": lambda: images["occurrences"] >= hub,
        "anti-hub": lambda: images["occurrences"] == 0,
    }[kind]()
    return np.asarray(members, dtype=np.bool_)


def could_be_of_kind(images: pd.DataFrame, kind: str) -> npt.NDArray[np.bool_]:
    """Which images could fail so: who asks, and has something to find where that matters; or who may be returned.

    Args:
        images: The table of that name.
        kind: Of :data:`KINDS`.
    """
    if kind in {"hub", "anti-hub"}:
        return np.asarray(images["occurrences"] >= 0, dtype=np.bool_)
    asks = images["known"] >= 0
    return np.asarray(asks if kind in {"modality", "suspect"} else asks & (images["relevant"] > 0), dtype=np.bool_)


def rate_within(
    result: Result, kind: str, chosen: npt.NDArray[np.bool_], *, clusters: npt.NDArray[np.integer[Any]]
) -> Rate:
    """How many of some images are failures of a kind, such as of those in a part of the map.

    Args:
        result: Of :class:`MinedFailures`.
        kind: Of :data:`KINDS`.
        chosen: ``(N,)`` which images.
        clusters: ``(N,)`` what is one piece of evidence, from
            :func:`~radcbir_core.collections.groups.clusters_of`.

    Raises:
        EvaluationError: There is no such kind.
    """
    images = result.tables["images"]
    images = images[chosen[images["row"].to_numpy()]]
    members = is_of_kind(images, kind, hub=int(result.facts["hub"]))
    return _rate(members, could_be_of_kind(images, kind), np.asarray(clusters)[images["row"].to_numpy()])


def _rate(members: npt.NDArray[np.bool_], could: npt.NDArray[np.bool_], clusters: npt.NDArray[np.integer[Any]]) -> Rate:
    values = members[could].astype(np.float64)[:, None]
    bounds = mean_intervals(values, np.zeros(len(values), dtype=np.int64), clusters=clusters[could], n_labels=1)
    low, high = bounds.micro[0].tolist()
    share = float(values.mean()) if len(values) else float("nan")
    return Rate(int(members.sum()), share, low, high, len(values), bounds.n_clusters)


def failures_of(result: Result, kind: str) -> pd.DataFrame:
    """The failures of a kind, in the order to look at them.

    Args:
        result: Of :class:`MinedFailures`.
        kind: Of :data:`KINDS`.

    Returns:
        The rows of the table ``images`` that are such, with a column ``value``, by which they are sorted.

    Raises:
        EvaluationError: There is no such kind.
    """
    images = result.tables["images"]
    failures = images.iloc[failure_order(result, kind)]
    return failures.assign(value=failures[_SORTED_BY[kind]].astype(np.float64)).reset_index(drop=True)


def failure_order(result: Result, kind: str) -> npt.NDArray[np.int64]:
    """The failures of a kind, in the order to look at them, as positions in the table ``images``.

    Args:
        result: Of :class:`MinedFailures`.
        kind: Of :data:`KINDS`.

    Raises:
        EvaluationError: There is no such kind.
    """
    images = result.tables["images"]
    chosen = np.flatnonzero(is_of_kind(images, kind, hub=int(result.facts["hub"])))
    value, similarity, row = (
        images[name].to_numpy(dtype=np.float64)[chosen] for name in (_SORTED_BY[kind], "similarity", "row")
    )
    order: npt.NDArray[np.int64] = chosen[np.lexsort((row, -np.nan_to_num(similarity, nan=-2), -value))]
    return order


def _first_relevant(view: GalleryView, progress: Progress) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """``(Q,)`` each: how many hits the graph has, and the rank of the first relevant among them; 0 where none is."""
    number = len(view.queries)
    known, first = np.zeros((2, number), dtype=np.int64)
    for rows in row_chunks(number, NEIGHBORS):
        part = view.asked_by(view.queries[rows])
        hits = part.known_hits(NEIGHBORS)
        relevant = part.relevant(hits)
        known[rows] = hits.counts
        first[rows] = np.where(relevant.any(axis=1), relevant.argmax(axis=1) + 1, 0)
        progress("failures", rows.stop, number)
    return known, first


def _seekers(view: GalleryView) -> npt.NDArray[np.int64]:
    """``(N,)`` how many queries of its label could have found each image of the gallery; 0 of all others.

    What a query may not return may not return the query either, so that the two can change sides.
    """
    asks = np.zeros(len(view.gallery), dtype=np.bool_)
    asks[view.queries] = True
    number = np.zeros(len(asks), dtype=np.int64)
    sought = np.flatnonzero(view.gallery & (view.relevance.kinds >= 0))
    number[sought] = view.asked_by(sought).within(asks).available.relevant
    return number


def _part(some: npt.NDArray[Any], of: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    shares: npt.NDArray[np.float64] = np.divide(some, of, out=np.zeros(len(of)), where=of > 0)
    return shares


def _mean(values: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]) -> float:
    return float(values[chosen].mean()) if chosen.any() else float("nan")
