"""What a job is called on pages, and what stays of what it made, kind by kind.

Owns these words. How far a job is is said by ``stages.py``; a kind without words of its own goes by its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from radcbir_core.jobs import Request

if TYPE_CHECKING:
    from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild

_BURNED_TEXT: Final = {
    "find": "Look for text in the images",
    "black-out": "Paint text black in the thumbnails",
    "show": "Make the thumbnails as they were",
}
_STAYS: Final = "What is finished stays; it can go on later."


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a job.

    Attributes:
        what: What it does, as the beginning of a sentence.
        once_stopped: What becomes of it when it is stopped, for the help of the button.
        kept: What stays of one that ended before its end, a sentence.
        made: What its bar is of; the stage at work where empty.
    """

    what: str
    once_stopped: str = f"It stops at the next step of its progress. {_STAYS}"
    kept: str = "What is finished stays."
    made: str = ""


def words_of(request: Request) -> Words:
    """The words for what was asked for; plain text.

    Example:
        >>> from radcbir_core.jobs.kinds.export_file import ExportFile
        >>> from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
        >>> words_of(ExportFile("mine", "archive", ".zip")).what
        'Write mine.zip'
        >>> words_of(ImportAndBuild("mine", encoders=("pixels", "radcbir-mini"))).what
        'Build with pixels, radcbir-mini'
    """
    # With the first job that is met: the importers come with them, which other pages do without.
    from radcbir_core.jobs.kinds.embed_regions import EmbedRegions
    from radcbir_core.jobs.kinds.evaluate_encoder import EvaluateEncoder
    from radcbir_core.jobs.kinds.export_file import ExportFile
    from radcbir_core.jobs.kinds.find_burned_text import FindBurnedText
    from radcbir_core.jobs.kinds.import_and_build import ImportAndBuild
    from radcbir_core.jobs.kinds.lay_out_map import LayOutMap
    from radcbir_core.jobs.kinds.make_demonstration import MakeDemonstration

    if isinstance(request, ExportFile):
        return Words(
            f"Write {request.file}",
            "What was written until then is removed; gone on with, it begins anew.",
            "Nothing of it was kept.",
            made=request.file,
        )
    if isinstance(request, EvaluateEncoder):
        return Words(
            f"Evaluate {request.encoder_id}: {request.evaluation.name}",
            "It begins anew when it is computed again.",
            "It begins anew when it is computed again.",
        )
    if isinstance(request, LayOutMap):
        return Words(
            f"Lay out the map {request.map_name} by {request.encoder_id}",
            "It stops after the epoch at work. Nothing of it is kept; gone on with, it begins anew.",
            "Nothing of it was kept.",
        )
    if isinstance(request, FindBurnedText):
        return Words(_BURNED_TEXT[request.wish])
    if isinstance(request, ImportAndBuild):
        return Words(_import_and_build(request))
    plain = request.kind.capitalize()
    if isinstance(request, EmbedRegions):
        plain = f"Embed regions of each image with {request.encoder_id}"
    elif isinstance(request, MakeDemonstration):
        plain = "Make the demonstration collection"
    return Words(plain)


def _import_and_build(request: ImportAndBuild) -> str:
    with_encoders = f"uild with {', '.join(request.encoders)}"
    if not request.brings_in:
        return f"B{with_encoders}"
    first = "Open an archive" if request.archive is not None else "Import"
    return f"{first} and b{with_encoders}" if request.encoders else first
