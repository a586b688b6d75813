"""A collection and an encoder → a reader study: the cases are drawn, and the hits of each are searched and kept.

Owns what is put together. No case is a hit of another one, and neither is an exact copy or, where they were looked for,
a near-duplicate of one: the label beside it would give it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from radcbir_core.collections.artifacts import EMBEDDINGS, NEAR_DUPLICATES
from radcbir_core.collections.collection import Collection
from radcbir_core.collections.encoder_data.store import EncoderStore
from radcbir_core.collections.groups import NEAR_DUPLICATE, check_exclusions, clusters_of, groups_of
from radcbir_core.collections.reader_studies.study_definition import (
    Case,
    Design,
    FrozenHit,
    Reveal,
    Study,
    check_study_name,
    checked_study,
    write_study,
)
from radcbir_core.errors import StudyError
from radcbir_core.progress import Progress, silent
from radcbir_core.reader_study.case_choice import choose_cases, eligible, labels_of_row
from radcbir_core.reader_study.study_design import halves_of
from radcbir_core.search.retriever import Retriever

STEP = "search"
_IDENTITY = ["image_id", "sha256"]


@dataclass(frozen=True)
class StudyRequest:
    """What somebody wants a study to be.

    Attributes:
        name: In addresses and file names.
        answers: What can be answered, at least two.
        cases: How many count.
        title: What people call it; the name by default.
        question: What readers are asked.
        column: Of the manifest: what the answers are values of.
        where: Which images: column → accepted values.
        alone: Whether images that show something else beside the one answer are left out.
        balance: "equal" or "as there are": how many cases of each answer.
        practice: How many cases come before that do not count.
        k: How many hits a case.
        exclude: What hits may not be.
        design: "crossover" or "split".
        washout_hours: Between the two readings of a crossover, at least.
        reveal: "never", "end" or "each".
        most_confidence: 5 or 100.
        shows_similarity: Whether readers see how similar the hits are.
        seed: Of the draw and of all orders.
    """

    name: str
    answers: tuple[str, ...]
    cases: int
    title: str = ""
    question: str = "What does this image show?"
    column: str = "pathologies"
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    alone: bool = True
    balance: str = "equal"
    practice: int = 2
    k: int = 6
    exclude: tuple[str, ...] = ()
    design: Design = "crossover"
    washout_hours: float = 0.0
    reveal: Reveal = "end"
    most_confidence: int = 5
    shows_similarity: bool = True
    seed: int = 0


def make_study(retriever: Retriever, request: StudyRequest, *, by: str, progress: Progress = silent) -> Study:
    """Draw the cases, search their hits, and write the study.

    Args:
        retriever: Of the collection and the encoder.
        request: What it is to be.
        by: Who makes it.
        progress: Told the cases searched, as step "search".

    Raises:
        StudyError: It cannot be made so: too few cases, an answer that no image has, a name that is taken.
        QueryError: An unknown exclusion or filter.
        ImageError: The image file of a case is not there, or cannot be decoded.
        StaleError: Near-duplicates are to be excluded and were not looked for.
        CollectionError: The collection is being changed.
        StorageError: No space left, or no permission.
    """
    study = drawn_study(retriever, request, by=by, progress=progress)
    write_study(retriever.collection.name, study)
    return study


def drawn_study(retriever: Retriever, request: StudyRequest, *, by: str, progress: Progress = silent) -> Study:
    """As :func:`make_study`, but nothing is written."""
    collection, store = retriever.collection, retriever.store
    check_study_name(request.name)
    exclude = check_exclusions(request.exclude)
    manifest = collection.manifest
    groups = clusters_of(store)
    among = eligible(manifest, request.answers, column=request.column, where=request.where, alone=request.alone)
    rows = choose_cases(among, request.cases, groups=groups, seed=request.seed, balance=request.balance)
    practice = choose_cases(among, request.practice, groups=groups, seed=request.seed, without=rows, purpose="practice")
    truth_of = dict(zip(among.rows.tolist(), among.truths.tolist(), strict=True))
    truths = [request.answers[truth_of[row]] for row in rows]
    may_be_hits = _hits_of_cases(store, [*rows, *practice])
    numbers = {int(group): number for number, group in enumerate(dict.fromkeys(groups[[*rows, *practice]].tolist()))}
    cases = []
    for at, row in enumerate([*rows, *practice]):
        progress(STEP, at, len(rows) + len(practice))
        collection.read_image(row)  # whatever readers could not be shown is no case
        answer = retriever.search(row, k=request.k, among=may_be_hits, exclude=exclude)
        cases.append(
            Case(
                **_identity(collection, row),
                truth=request.answers[truth_of[row]],
                labels=labels_of_row(manifest, row, request.column),
                group=numbers[int(groups[row])],
                half=0,
                hits=tuple(
                    FrozenHit(
                        **_identity(collection, int(hit)),
                        similarity=round(float(similarity), 4),
                        labels=labels_of_row(manifest, int(hit), request.column),
                    )
                    for hit, similarity in zip(answer.rows(), answer.similarities(), strict=True)
                ),
            )
        )
    progress(STEP, len(cases), len(cases))
    halves = halves_of(truths, seed=request.seed)
    return checked_study(
        Study(
            name=request.name,
            title=request.title.strip() or request.name,
            question=request.question.strip(),
            column=request.column,
            answers=tuple(request.answers),
            encoder_id=store.encoder_id,
            k=request.k,
            exclude=tuple(exclude),
            design=request.design,
            washout_hours=float(request.washout_hours),
            reveal=request.reveal,
            most_confidence=request.most_confidence,
            shows_similarity=request.shows_similarity,
            seed=request.seed,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            made_by=by,
            where={column: tuple(values) for column, values in request.where.items()},
            images_digest=collection.digests.images,
            labels_digest=collection.digests.all_labels,
            encoder_fingerprint=str(store.record.get("fingerprint", "")),
            embeddings_digest=store.made_digest(EMBEDDINGS),
            cases=tuple(_in_half(case, half) for case, half in zip(cases[: len(rows)], halves, strict=True)),
            practice=tuple(cases[len(rows) :]),
        )
    )


def _hits_of_cases(store: EncoderStore, rows: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which images may be hits: neither a case, nor another file of the picture of one."""
    allowed = np.ones(len(store.collection), dtype=bool)
    allowed[list(rows)] = False
    alike = ["duplicate", *([NEAR_DUPLICATE] if store.is_current(NEAR_DUPLICATES) else [])]
    for groups in groups_of(store, alike):
        of_cases = np.unique(groups[list(rows)])
        allowed &= ~np.isin(groups, of_cases[of_cases >= 0])
    if not allowed.any():
        raise StudyError("Expected images that can be hits, but all of the collection are cases. Choose fewer cases.")
    return allowed


def _identity(collection: Collection, row: int) -> dict[str, str]:
    told = collection.manifest.record(row, _IDENTITY)
    return {name: str(told[name] or "") for name in _IDENTITY}


def _in_half(case: Case, half: int) -> Case:
    return Case(case.image_id, case.sha256, case.truth, case.labels, case.group, half, case.hits)
