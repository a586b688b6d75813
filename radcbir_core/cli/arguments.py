"""What a user means by a word on the command line: an encoder, a list, a condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from radcbir_core.cli.remedies import program
from radcbir_core.collections.collection import Collection
from radcbir_core.dicomweb.server_contents import Wanted
from radcbir_core.errors import EncoderError, QueryError
from radcbir_core.wording import parted_condition


def encoder_id_in(collection: Collection, encoder: str | None) -> str:
    """The encoder_id that a user means: one the collection has, by its id or by its spec."""
    built = collection.encoder_ids()
    if encoder is None:
        if len(built) == 1:
            return built[0]
        has = f"It has {', '.join(built)}." if built else f"Run: {program()} build {collection.name} --encoder pixels"
        raise EncoderError(f"Expected --encoder, but {collection.name} was built with {len(built)} encoders. {has}")
    if encoder in built:
        return encoder
    from radcbir_core.encoders import encoder_id_of

    return encoder_id_of(encoder)


def spec_in(collection: Collection, encoder: str) -> str:
    """What loads the encoder: the spec it was built with where ``encoder`` is the id of one the collection has."""
    from radcbir_core.encoders import known_encoders

    if encoder in {entry.encoder_id for entry in known_encoders()} or encoder not in collection.encoder_ids():
        return encoder
    return collection.store(encoder).spec


def words_of(words: Sequence[str] | None, *, default: tuple[str, ...] | None) -> Any:
    """``["patient,duplicate", "study"]`` → the single words; "none" stands for nothing at all."""
    if words is None:
        return default
    names = tuple(part.strip() for word in words for part in word.split(",") if part.strip())
    return () if names == ("none",) else names


def wanted_of(studies: Sequence[str] | None, series: Sequence[str] | None, where: Sequence[str] | None) -> Wanted:
    """What is wanted of a DICOMweb server."""
    wanted = Wanted(tuple(studies or ()), tuple(series or ()), conditions_of(where or ()))
    wanted.check()
    return wanted


def conditions_of(conditions: Sequence[str], columns: Sequence[str] = ()) -> dict[str, list[str]]:
    """``["modality=CT", "modality=MR"]`` → column → accepted values.

    Args:
        conditions: As they were typed.
        columns: Those that there are, whose names may hold ``=``; the longest that fits is meant.
    """
    where: dict[str, list[str]] = {}
    for condition in conditions:
        column, sign, value = parted_condition(condition, columns)
        if not sign:
            raise QueryError(f"Expected COLUMN=VALUE, but --where = {condition!r}. Write, for example, modality=CT.")
        where.setdefault(column.strip(), []).append(value.strip())
    return where
