"""What the similarities of an answer mean: percentiles, chances, and whether anything is close to the query at all.

Owns the reading of an answer on the scales that evaluations have measured (reports/scale.py, reports/calibration.py),
and the rule of when they hold. They were measured under certain conditions, and where an answer was found under others
nothing is said instead of a number, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import default_exclusions
from radcbir_core.errors import RadcbirError
from radcbir_core.evaluation.evaluation import Evaluation, Result
from radcbir_core.evaluation.metrics.closeness import OWN
from radcbir_core.evaluation.reports.calibration import Calibration, curves_of
from radcbir_core.evaluation.reports.scale import Scale, thresholds_in
from radcbir_core.evaluation.seen import seen_of
from radcbir_core.search.queries.query import Asked, ChangedQuery, ImageQuery, RowQuery, query_of
from radcbir_core.search.queries.region import RegionQuery
from radcbir_core.search.retriever import Answer, Retriever
from radcbir_core.wording import counted

FAR = "Nothing in this collection is close to this image."
"""What is said of a query that is far from everything."""

Given = Callable[[EncoderStore, Evaluation], Result | str]
"""Gives what an evaluation says of an encoder, or why it says nothing; "" where it was not asked yet."""

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Conditions:
    """How an answer was asked for, as far as its similarities mean something else by it.

    Attributes:
        filtered: Whether only some images were searched.
        exclude: What of the query was left out.
        one_each: Whether of each patient, study or series one hit alone is left.
    """

    filtered: bool = False
    exclude: Sequence[str] = ()
    one_each: bool = False


@dataclass(frozen=True)
class Readings:
    """What the similarities of the hits of one query mean.

    Attributes:
        answer: The hits.
        percentiles: ``(K,)`` of pairs of images of different patients, the share that is less similar, 0 to 1; NaN
            where it is not known.
        percentiles_alike: ``(K,)`` the same of pairs within the hit's modality and anatomy.
        chances: ``(K,)`` the chance that the hit shares the query's modality, anatomy and a pathology; NaN where none
            can be said.
        far: Whether nothing is close to the query; None where it was not asked.
        notes: How to read them, and why a number is missing, a sentence each.
    """

    answer: Answer
    percentiles: Numbers
    percentiles_alike: Numbers
    chances: Numbers
    far: bool | None
    notes: tuple[str, ...]

    def table(self) -> pd.DataFrame:
        """The hits as :meth:`~radcbir_core.search.retriever.Answer.table` has them, and the three numbers."""
        return self.answer.table().assign(
            percentile=self.percentiles, percentile_alike=self.percentiles_alike, chance=self.chances
        )

    def said(self) -> list[str]:
        """A few words for each hit; "" where nothing is known.

        Example:
            The words are those of :func:`percent_said` and :func:`chance_said`.
        """
        return [
            " · ".join(filter(None, [chance_said(chance), percent_said(percentile)]))
            for chance, percentile in zip(self.chances.tolist(), self.percentiles.tolist(), strict=True)
        ]

    def _repr_html_(self) -> str:
        """The table with what there is to say of it, as a notebook shows it."""
        import html

        lines = [*([FAR] if self.far else []), *self.notes]
        said = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        return f"{self.table().to_html(index=False, border=0)}<ul>{said}</ul>"


def chance_said(chance: float) -> str:
    """A chance in words, to a whole percent; "" where there is none.

    Example:
        >>> chance_said(0.624), chance_said(float("nan"))
        ('62 % share it', '')
    """
    return "" if np.isnan(chance) else f"{100 * chance:.0f} % share it"


def percent_said(percentile: float) -> str:
    """A percentile in words, to a tenth of a percent and never rounded up; "" where there is none.

    Example:
        >>> percent_said(0.99984), percent_said(1.0), percent_said(float("nan"))
        ('closer than 99.9 %', 'closer than 99.99 %', '')
    """
    if np.isnan(percentile):
        return ""
    if percentile >= 0.9999:
        return "closer than 99.99 %"
    return f"closer than {np.floor(1000 * percentile + 1e-9) / 10:g} %"


def read_answer(
    answer: Answer, retriever: Retriever, conditions: Conditions, *, given: Given | None = None
) -> Readings | None:
    """What the similarities of the first query's hits mean; None where they are not those of whole images.

    Args:
        answer: The hits.
        retriever: Which has found them.
        conditions: How they were asked for.
        given: Gives results of evaluations; by default they are made where they are not kept, which takes seconds in
            the largest collections.
    """
    if answer.measure != "similarity" or answer.regions is not None:
        return None
    store, get = retriever.store, given or kept_or_made
    scale, calibration = (get(store, kind().suited(store)) for kind in (Scale, Calibration))
    number = len(answer)
    nothing = np.full(number, np.nan)
    notes: list[str] = []
    percentiles, alike = nothing, nothing
    if isinstance(scale, Result) and len(scale.table):
        percentiles, alike = _percentiles(answer, scale)
        notes.extend([_percentile_note(float(percentiles[0]), scale)] if number else [])
    far = _far(answer, retriever, scale) if isinstance(scale, Result) else None
    chances = nothing
    if isinstance(calibration, str):
        notes.extend([f"No chances are said. {calibration}"] if calibration else [])
    else:
        reason = _no_chance(answer, conditions, calibration, is_far=bool(far))
        if reason:
            notes.append(reason)
        else:
            chances = _chances(answer, calibration)
            notes.extend(_chance_notes(answer, chances, store, calibration))
    return Readings(answer, percentiles, alike, chances, far, tuple(notes))


def read_hits(retriever: Retriever, asked: Asked, **how: Any) -> Readings | Answer:
    """The hits of a query, and what their similarities mean.

    Args:
        retriever: Finds them.
        asked: As :meth:`~radcbir_core.search.retriever.Retriever.search` takes it.
        **how: As well. Where nothing is said of ``exclude``, what a collection asks for is left out.

    Returns:
        The readings; of a sentence, whose cosines are on no such scale, the plain answer.

    Raises:
        QueryError: As :meth:`~radcbir_core.search.retriever.Retriever.search`, and all its further errors.
    """
    query = query_of(asked, retriever.collection)
    if query.known != "never":
        how.setdefault("exclude", default_exclusions(retriever.store))
    answer = retriever.search(query, **how)
    filtered = bool(how.get("where")) or how.get("among") is not None
    conditions = Conditions(filtered=filtered, exclude=how.get("exclude", ()))
    return read_answer(answer, retriever, conditions) or answer


def kept_or_made(store: EncoderStore, evaluation: Evaluation) -> Result | str:
    """What is kept of an evaluation, or what it says when it is made now; why it cannot be where it lacks something."""
    try:
        return evaluation.run(store)
    except RadcbirError as error:
        return str(error)


def _places(answer: Answer) -> list[str]:
    """The modality and anatomy of each hit; "" where one of them is not known."""
    table = answer.collection.manifest.rows(answer.rows(), ["modality", "anatomy"])
    pairs = zip(table["modality"].tolist(), table["anatomy"].tolist(), strict=True)
    return [f"{modality}/{anatomy}" if modality and anatomy else "" for modality, anatomy in pairs]


def _percentiles(answer: Answer, scale: Result) -> tuple[Numbers, Numbers]:
    similarities = answer.similarities().astype(np.float64)
    names, table = scale.table["place"].to_numpy(dtype=object), scale.table

    def at(place: str, values: Numbers) -> Numbers:
        lines = table[names == place]
        if not len(lines):
            return np.full(len(values), np.nan)
        return np.asarray(np.interp(values, lines["similarity"], lines["quantile"]), dtype=np.float64)

    places = np.array(_places(answer), dtype=object)
    alike = np.full(len(similarities), np.nan)
    for place in set(places) - {""}:
        alike[places == place] = at(place, similarities[places == place])
    return at("", similarities), alike


def _percentile_note(percentile: float, scale: Result) -> str:
    said = percent_said(percentile)
    return (
        f"{said.capitalize()}: more similar than {said.removeprefix('closer than ')} of "
        f"{counted(int(scale.table['n_pairs'].iloc[0]), 'pair')} of images of different patients in this collection."
    )


def _no_chance(answer: Answer, conditions: Conditions, calibration: Result, *, is_far: bool) -> str:
    """Why no chance is said of an answer's hits; "" where it is."""
    measured: Calibration = calibration.evaluation  # type: ignore[assignment]  # it is a result of that evaluation
    query = answer.query.query
    if isinstance(query, RowQuery | ImageQuery):
        known = isinstance(query, RowQuery) or _is_there(answer, query)
        missing = sorted(set(measured.protocol.exclude) - set(conditions.exclude)) if known else []
        if conditions.filtered or answer.within is not None:
            why = "only a part of the collection was searched"
        elif answer.order != "cosine":
            why = "hits are in another order than by cosine"
        elif missing:
            why = f"the query's {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not left out"
        elif conditions.one_each:
            why = "of each patient, study or series one hit alone is shown"
        elif is_far:
            why = "nothing in it is close to this one"
        else:
            return ""
    else:
        why = "the query is no image as it is"
    return (
        "No chances are said: they were measured for images as they are, over the whole collection, by cosine, "
        f"{measured.protocol.excluded}, and {why}."
    )


