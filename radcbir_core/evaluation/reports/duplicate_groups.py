"""The groups of near-duplicates, and what does not fit: one picture with two labels, of two patients, on two sides.

Owns these tables. Finding the groups is the business of ``near_duplicates``; they are read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from radcbir_core.collections.artifacts import NEAR_DUPLICATES
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.manifests.manifest import Manifest
from radcbir_core.evaluation.evaluation import Evaluation, Need, Result
from radcbir_core.progress import Progress, silent
from radcbir_core.wording import counted

CONFLICTS: Final[Mapping[str, str]] = {
    "labels": "with other labels",
    "patients": "of other patients",
    "splits": "in train and in test",
}
"""What does not fit in a group, and how it is said of one picture."""

GROUP_COLUMNS: Final = ("group", "row", "n_images", "n_exact", *CONFLICTS, "conflicts", "values")


@dataclass(frozen=True)
class DuplicateGroups(Evaluation):
    """The near-duplicates of a collection, group by group, conflicts first.

    Tables: ``groups`` with the columns :data:`GROUP_COLUMNS`, those with most conflicts first and of these the largest:
    ``row`` is the first image of the group, ``n_exact`` how many of its images have an exact copy, ``labels``,
    ``patients`` and ``splits`` say whether the group has images with different modality, anatomy or pathologies, of
    different patients, and both in train and in test, ``conflicts`` counts these, and ``values`` names what differs
    (labels and splits; patients by their number). Images of which nothing is known conflict with none. And ``images``,
    one row an image of a group, groups in the same order: ``group`` and ``row``.
    """

    kind: ClassVar[str] = "near-duplicates"
    recipe: ClassVar[int] = 1
    name: ClassVar[str] = "Near-duplicates"
    about: ClassVar[str] = (
        "Groups of files that show one picture (scaled, compressed again, cropped, in another window, flipped or "
        "inverted, neighboring slices), those with conflicting labels, patients or splits first."
    )
    uses: ClassVar[tuple[Need, ...]] = ("near-duplicates",)
    table_words: ClassVar[Mapping[str, str]] = {
        "groups": "The groups, those with conflicts first",
        "images": "The images of each group",
    }

    def compute(self, store: EncoderStore, *, progress: Progress = silent) -> Result:
        """All groups, with their conflicts.

        Args:
            store: What an encoder made of a collection.
            progress: Told one step, "groups".
        """
        progress("groups", 0, 1)
        manifest, codes = store.collection.manifest, np.asarray(store.near_duplicate_groups)
        rows = np.flatnonzero(codes >= 0)
        rows = rows[np.argsort(codes[rows], kind="stable")]
        of = codes[rows]
        _, first, sizes = np.unique(of, return_index=True, return_counts=True)
        number = len(first)
        columns = _columns(manifest, rows)
        labels = np.logical_or.reduce([_several(of, columns[name], number) for name in _LABELS])
        patients = _several(of, manifest.groups("patient")[rows], number)
        split = manifest.codes("split")
        sides = [np.isin(np.arange(number), of[columns["split"] == _code(split.values, name)]) for name in _SIDES]
        conflicting = {"labels": labels, "patients": patients, "splits": sides[0] & sides[1]}
        conflicts = np.sum([*conflicting.values()], axis=0)
        exact = np.bincount(of, weights=manifest.groups("duplicate")[rows] >= 0, minlength=number)
        ends = [*first.tolist(), len(rows)][1:]
        values = [
            _values(manifest, rows[start:end], {name: bool(mask[group]) for name, mask in conflicting.items()})
            if conflicts[group]
            else ""
            for group, (start, end) in enumerate(zip(first.tolist(), ends, strict=True))
        ]
        table = pd.DataFrame(
            {
                "group": np.arange(number),
                "row": rows[first].astype(np.int32),
                "n_images": sizes.astype(np.int64),
                "n_exact": exact.astype(np.int64),
                **conflicting,
                "conflicts": conflicts.astype(np.int64),
                "values": np.asarray(values, dtype=object),
            }
        )[list(GROUP_COLUMNS)]
        order = np.lexsort((table["group"], -table["n_images"], -table["conflicts"]))
        place = np.empty(number, dtype=np.int64)
        place[order] = np.arange(number)
        by_place = np.argsort(place[of], kind="stable")
        images = pd.DataFrame({"group": of[by_place], "row": rows[by_place].astype(np.int32)})
        progress("groups", 1, 1)
        tables = {"groups": table.iloc[order].reset_index(drop=True), "images": images}
        return self.result(store, tables, _notes(store), {"images": len(codes)})

    def title(self, result: Result) -> str:
        """How many there are."""
        return f": {counted(len(result.tables['images']), 'image')} in {counted(len(result.table), 'group')}"

    def summary(self, result: Result) -> pd.DataFrame:
        """How many groups there are of each kind."""
        table = result.table
        kinds: list[tuple[str, Any]] = [("all", np.ones(len(table), dtype=bool))]
        kinds += [(f"one picture {words}", table[name].to_numpy(dtype=bool)) for name, words in CONFLICTS.items()]
        kinds.append(("exact copies alone", (table["n_exact"] == table["n_images"]).to_numpy()))
        return pd.DataFrame(
            [
                {
                    "groups of near-duplicates": words,
                    "groups": int(mask.sum()),
                    "images": int(table["n_images"][mask].sum()),
                    "largest": int(table["n_images"][mask].max()) if mask.any() else 0,
                }
                for words, mask in kinds
            ]
        )

    def remarks(self, result: Result) -> Sequence[str]:
        """The first groups with conflicts."""
        first = result.table[result.table["conflicts"] > 0].head(_REMARKED)
        return tuple(
            f"Group {row.group}, {row.n_images} images: {row.values}." for row in first.itertuples(index=False)
        )


_LABELS: Final = ("modality", "anatomy", "pathologies")
_SIDES: Final = ("train", "test")
_REMARKED: Final = 5
_MOST_NAMED: Final = 6


def _columns(manifest: Manifest, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.int64]]:
    """The columns that may conflict as codes of these rows, -1 where nothing is known."""
    columns = {name: manifest.codes(name).codes[rows].astype(np.int64) for name in ("modality", "anatomy", "split")}
    columns["pathologies"] = pd.factorize(_pathologies(manifest, rows))[0]
    return columns


def _pathologies(manifest: Manifest, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """The pathologies of each image in one order, None where it has no label."""
    lists = pc.take(manifest.arrow("pathologies"), rows).to_pylist()
    named = [", ".join(sorted(values)) if values else None for values in lists]
    return np.asarray(named, dtype=object)


def _several(groups: npt.NDArray[Any], codes: npt.NDArray[Any], number: int) -> npt.NDArray[np.bool_]:
    """``(number,)``; which groups have several known values."""
    known = codes >= 0
    pairs = np.unique(np.column_stack([groups[known], codes[known]]).astype(np.int64), axis=0)
    several: npt.NDArray[np.bool_] = np.bincount(pairs[:, 0], minlength=number) > 1
    return several


def _code(values: tuple[str, ...], name: str) -> int:
    return values.index(name) if name in values else -2


def _values(manifest: Manifest, rows: npt.NDArray[np.int64], conflicts: Mapping[str, bool]) -> str:
    """What differs in a group, in words; a patient is a number only."""
    said = []
    if conflicts["labels"]:
        for name in _LABELS:
            texts = _pathologies(manifest, rows) if name == "pathologies" else manifest.codes(name).text(rows)
            different = sorted({text for text in texts if text})
            if len(different) > 1:
                more = f" and {len(different) - _MOST_NAMED} more" if len(different) > _MOST_NAMED else ""
                said.append(f"{' / '.join(different[:_MOST_NAMED])}{more}")
    if conflicts["patients"]:
        patients = manifest.groups("patient")[rows]
        said.append(counted(len(np.unique(patients[patients >= 0])), "patient"))
    if conflicts["splits"]:
        said.append("train and test")
    return "; ".join(said)


def _notes(store: EncoderStore) -> list[str]:
    """How the groups were found, as far as one has to know it."""
    facts, notes = store.facts(NEAR_DUPLICATES), []
    if facts.get("confirmed_on") == "files":
        notes.append("The collection has no thumbnails: only exact copies are known, and no other near-duplicates.")
    elif without := len(store.collection) - int(facts.get("compared", 0)):
        notes.append(
            f"{without:,} of {len(store.collection):,} images have no picture of their own to be compared (exact "
            "copies of others, and those that could not be read), and are in a group only by their file."
        )
    if across := int(facts.get("agreeing_across", 0)):
        notes.append(
            f"{counted(across, 'pair')} agree and are yet of two groups, because a chain of images, each like the "
            "next, is cut where it is no longer like the group's middle: these are not excluded from each other's hits."
        )
    return notes
