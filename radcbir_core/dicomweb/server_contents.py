"""What is on a DICOMweb server: the instances of studies and series, or of whatever a search matches.

Owns which searches are made for what is asked, level by level, because only these are every server's (PS3.18, 10.6.1.1:
searching all series and instances is optional). Only by what names no patient can be matched. Retrieves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from radcbir_core.dicomweb.client import (
    INSTANCE,
    MODALITY,
    SERIES,
    STUDY,
    Client,
    Instance,
    is_uid,
    number_of,
    text_of,
)
from radcbir_core.errors import ServerError

MATCHED: Final = ("Modality", "StudyDate")
"""What studies and series can be matched by, beside their own identifiers."""
MOST_INSTANCES: Final = 1_000_000

_DAYS: Final = re.compile(r"\d{8}|\d{8}-|-\d{8}|\d{8}-\d{8}")  # PS3.5, 6.2, and PS3.4, C.2.2.2.5.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a server; everything where nothing is said.

    Attributes:
        studies: Study instance UIDs.
        series: Series instance UIDs.
        matching: Of :data:`MATCHED`: keyword → values, any of them.
    """

    studies: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    matching: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def check(self) -> None:
        """Do nothing if it can be searched for.

        Raises:
            ServerError: An identifier is none, a date of study is none, or something else is to be matched.

        Example:
            >>> Wanted(matching={"Modality": ["CT"], "StudyDate": ["20240101-20241231"]}).check()
        """
        if not all(is_uid(uid) for uid in (*self.studies, *self.series)):
            raise ServerError(
                "Expected unique identifiers of DICOM for studies and series, such as 1.2.840.113619.2.1, but one is "
                "not. Copy it again from where images are looked at."
            )
        for keyword in self.matching:
            if keyword not in MATCHED:
                raise ServerError(
                    f"Expected {' or '.join(MATCHED)} to choose by, but it is {keyword[:40]!r}. Names and numbers of "
                    "patients are never asked for: give the identifiers of their studies."
                )
        for date in self.matching.get("StudyDate", ()):
            if not _DAYS.fullmatch(date):
                raise ServerError(
                    f"Expected the days of studies as 20240131 or 20240101-20241231, but it is {date[:40]!r}. Write "
                    "year, month and day as eight digits."
                )


def find_instances(client: Client, wanted: Wanted) -> Iterator[Instance]:
    """The instances that are wanted, each once, series by series in the order of their numbers.

    Args:
        client: Whose server.
        wanted: Which.

    Raises:
        ServerError: The server does not answer as it should, has not all of what is named, or has far too much.
    """
    wanted.check()
    found = 0
    seen: set[str] = set()
    for study, series, modality in _series(client, wanted):
        if series in seen:
            continue
        seen.add(series)
        instances = [
            Instance(study, series, text_of(item, INSTANCE), modality, number_of(item))
            for item in client.search(f"studies/{study}/series/{series}/instances")
        ]
        found += len(instances)
        if found > MOST_INSTANCES:
            raise ServerError(
                f"Expected at most {MOST_INSTANCES:,} images, but {client.address.named} has more. Choose by study, "
                "series, modality or date of study."
            )
        yield from sorted(instances, key=lambda one: (one.number, one.instance))
    missing = set(wanted.series) - seen
    if missing:
        raise ServerError(
            f"Expected every series that is named, but {client.address.named} does not have {len(missing)} of them, or "
            "not within what is chosen. Check the identifiers."
        )


def find_by_uid(client: Client, uid: str) -> list[Instance]:
    """The instances of a study or a series, or the one, that an identifier names; it need not be said which it is.

    Raises:
        ServerError: It is no identifier, the server has nothing of it, or does not answer as it should.
    """
    uid = uid.strip()
    Wanted(studies=(uid,)).check()
    if next(client.search("studies", {"StudyInstanceUID": uid}), None) is not None:
        return list(find_instances(client, Wanted(studies=(uid,))))
    item = next(client.search("series", {"SeriesInstanceUID": uid}), None)
    if item is not None:
        return list(find_instances(client, Wanted(series=(uid,))))
    item = next(client.search("instances", {"SOPInstanceUID": uid}), None)
    if item is None or text_of(item, INSTANCE) != uid:
        raise ServerError(
            f"Expected a study, a series or an instance of {client.address.named}, but it has none of this identifier. "
            "Check it."
        )
    return [Instance(text_of(item, STUDY), text_of(item, SERIES), uid, text_of(item, MODALITY), number_of(item))]


def _series(client: Client, wanted: Wanted) -> Iterator[tuple[str, str, str]]:
    """Study, series and modality of each series that is wanted; perhaps more than once."""
    modalities = wanted.matching.get("Modality", ())
    if wanted.series:
        for uid in wanted.series:
            for item in client.search("series", {"SeriesInstanceUID": uid}):
                study = text_of(item, STUDY)
                fits = not wanted.studies or study in wanted.studies
                if text_of(item, SERIES) == uid and fits and (not modalities or text_of(item, MODALITY) in modalities):
                    yield study, uid, text_of(item, MODALITY)
        return
    for study in _studies(client, wanted):
        for modality in modalities or ("",):
            for item in client.search(f"studies/{study}/series", {"Modality": modality} if modality else {}):
                shown = text_of(item, MODALITY)
                if not modality or shown == modality:  # a server may not know how to match
                    yield study, text_of(item, SERIES), shown


def _studies(client: Client, wanted: Wanted) -> Iterator[str]:
    seen: set[str] = set()
    for date in wanted.matching.get("StudyDate", ("",)):
        by_date = {"StudyDate": date} if date else {}
        for uid in wanted.studies:
            found = [text_of(item, STUDY) for item in client.search("studies", {"StudyInstanceUID": uid, **by_date})]
            if uid not in found and not date:
                raise ServerError(
                    f"Expected every study that is named, but {client.address.named} does not have one of them. Check "
                    "the identifiers."
                )
            if uid in found and uid not in seen:
                seen.add(uid)
                yield uid
        if wanted.studies:
            continue
        for modality in wanted.matching.get("Modality", ("",)):
            matching = {**by_date, **({"ModalitiesInStudy": modality} if modality else {})}
            for item in client.search("studies", matching):
                study = text_of(item, STUDY)
                if study not in seen:
                    seen.add(study)
                    yield study
