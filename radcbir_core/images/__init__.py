"""From a file or an upload to the pixels of an image: formats, DICOM's display pipeline, limits.

Owns everything about reading image files; nothing else in RadCBIR opens one. Start at `decode_image`.
"""

from radcbir_core.images.decode import decode_image
from radcbir_core.images.decoded_image import DecodedImage, Limits, Window
from radcbir_core.images.file_types import IMAGE_SUFFIXES, is_image_name

__all__ = ["IMAGE_SUFFIXES", "DecodedImage", "Limits", "Window", "decode_image", "is_image_name"]
