"""Which encoders there are, and how what a user writes becomes one.

Owns the table of known encoders, the grammar of an encoder spec and the encoder_id that follows from it. A family is
one row of ``_FAMILIES``; how it works inside is its own module's business.

```text
spec   = name [ "?fit=" ( "crop" | "pad" | "squash" ) ]
name   = "pixels" | "biomedclip" | "clip-vit-l-14" | "radcbir-mini"   an entry of the table
       | "open_clip:" architecture ":" tag             built into open_clip, weights from the hub
       | "hf-hub:" organisation "/" repository         a hub repository with open_clip_config.json
       | "local-dir:" path                             a folder with open_clip_config.json; no network
```
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radcbir_core.encoders import open_clip_sources
from radcbir_core.encoders.base import FITS, Encoder, Fit, folder_safe, shown
from radcbir_core.encoders.hub import is_repository
from radcbir_core.encoders.kit import KIT
from radcbir_core.encoders.open_clip_sources import Source
from radcbir_core.encoders.torch_support import resolve_device
from radcbir_core.errors import EncoderError

if TYPE_CHECKING:
    from radcbir_core.encoders.pixels import PixelsEncoder


@dataclass(frozen=True, kw_only=True)
class EncoderEntry:
    """One row of the table of known encoders: what to know before loading it.

    Attributes:
        encoder_id: Its name as a spec, as a folder and in a URL.
        title: A name for people.
        spec: What its name stands for.
        family: ``pixels`` or ``open_clip``.
        source: Where its weights come from.
        licence: Of the weights.
        dimension: Length of an embedding.
        supports_text: Whether it has a text tower.
        citation: The publication to cite.
        note: What to know when choosing it.
        demonstration: Whether it is there to show what can be done, and not for studies.
    """

    encoder_id: str
    title: str
    spec: str
    family: str
    source: str
    licence: str
    dimension: int
    supports_text: bool
    citation: str
    note: str
    demonstration: bool = False


ROOT = Path(__file__).resolve().parents[2]
"""What the path of a committed encoder starts from: beside the code, wherever ``RADCBIR_DATA`` is."""

_MINI = "data/encoders/radcbir-mini"
_RESTORE_MINI = f"Fetch that folder of the repository again, or run: git checkout -- {_MINI}"

_ENTRIES = (
    EncoderEntry(
        encoder_id="pixels",
        title="Pixels (32 x 32 baseline)",
        spec="pixels",
        family="pixels",
        source="none needed",
        licence="Apache-2.0 (part of RadCBIR)",
        dimension=1024,
        supports_text=False,
        citation="",
        note="The thumbnail itself. Fast, needs no download, and is what every other encoder has to beat.",
    ),
    EncoderEntry(
        encoder_id="biomedclip",
        title="BiomedCLIP (ViT-B/16, PubMedBERT)",
        spec="hf-hub:microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        family="open_clip",
        source="huggingface.co/microsoft/BiomedCLIP-PubMedBERT_256-vit_base_patch16_224",
        licence="MIT",
        dimension=512,
        supports_text=True,
        citation="Zhang et al., NEJM AI 2(1), 2025; arXiv 2303.00915",
        note="Trained on figures and captions of biomedical papers; the best of ten encoders in Denner et al. 2025.",
    ),
    EncoderEntry(
        encoder_id="clip-vit-l-14",
        title="CLIP (ViT-L/14, OpenAI)",
        spec="open_clip:ViT-L-14:openai",
        family="open_clip",
        source="huggingface.co/timm/vit_large_patch14_clip_224.openai",
        licence="MIT",
        dimension=768,
        supports_text=True,
        citation="Radford et al., ICML 2021; arXiv 2103.00020",
        note="Trained on pictures and texts of the web; a general model to compare medical ones with.",
    ),
    EncoderEntry(
        encoder_id="radcbir-mini",
        title="RadCBIR mini (demonstration)",
        spec=f"local-dir:{_MINI}",
        family="open_clip",
        source=_MINI,
        licence="Apache-2.0",
        dimension=256,
        supports_text=True,
        citation=f"Its model card, {_MINI}/README.md",
        note="A small CLIP of our own for demonstration and offline use. For real studies choose BiomedCLIP.",
        demonstration=True,
    ),
)


@dataclass(frozen=True)
class _Family:
    """One way to name an encoder: a prefix, its form for people, and what to make of what follows the prefix."""

    form: str
    identify: Callable[[str], tuple[str, str]]
    """From the name after the prefix to encoder_id and title; raises EncoderError for nonsense; loads nothing."""
    source: Callable[[str], Source]
    """From the name after the prefix to files on this machine's disk."""


@dataclass(frozen=True)
class _Spec:
    """A spec taken apart; ``prefix`` is empty for the ``pixels`` entry alone."""

    text: str
    encoder_id: str
    title: str
    prefix: str
    name: str
    fit: Fit | None


