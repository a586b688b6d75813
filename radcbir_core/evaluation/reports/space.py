"""How an encoder lays out labels: how tight they are, how far from each other, and where each image lies among them.

Owns the tables; the arithmetic is metrics/similarity.py's and metrics/silhouette.py's.

A mean similarity says how tight a label is, not whether its images are found: an encoder whose vectors all point one
way has high similarities everywhere. Therefore the gap is also given relative to what there is room for:
(within − between) ÷ (1 − between), which is 1 where each label is a single point, and 0 where labels play no part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import EXCLUSIONS, clusters_of, default_exclusions, groups_of
from radcbir_core.collections.manifests.manifest import LEVELS, Level
from radcbir_core.errors import EvaluationError, QueryError, Remedy
from radcbir_core.evaluation.by_seen import figures_by_seen
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result, choice
from radcbir_core.evaluation.metrics.silhouette import places_of
from radcbir_core.evaluation.metrics.similarity import Similarities, label_similarities
from radcbir_core.evaluation.seen import seen_notes, seen_of
from radcbir_core.evaluation.statistics.averages import ratio
from radcbir_core.progress import Progress, silent
from radcbir_core.search.opening import vectors_of

SPACE_COLUMNS = (
    "level",
    "label",
    "within",
    "between",
    "gap",
    "relative_gap",
    "n_images",
    "n_pairs",
    "n_seen",
    "averaging",
)


@dataclass(frozen=True)
class Space(Evaluation):
    """The layout of labels.

    Tables: ``similarities`` of every level, with the columns :data:`SPACE_COLUMNS`: ``averaging`` is "micro" (over all
    pairs of images), "macro" (over labels) or "label"; similarities are NaN where there is no pair; ``n_pairs`` are the
    unordered pairs within, ``n_seen`` the images that the encoder has seen in training; a label without a pair is not
    part of the macro mean. ``silhouettes`` of the images of one level: ``row``, ``label``, ``own``, ``other``,
    ``nearest``, ``silhouette``; ``nearest`` is a label's name, "" where there is none. And ``matrix``: ``label``,
    ``other``, ``similarity``, ``n_images``, ``n_others``; the mean similarity of each pair of labels (a label with
    itself: of its different images), NaN where there is no pair of images.
    """

    kind: ClassVar[str] = "space"
    recipe: ClassVar[int] = 4
    name: ClassVar[str] = "Embedding space"
    about: ClassVar[str] = (
        "How similar images are within labels and between them: exact means over all pairs of images; silhouettes."
    )
    uses: ClassVar[tuple[Need, ...]] = ("embeddings", "labels")
    table_words: ClassVar[Mapping[str, str]] = {
        "similarities": "Similarities within and between labels, of all levels",
        "silhouettes": "Where each image lies among the labels",
        "matrix": "The mean similarity of each pair of labels",
    }

    exclude: str = choice(
        "patient", "Pairs that do not count: of one patient, study, series, near-duplicate, duplicate; none"
    )
    level: Level = choice("label", "Of the silhouettes and of the matrix: modality, anatomy, label")

    def __post_init__(self) -> None:
        if self.exclude not in (*EXCLUSIONS, "none"):
            raise EvaluationError(
                f"Expected an exclusion of {', '.join(EXCLUSIONS)}, or none, but exclude = {self.exclude!r}. "
                "Choose one."
            )
        if self.level not in LEVELS:
            raise QueryError(
                f"Expected a level of {', '.join(LEVELS)}, but level = {self.level!r}. Choose one of these."
            )

    @property
    def excludes(self) -> tuple[str, ...]:
        """Which pairs do not count."""
        return () if self.exclude == "none" else (self.exclude,)

    def suited(self, store: EncoderStore) -> Space:
        """With what the collection asks for where nobody chose; only one exclusion can be, and it is the patient's."""
        return replace(self, exclude=default_exclusions(store)[-1])

    def labeled(self, store: EncoderStore) -> None:
        """Do nothing if there are labels at any level."""
        manifest = store.collection.manifest
        if not any((store.valid & (manifest.labels(level).codes >= 0)).any() for level in LEVELS):
            raise EvaluationError(
                f"Expected images with a modality, an anatomy or a label, but {store.collection.name} has none. "
                "Fill such columns by a table of corrections.",
                remedy=Remedy("relabel", store.collection.name),
            )

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """Similarities at every level, and silhouettes at one.

        Args:
            store: What an encoder made of a collection; no neighbor graph is needed.
            progress: Told the number of images, as step "images"; each is read twice.
        """
        self.labeled(store)
        manifest, seen = store.collection.manifest, seen_of(store).rows
        apart = None if self.exclude == "none" else groups_of(store, [self.exclude])[0]
        lines: list[dict[str, Any]] = []
        for level in LEVELS:
            labels = manifest.labels(level)
            codes = np.where(store.valid, labels.codes, -1)
            if (codes >= 0).any():
                sums = label_similarities(vectors_of(store), codes, n_labels=len(labels.values), apart=apart)
                lines += [{"level": level, **line} for line in _lines(sums, labels.values, codes[seen])]
        matrix, images = self._layout(store, apart, progress)
        tables = {"similarities": pd.DataFrame(lines)[list(SPACE_COLUMNS)], "silhouettes": images, "matrix": matrix}
        rows = images["row"].to_numpy()
        both = figures_by_seen(
            images["silhouette"].to_numpy(dtype=np.float64),
            seen=seen[rows],
            clusters=clusters_of(store)[rows],
            name=f"Mean silhouette at the level {self.level}",
            rule="count",
            limits=(-1.0, 1.0),
            noun=("image", "images"),
        )
        return self.result(store, tables, self._notes(store, images), by_seen=both if seen[rows].any() else None)

    def _layout(self, store: EncoderStore, apart: Any, progress: Progress) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The matrix of labels, and the silhouettes of images."""
        labels = store.collection.manifest.labels(self.level)
        codes = np.where(store.valid, labels.codes, -1)
        places = places_of(vectors_of(store), codes, n_labels=len(labels.values), apart=apart, progress=progress)
        numbers = np.bincount(codes[codes >= 0], minlength=len(labels.values))
        present = np.flatnonzero(numbers)
        names = np.array([*labels.values, ""], dtype=object)
        first, second = np.repeat(present, len(present)), np.tile(present, len(present))
        matrix = pd.DataFrame(
            {
                "label": names[first],
                "other": names[second],
                "similarity": places.matrix[first, second],
                "n_images": numbers[first],
                "n_others": numbers[second],
            }
        )
        rows = np.flatnonzero(codes >= 0)
        images = pd.DataFrame(
            {
                "row": rows.astype(np.int32),
                "label": names[codes[rows]],
                "own": places.own[rows],
                "other": places.other[rows],
                "nearest": names[places.nearest[rows]],
                "silhouette": places.silhouette[rows],
            }
        )
        return matrix, images

    def title(self, result: Result) -> str:  # noqa: ARG002
        """Which pairs count."""
        without = "all pairs" if self.exclude == "none" else f"pairs of one {self.exclude} left out"
        return f": mean cosine, {without}"

    def summary(self, result: Result) -> pd.DataFrame:
        """Micro and macro at every level."""
        means = result.table[result.table["averaging"] != "label"]
        return pd.DataFrame(
            [
                {"level": row["level"], "averaging": row["averaging"], "images": row["n_images"]}
                | {"pairs within": row["n_pairs"]}
                | ({"seen in training": row["n_seen"]} if means["n_seen"].any() else {})
                | {
                    column.replace("_", " "): "" if np.isnan(row[column]) else f"{row[column]:.3f}"
                    for column in ("within", "between", "gap", "relative_gap")
                }
                for row in means.to_dict("records")
            ]
        )

    def remarks(self, result: Result) -> Sequence[str]:
        """The mean silhouettes."""
        known = result.tables["silhouettes"]["silhouette"].dropna()
        if not len(known):
            return ()
        labels = label_silhouettes(result.tables["silhouettes"])
        return (
            f"Mean silhouette at the level {self.level}: micro {known.mean():.3f} of {len(known)} images, macro "
            f"{labels['silhouette'].mean():.3f} of {len(labels)} labels; nearer to another label: "
            f"{100 * (known < 0).mean():.1f} % of images.",
        )

    def _notes(self, store: EncoderStore, images: pd.DataFrame) -> list[str]:
        notes = seen_notes(store)
        if self.exclude not in {"none", "duplicate", "near-duplicate"}:
            groups = groups_of(store, [self.exclude])[0]
            unknown = int((groups < 0).sum())
            if unknown:
                notes.append(
                    f"{unknown:,} of {len(groups):,} images have no {self.exclude}_id: pairs of the same "
                    f"{self.exclude} may count."
                )
        alone = int(images["silhouette"].isna().sum())
        if alone:
            notes.append(
                f"{alone:,} of {len(images):,} images have no silhouette: no other image of their label, or of another "
                "label, that they may be compared with."
            )
        if not len(images):
            notes.append(f"No image has a label at the level {self.level}, so there are no silhouettes.")
        failed = int((~store.valid).sum())
        if failed:
            notes.append(f"{failed} images could not be embedded and are left out; problems.csv says why.")
        return notes


def label_silhouettes(images: pd.DataFrame) -> pd.DataFrame:
    """The mean silhouette of each label, lowest first: ``label``, ``silhouette``, ``n_images`` and ``nearer``.

    ``n_images`` have a silhouette; ``nearer`` is the share of them that lies nearer to another label.

    Args:
        images: The table ``silhouettes`` of a result.
    """
    known = images[images["silhouette"].notna()]
    by_label = known.groupby(known["label"].astype(object), sort=True)["silhouette"]
    table = pd.DataFrame(
        {
            "silhouette": by_label.mean(),
            "n_images": by_label.size(),
            "nearer": by_label.agg(lambda values: float((values < 0).mean())),
        }
    )
    table = table.reset_index().astype({"label": "str"})
    return table.sort_values(["silhouette", "label"], kind="stable").reset_index(drop=True)


def _lines(sums: Similarities, names: tuple[str, ...], seen_codes: npt.NDArray[np.int32]) -> Iterator[dict[str, Any]]:
    """Micro, macro and each label; ``seen_codes`` are the labels of the images that were seen, -1 is none."""
    seen = np.bincount(seen_codes[seen_codes >= 0], minlength=len(names))
    within = ratio(sums.within, sums.within_pairs)
    between = ratio(sums.between, sums.between_pairs)
    both = ~np.isnan(within) & ~np.isnan(between)
    every_within = float(ratio(sums.within.sum()[None], sums.within_pairs.sum()[None])[0])
    every_between = float(ratio(sums.between.sum()[None], sums.between_pairs.sum()[None])[0])
    mean = (float(within[both].mean()), float(between[both].mean())) if both.any() else (np.nan, np.nan)
    images, pairs = int(sums.images.sum()), int(sums.within_pairs.sum()) // 2
    yield _line("", "micro", every_within, every_between, images=images, pairs=pairs, seen=int(seen.sum()))
    yield _line("", "macro", *mean, images=images, pairs=pairs, seen=int(seen.sum()))
    for code in np.flatnonzero(sums.images).tolist():
        yield _line(
            names[code],
            "label",
            float(within[code]),
            float(between[code]),
            images=int(sums.images[code]),
            pairs=int(sums.within_pairs[code]) // 2,
            seen=int(seen[code]),
        )


def _line(
    label: str, averaging: str, within: float, between: float, *, images: int, pairs: int, seen: int
) -> dict[str, Any]:
    room = 1 - between
    return {
        "label": label,
        "within": within,
        "between": between,
        "gap": within - between,
        "relative_gap": (within - between) / room if room > 1e-9 else np.nan,
        "n_images": images,
        "n_pairs": pairs,
        "n_seen": seen,
        "averaging": averaging,
    }