def _is_there(answer: Answer, query: ImageQuery) -> bool:
    """Whether the very file of an image from outside is in the collection, so that its patient may be known."""
    return len(query.file.all_images(answer.collection)) > 0


def _chances(answer: Answer, calibration: Result) -> Numbers:
    """The chance of each hit that has a label and of whose modality and anatomy there is a curve."""
    labels = answer.collection.manifest.rows(answer.rows(), ["pathologies"])["pathologies"]
    similarities = answer.similarities().astype(np.float64)
    places = np.array(_places(answer), dtype=object)
    places[[not len(names) for names in labels]] = ""
    chances = np.full(len(similarities), np.nan)
    for place, curve in curves_of(calibration, set(places) - {""}).items():
        chances[places == place] = curve.at(similarities[places == place])
    return chances


def _chance_notes(answer: Answer, chances: Numbers, store: EncoderStore, calibration: Result) -> Iterator[str]:
    means = calibration.table.iloc[0]
    measured: Calibration = calibration.evaluation  # type: ignore[assignment]  # it is a result of that evaluation
    if not np.isnan(chances).all():
        yield (
            f"{chance_said(float(chances[~np.isnan(chances)][0]))}: of hits this similar, so many had the query's "
            "modality, anatomy and one of its pathologies "
            f"(“normal” is one), for {counted(int(means['n_queries']), 'query', 'queries')} of "
            f"{counted(int(means['n_patients']), 'other patient')}; off by {means['ece']:.3f} on average (ECE of "
            "patients held out)."
        )
        if len(chances) > measured.depth:
            yield f"Chances were measured of the first {measured.depth} hits, and are less true further down."
        query = answer.query.query
        if (
            isinstance(query, RowQuery)
            and measured.protocol.seen == "skip"
            and seen_of(store).rows[list(query.rows)].any()
        ):
            yield "The encoder has seen this query in training: chances are those of images that it has not seen."
    few = calibration.facts.get("few") or {}
    if len(chances) and np.isnan(chances).any():
        there = sorted({place for place in _places(answer) if place in few})
        if there:
            yield f"No chance is said of hits of {', '.join(there)}: too few patients with labels have asked for them."


def _far(answer: Answer, retriever: Retriever, scale: Result) -> bool | None:
    """Whether nothing in the whole collection is close to a query from outside; None where it is of the collection.

    None for regions, too: whole images are what the collection's own distances are between, and three of four regions
    of its own images are farther from all of them than one in twenty of these images is.
    """
    thresholds, query = thresholds_in(scale), answer.query.query
    if thresholds is None or isinstance(query, RegionQuery) or not isinstance(query, ImageQuery | ChangedQuery):
        return None
    measured: Scale = scale.evaluation  # type: ignore[assignment]  # it is a result of that evaluation
    hits = retriever.search(answer.query, k=OWN, exclude=measured.protocol.exclude).hits
    measures = measured.measures(retriever.store, hits)
    if np.isnan(measures[:, 0]).any():
        return None
    return bool(thresholds.far(*measures)[0])
