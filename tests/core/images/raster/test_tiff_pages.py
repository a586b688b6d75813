"""Pages of a TIFF that are no pictures of their own: reduced copies, pyramids, masks; and those that are."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radcbir_core.errors import ImageError
from radcbir_core.images import decode_image
from radcbir_core.images.raster.tiff_pages import TiffPage, full_pages, starting_with

NEW_SUBFILE_TYPE, SUBFILE_TYPE, PHOTOMETRIC, SUB_IFDS = 254, 255, 262, 330


def page(height: int, width: int, shade: int, **tags: int) -> tuple[np.ndarray, dict[int, int]]:
    """A flat gray page with further tags, named as ``t254``."""
    return np.full((height, width), shade, np.uint8), {int(name[1:]): value for name, value in tags.items()}


def write_pages(
    pages: list[tuple[np.ndarray, dict[int, int]]], *, below: int | None = None, big: bool = False, order: str = "<"
) -> bytes:
    """An uncompressed TIFF of gray pages; page number `below` is in page 0's SubIFDs and not in the chain."""
    offset, count, wide, kind = ("Q", "Q", 8, 16) if big else ("L", "H", 4, 4)
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HHH", 43, 8, 0) if big else mark + struct.pack(f"{order}H", 42)
    data = bytearray(head + bytes(wide))
    places, links = [], []
    for number, (pixels, further) in reversed(list(enumerate(pages))):  # the last first, so that page 0 can name others
        tags = {256: pixels.shape[1], 257: pixels.shape[0], 258: 8, 259: 1, 262: 1, 273: len(data), 277: 1,
                278: pixels.shape[0], 279: pixels.nbytes, **further}  # fmt: skip
        if number == 0 and below is not None:
            tags[SUB_IFDS] = dict(places)[below]
        data += pixels.tobytes()
        places.append((number, len(data)))
        data += struct.pack(order + count, len(tags))
        for tag, value in sorted(tags.items()):
            data += struct.pack(f"{order}HH{offset}{offset}", tag, kind, 1, value)
        links.append((number, len(data)))
        data += bytes(wide)
    chain = [number for number in range(len(pages)) if number != below]
    targets = [dict(places)[number] for number in chain]
    holders = [len(head), *(dict(links)[number] for number in chain)]
    for holder, target in zip(holders, targets, strict=False):
        struct.pack_into(order + offset, data, holder, target)
    return bytes(data)


def shown(data: bytes) -> tuple[tuple[int, ...], int, int | None, int]:
    image = decode_image(data)
    return image.pixels.shape, int(image.pixels[0, 0]), image.frame, image.frames


@pytest.mark.parametrize(("big", "order"), [(False, "<"), (False, ">"), (True, "<")])
@pytest.mark.parametrize(
    "further",
    [{"t254": 1}, {"t254": 4}, {"t254": 5}, {"t254": 9}, {"t255": 2}, {"t254": 1, "t255": 1}, {"t262": 4}],
    ids=str,
)
def test_what_accompanies_a_page_is_none(further: dict[str, int], big: bool, order: str) -> None:
    others = [page(24, 32, 9, **further), page(12, 16, 9, **further)]
    full = page(48, 64, 77, t254=0)
    for pages in ([full, *others], [others[0], full, others[1]], [*others, full], [full, others[0]], [full]):
        assert shown(write_pages(pages, big=big, order=order)) == ((48, 64), 77, None, 1)


def test_pages_of_a_wide_file_in_big_endian_are_known() -> None:
    """Pillow opens no such file, but what its pages are does not depend on that."""
    data = write_pages([page(8, 8, 1, t254=1), page(16, 16, 2)], big=True, order=">")
    assert [full.number for full in full_pages(data)] == [1]


def test_frames_are_counted_among_full_pages() -> None:
    pages = [page(8, 8, 10, t254=2), page(4, 4, 99, t254=1), page(8, 8, 20, t254=2), page(8, 8, 30, t255=3)]
    data = write_pages(pages)
    assert shown(data) == ((8, 8), 20, 1, 3)
    assert [int(decode_image(data, frame=number).pixels[0, 0]) for number in range(3)] == [10, 20, 30]
    with pytest.raises(ImageError, match=r"^Expected a frame from 0 to 2, but x = asked for frame 3\. "):
        decode_image(data, name="x", frame=3)


def test_a_page_only_below_another() -> None:
    """As cameras write it: the first page is the preview, its SubIFDs lead to the picture."""
    data = write_pages([page(6, 8, 9, t254=1), page(48, 64, 77, t254=0)], below=1)
    assert shown(data) == ((48, 64), 77, None, 1)
    # Where the first page is full, what lies below it is its pyramid.
    data = write_pages([page(48, 64, 77), page(24, 32, 9, t254=1)], below=1)
    assert shown(data) == ((48, 64), 77, None, 1)


def test_reduced_copies_of_nothing_are_what_there_is() -> None:
    assert shown(write_pages([page(6, 8, 9, t254=1)])) == ((6, 8), 9, None, 1)
    assert shown(write_pages([page(6, 8, 9, t254=1), page(6, 8, 5, t254=1)])) == ((6, 8), 5, 1, 2)


def test_a_pyramid_that_does_not_say_so() -> None:
    sizes = [(51, 64), (26, 32), (13, 16), (6, 8)]
    assert shown(write_pages([page(*size, 77) for size in sizes])) == ((51, 64), 77, None, 1)
    # Two pages, of which one is half as large, or pages of which one is of another size, may be anything.
    assert shown(write_pages([page(48, 64, 77), page(24, 32, 9)]))[3] == 2
    assert shown(write_pages([page(51, 64, 7), page(26, 32, 9), page(26, 32, 9)]))[3] == 3


def test_pages_in_a_circle_and_directories_that_break_off() -> None:
    data = bytearray(write_pages([page(4, 4, 7), page(4, 4, 8)]))
    first, second = (found.offset for found in full_pages(bytes(data)))
    link = second + 2 + 12 * 9
    data[link : link + 4] = struct.pack("<L", first)
    assert [found.number for found in full_pages(bytes(data))] == [0, 1]
    data[link : link + 4] = struct.pack("<L", len(data) - 3)
    with pytest.raises(ImageError, match="damaged, cut off"):
        decode_image(bytes(data))
    with pytest.raises(ImageError, match="damaged, cut off"):
        decode_image(b"II*\x00" + bytes(60))


def test_a_file_can_start_with_another_page() -> None:
    data = write_pages([page(4, 4, 7), page(6, 6, 8)])
    second = full_pages(data)[1]
    assert full_pages(starting_with(data, second)) == [TiffPage(second.offset, 0)]


def test_a_reduced_copy_behind_the_picture() -> None:
    folder = Path(__file__).parents[5] / "shared" / "cases" / "03_tiff_middle_page"
    if not folder.is_dir():
        pytest.skip("the files of this case are not here")
    image = decode_image(folder / "pyr.tif")
    with Image.open(folder / "pyr.tif") as first:
        assert np.array_equal(image.pixels, np.asarray(first))
    assert (image.pixels.shape, image.frames) == ((48, 64), 1)
