"""A small study and its readings, for tests."""

from __future__ import annotations

from radcbir_core.collections.reader_studies.study_definition import Case, FrozenHit, Study

ANSWERS = ("mass", "normal")


def made_case(number: int, truth: str, *, half: int = 0, hits: tuple[str, ...] = ("mass", "normal")) -> Case:
    frozen = tuple(FrozenHit(f"hit-{number}-{at}", "", 0.9 - at / 10, (label,)) for at, label in enumerate(hits))
    return Case(f"case-{number}", "", truth, (truth,), number, half, frozen)


def made(**changed: object) -> Study:
    """A study of four cases."""
    cases = tuple(made_case(number, ANSWERS[number % 2], half=number // 2) for number in range(4))
    given = {
        "name": "one",
        "title": "One",
        "question": "What is it?",
        "column": "pathologies",
        "answers": ANSWERS,
        "encoder_id": "pixels",
        "k": 2,
        "exclude": ("patient",),
        "design": "crossover",
        "washout_hours": 0.0,
        "reveal": "end",
        "most_confidence": 5,
        "shows_similarity": True,
        "seed": 7,
        "made": "2026-11-30T10:00:00+00:00",
        "made_by": "me",
        "where": {"anatomy": ("chest",)},
        "images_digest": "i",
        "labels_digest": "l",
        "encoder_fingerprint": "f",
        "embeddings_digest": "e",
        "cases": cases,
        "practice": (made_case(9, "mass"),),
    }
    return Study(**{**given, **changed})  # type: ignore[arg-type]
