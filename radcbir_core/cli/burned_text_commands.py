"""``find-text`` and ``black-out``: text that is burned into images, found, and painted black in thumbnails."""

from __future__ import annotations

from typing import Annotated

import typer

from radcbir_core.cli.application import EXIT_FAILED, Name, app
from radcbir_core.cli.on_record import put_on_record
from radcbir_core.cli.printing import bars
from radcbir_core.cli.remedies import program
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.wording import counted


@app.command("find-text")
def find_text_in(
    name: Name,
    anew: Annotated[bool, typer.Option("--anew", help="Look at all images, also where it is known.")] = False,  # noqa: FBT002
) -> None:
    """Find the images of a collection into which text is burned, and list them as problems; none is left out.

    Images that were looked at before are left alone. What a text says is neither shown nor kept. Without the optional
    part that looks, it tells what the headers of DICOM files say.
    """
    from radcbir_core.burned_text.text_detector import is_installed, load_detector, what_is_missing
    from radcbir_core.burned_text.thumbnail_blackout import find_and_black_out

    collection = open_collection(name)
    if not is_installed():
        _say_known(collection)
        print(what_is_missing())
        raise typer.Exit(EXIT_FAILED)
    detector = load_detector()
    put_on_record("find burned-in text", name)
    with bars() as progress:
        report = find_and_black_out(collection, detector, anew=anew, progress=progress)
    print(f"Looked at {counted(report.looked_at, 'image')} of {report.images:,} with {report.detector}.")
    _say_known(collection)
    if report.failed:
        print(f"Could not be read: {counted(report.failed, 'image')}.")
    if report.text and not collection.blacks_out:
        print(f"To paint it black in the thumbnails: {program()} black-out {name}")


@app.command("black-out")
def black_out(
    name: Name,
    undo: Annotated[bool, typer.Option("--undo", help="Make these thumbnails again, from the images.")] = False,  # noqa: FBT002
) -> None:
    """Paint the text black that was found in images, in the collection's thumbnails; the images are not touched."""
    from radcbir_core.burned_text.thumbnail_blackout import black_out_thumbnails, show_thumbnails_whole

    collection = open_collection(name)
    put_on_record("show burned-in text" if undo else "black out burned-in text", name)
    with bars() as progress:
        if undo:
            kept = show_thumbnails_whole(name, progress=progress)
        else:
            painted = black_out_thumbnails(name, progress=progress)
    if undo:
        stay = f" {counted(kept, 'thumbnail')} stay black: their images are not at hand." if kept else ""
        print(f"The thumbnails of {name} show all of their images.{stay}")
        return
    print(f"Painted text black in {counted(painted, 'thumbnail')} of {name}.")
    burned = collection.burned_text()
    if without := sum(not len(burned.hidden(int(row))) for row in burned.flagged.nonzero()[0]):
        print(
            f"Of {counted(without, 'image')} the header says that there is text, and nobody knows where: look at them."
        )
    if burned.unseen:
        print(f"Not looked at: {counted(burned.unseen, 'image')}. First: {program()} find-text {name}")


def _say_known(collection: Collection) -> None:
    burned = collection.burned_text()
    flagged, told = int(burned.flagged.sum()), int(burned.told.sum())
    in_it = " They are in its list of problems, and in the collection." if flagged else ""
    print(
        f"Text seems burned into {counted(flagged, 'image')} of {collection.name}; of {told:,} the header says "
        f"so.{in_it}"
    )
    if burned.unseen:
        print(f"Nobody has looked at the pixels of {counted(burned.unseen, 'image')}: there may be text in them.")
