"""How what a user writes becomes an encoder.

Owns the grammar of an encoder spec, the encoder_id that follows from it, and the way from a spec through a
:class:`~radcbir_core.encoders.files.checkpoint.Checkpoint` to an encoder. A form of a spec is one row of ``_FORMS``; a
family is one row of ``_LOADERS``; how either works inside is its own module's business.

```text
spec   = name [ "?" option *( "&" option ) ]
option = "fit=" ( "crop" | "pad" | "squash" )          how an oblong image is fitted in
       | "output=" ( "cls" | "mean" | "pooled" | "logits" )   which output; for hf:, timm: and their folders
name   = "pixels" | "biomedclip" | "dinov2-vit-b-14" …  an entry of the table
       | "open_clip:" architecture ":" tag              built into open_clip, weights from the hub
       | "hf-hub:" organization "/" repository          a hub repository with open_clip_config.json
       | "hf:" organization "/" repository              a hub repository of transformers
       | "timm:" name                                   a repository of timm's on the hub
       | "local-dir:" path                              a folder, recognized by its files; no network
       | path                                           the same, if the folder exists
```
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from radcbir_core import installation
from radcbir_core.encoders import naming
from radcbir_core.encoders.base import Encoder, folder_safe, shown
from radcbir_core.encoders.entries import ENTRIES, RESTORE_MINI, EncoderEntry
from radcbir_core.encoders.families import (
    medclip,
    medsam,
    open_clip,
    open_clip_sources,
    radimagenet_resnet,
    timm,
    transformers,
    transformers_sources,
)
from radcbir_core.encoders.files import folders
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.files.hub import is_repository
from radcbir_core.encoders.kits.kit_json import KIT
from radcbir_core.encoders.kits.kit_probe import check_probe
from radcbir_core.encoders.torch.support import resolve_device
from radcbir_core.encoders.torch.torch_encoder import TorchEncoder
from radcbir_core.errors import EncoderError
from radcbir_core.images.fitting import FITS, Fit

if TYPE_CHECKING:
    from radcbir_core.encoders.families.pixels import PixelsEncoder


ROOT = installation.ROOT
"""What the path of a committed encoder starts from: beside the code, wherever ``RADCBIR_DATA`` is."""

OUTPUTS = ("cls", "mean", "pooled", "logits")
"""What ``?output=`` may be: the class token, the mean over all patches (or over space), what the network itself makes
of the whole image, or the scores of its classes."""


@dataclass(frozen=True)
class _Form:
    """One way to name an encoder: a prefix, its form for people, and what to make of what follows the prefix."""

    form: str
    identify: Callable[[str], tuple[str, str]]
    """From the name after the prefix to encoder_id and title; raises EncoderError for nonsense; loads nothing."""
    find: Callable[[str, Path | None], Checkpoint]
    """From the name after the prefix to files on this machine's disk; the path is where they already are."""
    outputs: bool = False
    """Whether ``?output=`` means anything."""


@dataclass(frozen=True)
class _Spec:
    """A spec taken apart; ``prefix`` is empty for the ``pixels`` entry alone."""

    text: str
    encoder_id: str
    title: str
    prefix: str
    name: str
    fit: Fit | None
    output: str | None = None


def known_encoders() -> list[EncoderEntry]:
    """The encoders that have a name of their own, the baseline first.

    Example:
        >>> [entry.encoder_id for entry in known_encoders() if entry.in_paper][:3]
        ['biomedclip', 'clip-vit-l-14', 'medclip']
    """
    return list(ENTRIES)


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


def title_of(spec: str) -> str:
    """What people call the encoder that ``spec`` names; nothing is loaded or fetched.

    Raises:
        EncoderError: ``spec`` is none of the forms.

    Example:
        >>> title_of("open_clip:ViT-B-32:laion2b_s34b_b79k")
        'ViT-B-32 (laion2b_s34b_b79k)'
    """
    return _parsed(spec).title


def local_folder_of(spec: str) -> Path | None:
    """The folder that ``spec`` names, whether it is there or not; None where it names no folder, or no encoder.

    Example:
        >>> local_folder_of("local-dir:/opt/encoders/mine?fit=pad"), local_folder_of("biomedclip")
        (PosixPath('/opt/encoders/mine'), None)
    """
    try:
        parsed = _parsed(spec)
    except EncoderError:
        return None
    return Path(parsed.name) if parsed.prefix == "local-dir" else None


