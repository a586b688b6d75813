"""The encoder of the page, loaded before anybody asks for it.

Owns a thread that loads the small encoder which comes with RadCBIR (importing torch takes seconds) while a person
looks at the page. Larger encoders are loaded when they are needed: they take memory, and may ask the network.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from pages.parts.frame import garbage
from radcbir_core.encoders import Encoder, known_encoders, load_encoder

_lock = threading.Lock()
_begun: set[tuple[str, str]] = set()
_loading: dict[tuple[str, str], Future[Encoder]] = {}


def warm(spec: str, fingerprint: str) -> None:
    """Begin to load an encoder in the background, if it is the small one and this has not been done yet.

    Args:
        spec: Of the encoder.
        fingerprint: Of the version that is wanted.
    """
    key = (spec, fingerprint)
    with _lock:
        if key in _begun or spec not in {entry.encoder_id for entry in known_encoders() if entry.demonstration}:
            return
        _begun.add(key)
        future: Future[Encoder] = Future()
        _loading[key] = future
    threading.Thread(target=_load, args=(spec, future), name="warming", daemon=True).start()


def take(spec: str, fingerprint: str) -> Encoder:
    """The encoder: the one loaded (or being loaded) in the background, else loaded now.

    Raises:
        EncoderError: It cannot be loaded here.
    """
    with _lock:
        _begun.add((spec, fingerprint))
        future = _loading.pop((spec, fingerprint), None)
    return load_encoder(spec) if future is None else future.result()


def _load(spec: str, future: Future[Encoder]) -> None:
    try:
        encoder = load_encoder(spec)
        encoder.encode_texts(["chest"])  # loads the tokenizer too
        garbage.leave_out_modules()
        future.set_result(encoder)
    except BaseException as error:  # noqa: BLE001  # handed to whoever takes the encoder
        future.set_exception(error)