def known_encoders() -> list[EncoderEntry]:
    """The encoders that have a name of their own, the baseline first.

    Example:
        >>> [entry.encoder_id for entry in known_encoders()]
        ['pixels', 'biomedclip', 'clip-vit-l-14', 'radcbir-mini']
    """
    return list(_ENTRIES)


def encoder_id_of(spec: str) -> str:
    """The encoder_id of what a user wrote: a folder's name, 1 to 100 characters; nothing is loaded or fetched.

    Two different specs can share an id only where two folders share their last name; the fingerprints of their
    embeddings differ all the same.

    Raises:
        EncoderError: ``spec`` is none of the forms; names what may have been meant.

    Example:
        >>> encoder_id_of("open_clip:ViT-B-32:laion2b_s34b_b79k"), encoder_id_of("biomedclip?fit=pad")
        ('vit-b-32-laion2b_s34b_b79k', 'biomedclip-pad')
        >>> encoder_id_of("local-dir:/opt/encoders/radcbir-mini")
        'radcbir-mini'
        >>> encoder_id_of("hf-hub:laion/CLIP-ViT-B-16")
        'laion--clip-vit-b-16'
    """
    return _parsed(spec).encoder_id


def load_encoder(spec: str, *, device: str = "auto") -> Encoder:
    """The encoder that ``spec`` names, ready to encode.

    Args:
        spec: See the grammar above; ``?fit=pad`` overrides the published fit.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``. ``pixels`` always computes on the CPU, but a
            device that is not here is refused for it too.

    Raises:
        EncoderError: No such encoder or device, or the encoder's files are damaged or do not fit together.
        EncoderUnavailableError: Its weights are neither on this machine nor to be had from the hub.

    Example:
        >>> load_encoder("pixels").dimension
        1024
    """
    parsed = _parsed(spec)
    if not parsed.prefix:
        if device != "auto":
            resolve_device(device)
        return _pixels()
    family = _FAMILIES[parsed.prefix]
    chosen = resolve_device(device)
    from radcbir_core.encoders.open_clip_family import OpenClipEncoder

    return OpenClipEncoder(
        family.source(parsed.name),
        spec=parsed.text,
        encoder_id=parsed.encoder_id,
        title=parsed.title,
        device=chosen,
        fit=parsed.fit,
    )


def _pixels() -> PixelsEncoder:
    from radcbir_core.encoders.pixels import PixelsEncoder

    return PixelsEncoder()


def _parsed(spec: str) -> _Spec:
    text, fit = _without_fit(spec.strip())
    # A name goes into JSON, a URL and one line of a message: control characters, line separators and lone surrogates
    # cannot.
    if not text or any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise EncoderError(
            f"Expected the name of an encoder, but encoder = '{shown(spec)}'. "
            f"Use one of {', '.join(entry.encoder_id for entry in _ENTRIES)}, or {_forms()}."
        )
    suffix = f"-{fit}" if fit else ""
    note = f", {fit}" if fit else ""
    option = f"?fit={fit}" if fit else ""
    if text.startswith("local-dir:"):
        text = f"local-dir:{_absolute(text.removeprefix('local-dir:'))}"
    # A long form of what has a short name is that encoder, not a second one.
    entry = next((entry for entry in _ENTRIES if text in {entry.encoder_id, _long_form(entry)}), None)
    if entry is not None and entry.family == "pixels":
        if fit:
            raise EncoderError(f"Expected pixels without options, but fit = {fit}. Its recipe is fixed: write pixels.")
        return _Spec(text, entry.encoder_id, entry.title, "", "", None)
    prefix, colon, name = (_long_form(entry) if entry else text).partition(":")
    if not colon or prefix not in _FAMILIES:
        raise _unknown(text)
    if entry is not None and _is_committed(entry):
        text = entry.encoder_id  # so that it is found again when the repository has moved
    encoder_id, title = (entry.encoder_id, entry.title) if entry else _FAMILIES[prefix].identify(name)
    return _Spec(f"{text}{option}", f"{encoder_id}{suffix}", f"{title}{note}", prefix, name, fit)


def _without_fit(text: str) -> tuple[str, Fit | None]:
    """``text`` without its option, and the option; a question mark elsewhere is part of a path."""
    name, mark, option = text.rpartition("?")
    key, equals, value = option.partition("=")
    if not (mark and equals and re.fullmatch(r"[a-z_]+", key)):
        return text, None
    if key != "fit" or value not in FITS:
        raise EncoderError(
            f"Expected ?fit={', ?fit='.join(FITS)} or no option, but option = ?{shown(option)}. Correct or remove it."
        )
    return name, value


def _is_committed(entry: EncoderEntry) -> bool:
    """Whether an entry's files are part of the repository."""
    return entry.spec.startswith("local-dir:")


def _long_form(entry: EncoderEntry) -> str:
    """What an entry's name stands for, with the whole path of files that are part of the repository."""
    return f"local-dir:{ROOT / entry.spec.removeprefix('local-dir:')}" if _is_committed(entry) else entry.spec


