"""How many patients are behind a figure, in words that are true where they are not known.

Owns these words. An image without a patient_id is a patient of its own in every count, as intervals need it.
"""

from __future__ import annotations

from pages.parts.frame import loaders
from radcbir_core.collections.collection import Collection
from radcbir_core.wording import counted


def counted_patients(collection: Collection, number: int) -> str:
    """So many patients; where not all are known, it is said that some are single images.

    Args:
        collection: Of the figure.
        number: Of the patients behind it.
    """
    facts = loaders.facts(collection)
    if not facts.with_patient:
        return f"{counted(number, 'image')}, patients not known"
    return counted(number, "patient") + ("" if facts.with_patient == facts.images else " or single images")