def load_encoder(spec: str, *, device: str = "auto") -> Encoder:
    """The encoder that ``spec`` names, ready to encode.

    What a kit's probe holds is computed again first: other numbers than those of the machine that made the kit are
    refused.

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
    # What is wrong with the device is said before anything is fetched.
    named: dict[str, Any] = {
        "spec": parsed.text,
        "encoder_id": parsed.encoder_id,
        "title": parsed.title,
        "device": resolve_device(device),
    }
    checkpoint = _form(parsed.prefix).find(parsed.name, None)
    asked_for = _with_output(checkpoint, parsed.output)
    kit = folders.probed_kit(Path(parsed.name)) if parsed.prefix == "local-dir" else None
    if kit is not None:
        # The probe was made with what is published, whatever is asked for now.
        published = load_checkpoint(checkpoint, **named)
        check_probe(published, kit)
        if parsed.fit is None and parsed.output is None:
            return published
        del published
    return load_checkpoint(asked_for, **named, fit=parsed.fit)


def find_checkpoint(spec: str, *, path: Path | None = None) -> Checkpoint:
    """The files of the encoder that ``spec`` names, on this machine's disk; fetched from the hub where need be.

    Args:
        spec: As for :func:`load_encoder`; its fit is not part of a checkpoint.
        path: A file or folder already on this disk that holds the encoder's published files: used instead of the
            cache and the hub.

    Raises:
        EncoderError: No such encoder, it has no files, or they are damaged or do not fit together.
        EncoderUnavailableError: They are neither on this machine nor to be had from the hub.
    """
    parsed = _parsed(spec)
    if not parsed.prefix:
        raise EncoderError(f"Expected an encoder with files, but encoder = {parsed.encoder_id} has none. Just name it.")
    if path is not None and not path.exists():
        raise EncoderError(f"Expected a file or folder, but {shown(str(path))} does not exist. Check the path.")
    return _with_output(_form(parsed.prefix).find(parsed.name, path), parsed.output)


def load_checkpoint(
    checkpoint: Checkpoint, *, spec: str, encoder_id: str, title: str, device: str, fit: Fit | None = None
) -> Encoder:
    """The encoder made of a checkpoint's files, ready to encode.

    Args:
        checkpoint: From :func:`find_checkpoint`.
        spec: What the user wrote, recorded.
        encoder_id: Its folder-safe name.
        title: A name for people.
        device: As :func:`~radcbir_core.encoders.torch.support.resolve_device` gives it.
        fit: Overrides the published fit.

    Raises:
        EncoderError: The files are damaged, do not fit together, need a family that is not known here, or hold weights
            that are not sound.
    """
    load, keys = _LOADERS.get(checkpoint.family, (None, ()))
    if load is None:
        raise EncoderError(
            f"Expected one of the families {', '.join(_LOADERS)}, but family = '{shown(checkpoint.family)}'. "
            "It was made by a newer RadCBIR: install that one."
        )
    strange = sorted(set(checkpoint.recipe) - set(keys))
    if strange:
        # It would decide the numbers if it were understood.
        raise EncoderError(
            f"Expected a recipe of {', '.join(keys) or 'nothing'} for the family {checkpoint.family}, "
            f"but it has {shown(', '.join(strange))}. It was made by a newer RadCBIR: install that one."
        )
    encoder = load(checkpoint, spec=spec, encoder_id=encoder_id, title=title, device=device, fit=fit)
    encoder.check_sound()
    return encoder


def _with_output(checkpoint: Checkpoint, output: str | None) -> Checkpoint:
    if output is None:
        return checkpoint
    if checkpoint.family not in _FAMILIES_WITH_OUTPUTS:
        raise EncoderError(
            f"Expected no ?output= for the family {checkpoint.family}, but output = {output}. Remove it."
        )
    return replace(checkpoint, recipe={**checkpoint.recipe, "output": output})


def _pixels() -> PixelsEncoder:
    from radcbir_core.encoders.families.pixels import PixelsEncoder

    return PixelsEncoder()


def _parsed(spec: str) -> _Spec:
    text, options = _without_options(spec.strip())
    # A name goes into JSON, a URL and one line of a message: control characters, line separators and lone surrogates
    # cannot.
    if not text or any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise EncoderError(
            f"Expected the name of an encoder, but encoder = '{shown(spec)}'. "
            f"Use one of {', '.join(entry.encoder_id for entry in ENTRIES)}, or {_forms()}."
        )
    fit, output = cast("Fit | None", options.get("fit")), options.get("output")
    if (
        text not in {entry.encoder_id for entry in ENTRIES}
        and text.partition(":")[0] not in _FORMS
        and _is_folder(text)
    ):
        text = f"local-dir:{text}"
    if text.startswith("local-dir:"):
        text = f"local-dir:{_absolute(text.removeprefix('local-dir:'))}"
    entry, output = _entry_of(text, output)
    if entry is not None and entry.family == "pixels":
        if options:
            option = ", ".join(f"{key} = {value}" for key, value in options.items())
            raise EncoderError(f"Expected pixels without options, but {option}. Its recipe is fixed: write pixels.")
        return _Spec(text, entry.encoder_id, entry.title, "", "", None)
    prefix, colon, name = (_base_of(entry) if entry else text).partition(":")
    if entry is not None and not colon:
        prefix, colon, name = entry.encoder_id, ":", entry.encoder_id
    elif not colon or prefix not in _FORMS:
        raise _unknown(text)
    form = _form(prefix)
    if options.get("output") and not form.outputs:
        raise EncoderError(
            f"Expected no ?output= here, but output = {options['output']}: {shown(text)} has one output. Remove it."
        )
    # So that it is found again when the repository has moved, and that what has one name is recorded under it.
    if entry is not None and (_is_committed(entry) or options.get("output")):
        text = entry.encoder_id
    encoder_id, title = (entry.encoder_id, entry.title) if entry else form.identify(name)
    given = {key: value for key, value in (("output", output), ("fit", fit)) if value}
    query = "&".join(f"{key}={value}" for key, value in given.items())
    return _Spec(
        text=f"{text}?{query}" if query else text,
        encoder_id="-".join([encoder_id, *given.values()]),
        title=", ".join([title, *given.values()]),
        prefix=prefix,
        name=name,
        fit=fit,
        output=output or (_output_of(entry) if entry else None),
    )


def _entry_of(text: str, output: str | None) -> tuple[EncoderEntry | None, str | None]:
    """The entry that a name or its long form stands for, and the output that is left to ask it for.

    A long form of what has a short name is that encoder, not a second one.
    """
    named = next((entry for entry in ENTRIES if text == entry.encoder_id), None)
    base = _base_of(named) if named else text
    same = [entry for entry in ENTRIES if _base_of(entry) == base]
    if named is not None and output in {None, named.output_option}:
        return named, None
    for entry in same:
        if output is not None and output == entry.output_option:
            return entry, None
    return next((entry for entry in same if _output_of(entry) is None), named), output


def _base_of(entry: EncoderEntry) -> str:
    return _without_options(_long_form(entry))[0]


def _output_of(entry: EncoderEntry) -> str | None:
    return _without_options(entry.spec)[1].get("output")


def _is_folder(path: str) -> bool:
    try:
        return Path(path).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, or not a path at all
        return False


def _without_options(text: str) -> tuple[str, dict[str, str]]:
    """``text`` without its options, and these; a question mark elsewhere is part of a path."""
    name, mark, tail = text.rpartition("?")
    pairs = [option.partition("=") for option in tail.split("&")]
    if not mark or not all(equals and re.fullmatch(r"[a-z_]+", key) for key, equals, _ in pairs):
        return text, {}
    known: dict[str, tuple[str, ...]] = {"fit": FITS, "output": OUTPUTS}
    options = {key: value for key, _, value in pairs}
    if len(options) < len(pairs) or any(value not in known.get(key, ()) for key, value in options.items()):
        raise EncoderError(
            f"Expected ?fit={', ?fit='.join(FITS)}, ?output={', ?output='.join(OUTPUTS)} or no option, "
            f"but option = ?{shown(tail)}. Correct or remove it."
        )
    return name, options


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
    try:
        os.lstat(Path(absolute) / KIT)
    except ValueError:
        pass  # a zero byte: there is no such folder, as is said where it is opened
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise EncoderError(
                f"Expected a path that this system can open, but local-dir = '{shown(path)}' is too long. Shorten it."
            ) from error
    return absolute


def _identify_folder(path: str) -> tuple[str, str]:
    name = Path(path).name
    named = folders.named_by_kit(Path(path))
    if named is not None:
        return named
    encoder_id = folder_safe(name)
    # A folder that has the name of a committed one is most often a copy of it: it shares the name, as two folders do.
    reserved = {entry.encoder_id for entry in ENTRIES if not _is_committed(entry)}
    if re.sub(rf"(-({'|'.join((*OUTPUTS, *FITS))}))+$", "", encoder_id) in reserved:
        encoder_id = f"local-{encoder_id}"
    return encoder_id, shown(name)


def _found_in_folder(folder: Path) -> Checkpoint:
    entry = next((entry for entry in ENTRIES if _long_form(entry) == f"local-dir:{folder}"), None)
    if entry is None:
        return folders.find_in_folder(folder)
    for name in (open_clip_sources.CONFIGURATION, KIT):
        if not (folder / name).is_file():
            raise EncoderError(
                f"Expected the encoder {entry.encoder_id} in the repository, but {folder / name} is missing. "
                f"{RESTORE_MINI}"
            )
    return folders.find_in_folder(folder, restore=RESTORE_MINI)


def _folder(path: Path) -> Path:
    """The folder that a person means who names a file in it."""
    return path if path.is_dir() else path.parent


_FORMS = {
    "open_clip": _Form(
        "open_clip:architecture:tag",
        naming.identify_builtin,
        lambda name, path: open_clip_sources.from_tag(*naming.architecture_and_tag(name), path=path),
    ),
    "hf-hub": _Form(
        "hf-hub:organization/name",
        naming.identify_repository,
        lambda name, path: (
            open_clip_sources.from_hub(name) if path is None else open_clip_sources.from_folder(_folder(path))
        ),
    ),
    "hf": _Form(
        "hf:organization/name",
        naming.identify_model,
        lambda name, path: (
            transformers_sources.from_hub(name) if path is None else transformers_sources.from_folder(_folder(path))
        ),
        outputs=True,
    ),
    "timm": _Form(
        "timm:name",
        naming.identify_timm,
        lambda name, path: (
            timm.from_hub(naming.timm_repository(name)) if path is None else timm.from_folder(_folder(path))
        ),
        outputs=True,
    ),
    "local-dir": _Form(
        "local-dir:path",
        _identify_folder,
        lambda name, path: _found_in_folder(Path(name) if path is None else path),
        outputs=True,
    ),
}


# Encoders without a prefix, because their authors publish a file in a layout of its own: the table's names alone stand
# for them.
_OWN_FORMS = {
    "medclip": _Form("medclip", _identify_folder, lambda _, path: medclip.find(path)),
    "medsam-vit-b": _Form("medsam-vit-b", _identify_folder, lambda _, path: medsam.find(path)),
    "radimagenet-resnet50": _Form(
        "radimagenet-resnet50", _identify_folder, lambda _, path: radimagenet_resnet.find(path)
    ),
    "unimed-clip-vit-b-16": _Form(
        "unimed-clip-vit-b-16", _identify_folder, lambda _, path: open_clip_sources.from_unimed(path)
    ),
}


def _form(prefix: str) -> _Form:
    return _FORMS.get(prefix) or _OWN_FORMS[prefix]


# What makes an encoder of a family's checkpoint, and which keys its recipe may have.
_LOADERS: Mapping[str, tuple[Callable[..., TorchEncoder], tuple[str, ...]]] = {
    "open_clip": (open_clip.OpenClipEncoder, ()),
    "transformers": (transformers.TransformersEncoder, ("output",)),
    "timm": (timm.TimmEncoder, ("output",)),
    "medclip": (medclip.MedClipEncoder, ("vision_config", "text_config", "size")),
    "medsam": (medsam.MedSamEncoder, ("vision_config",)),
    "radimagenet": (radimagenet_resnet.RadImageNetEncoder, ()),
}
_FAMILIES_WITH_OUTPUTS = ("transformers", "timm")


def _forms() -> str:
    *first, last = [family.form for family in _FORMS.values()]
    return f"{', '.join(first)} or {last}"


def _unknown(text: str) -> EncoderError:
    """The error for a name that is no encoder, with what it may have been meant to be."""
    if text.startswith("imported:"):
        return EncoderError(
            f"Expected an encoder that can be loaded, but encoder = {shown(text)}: its embeddings were imported, and "
            "only images of the collection can be searched with. Choose one of these, or build with another encoder."
        )
    names = [entry.encoder_id for entry in ENTRIES]
    prefix, colon, rest = text.partition(":")
    meant = [] if colon else difflib.get_close_matches(text.lower(), names, n=2, cutoff=0.5)
    if colon:
        meant += [f"{near}:{rest}" for near in difflib.get_close_matches(prefix.lower(), _FORMS, n=1, cutoff=0.5)]
    if "/" in text and is_repository(text):
        meant += [f"hf:{text}", f"hf-hub:{text}"]
    advice = f"Did you mean {' or '.join(shown(name) for name in meant)}?" if meant else f"Or use {_forms()}."
    return EncoderError(f"Expected one of {', '.join(names)}, but encoder = '{shown(text)}'. {advice}")