def _absolute(path: str) -> str:
    """A user's path made absolute, so that it means the same folder from every working directory."""
    try:
        expanded = Path(path).expanduser()
    except RuntimeError as error:
        raise EncoderError(f"Expected a path, but local-dir = '{shown(path)}': {error}. Write it in full.") from error
    # normpath after joining, not resolve(): a link's own name is the one the user knows the folder by.
    absolute = os.path.normpath(Path.cwd() / expanded)
    if not path or not Path(absolute).name:
        raise EncoderError(f"Expected the path of a folder, but local-dir = '{shown(path)}'. Name the folder.")
    return absolute


def _identify_folder(path: str) -> tuple[str, str]:
    name = Path(path).name
    encoder_id = folder_safe(name)
    # A folder that has the name of a committed one is most often a copy of it: it shares the name, as two folders do.
    taken = {entry.encoder_id for entry in _ENTRIES if not _is_committed(entry)}
    if re.sub(rf"-({'|'.join(FITS)})$", "", encoder_id) in taken:
        encoder_id = f"local-{encoder_id}"
    return encoder_id, shown(name)


def _identify_repository(name: str) -> tuple[str, str]:
    if "/" not in name or not is_repository(name):
        raise EncoderError(
            f"Expected hf-hub:organisation/name, but encoder = hf-hub:{shown(name)}. Copy the name from the hub."
        )
    # No organisation and no repository may contain two hyphens, so that two repositories cannot share an id.
    return folder_safe(name.replace("/", "--")), name


def _identify_builtin(name: str) -> tuple[str, str]:
    architecture, tag = _architecture_and_tag(name)
    if not re.fullmatch(r"[\w.-]+", tag, flags=re.ASCII):
        raise EncoderError(
            f"Expected open_clip:architecture:tag, but encoder = open_clip:{shown(name)}. "
            "Add a pretrained tag, such as open_clip:ViT-B-32:laion2b_s34b_b79k."
        )
    known = _builtin_architectures()
    if architecture not in known:
        raise open_clip_sources.unknown_architecture(architecture, known)
    return folder_safe(f"{architecture}-{tag}"), f"{architecture} ({tag})"


def _architecture_and_tag(name: str) -> tuple[str, str]:
    architecture, _, tag = name.partition(":")
    # As open_clip reads it: OpenAI wrote ViT-L/14 for what is ViT-L-14.
    return architecture.replace("/", "-"), tag


def _builtin_architectures() -> list[str]:
    """The names of open_clip's architectures: its files', as importing it takes seconds, or its own once imported."""
    loaded: Any = sys.modules.get("open_clip")
    if loaded is not None:
        return list(loaded.list_models())
    specification = importlib.util.find_spec("open_clip")
    if specification is None or not specification.submodule_search_locations:
        raise EncoderError("Expected open_clip to be installed, but it is not. Run pip install -r requirements.txt.")
    folder = Path(specification.submodule_search_locations[0]) / "model_configs"
    return sorted(path.stem for path in folder.glob("*.json"))


def _source_in(folder: Path) -> Source:
    entry = next((entry for entry in _ENTRIES if _long_form(entry) == f"local-dir:{folder}"), None)
    if entry is None:
        return open_clip_sources.from_folder(folder)
    for name in (open_clip_sources.CONFIGURATION, KIT):
        if not (folder / name).is_file():
            raise EncoderError(
                f"Expected the encoder {entry.encoder_id} in the repository, but {folder / name} is missing. "
                f"{_RESTORE_MINI}"
            )
    return open_clip_sources.from_folder(folder, restore=_RESTORE_MINI)


_FAMILIES = {
    "open_clip": _Family(
        "open_clip:architecture:tag",
        _identify_builtin,
        lambda name: open_clip_sources.from_tag(*_architecture_and_tag(name)),
    ),
    "hf-hub": _Family("hf-hub:organisation/name", _identify_repository, open_clip_sources.from_hub),
    "local-dir": _Family("local-dir:path", _identify_folder, lambda name: _source_in(Path(name))),
}


def _forms() -> str:
    *first, last = [family.form for family in _FAMILIES.values()]
    return f"{', '.join(first)} or {last}"


def _unknown(text: str) -> EncoderError:
    """The error for a name that is no encoder, with what it may have been meant to be."""
    names = [entry.encoder_id for entry in _ENTRIES]
    meant = difflib.get_close_matches(text.lower(), names, n=2, cutoff=0.5)
    prefix, colon, rest = text.partition(":")
    if colon:
        meant += [f"{near}:{rest}" for near in difflib.get_close_matches(prefix.lower(), _FAMILIES, n=1, cutoff=0.5)]
    if Path(text).name and ("/" in text or os.sep in text) and Path(text).is_dir():
        meant.append(f"local-dir:{text}")
    elif "/" in text and is_repository(text):
        meant.append(f"hf-hub:{text}")
    advice = f"Did you mean {' or '.join(shown(name) for name in meant)}?" if meant else f"Or use {_forms()}."
    return EncoderError(f"Expected one of {', '.join(names)}, but encoder = '{shown(text)}'. {advice}")
