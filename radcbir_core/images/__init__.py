"""From a file or an upload to the pixels of an image: formats, DICOM's display pipeline, limits.

Owns everything about reading image files; nothing else in RadCBIR opens one. Start at `decode_image`,
which is two steps: `read_stored`, what a file holds, and `display_image`, what is shown of it.
"""

from radcbir_core.images.decode import (
    decode_image,
    measure_images,
    prepare_images,
    read_directory,
    read_header,
    read_stored,
    read_volume,
    strip_dicom,
)
from radcbir_core.images.decoded_image import DECODING, DecodedImage, Limits, Window
from radcbir_core.images.decoding.image_messages import Measured, Prepared
from radcbir_core.images.display.showing import display_image
from radcbir_core.images.file_types import IMAGE_SUFFIXES, is_image_name, is_volume_name, suffix_of
from radcbir_core.images.nifti.facts import VolumeFacts
from radcbir_core.images.stored_image import StoredImage

__all__ = [
    "DECODING",
    "IMAGE_SUFFIXES",
    "DecodedImage",
    "Limits",
    "Measured",
    "Prepared",
    "StoredImage",
    "VolumeFacts",
    "Window",
    "decode_image",
    "display_image",
    "is_image_name",
    "is_volume_name",
    "measure_images",
    "prepare_images",
    "read_directory",
    "read_header",
    "read_stored",
    "read_volume",
    "strip_dicom",
    "suffix_of",
]
