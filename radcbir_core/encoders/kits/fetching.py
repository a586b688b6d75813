"""Air-gap kits: one folder with all that an encoder needs, made where there is a network and used where there is none.

Owns the writing of a kit: which files, the conversion of weights to safetensors, licence and citation, ``kit.json`` and
the probe. Nothing half-written ever has the kit's name. What ``kit.json`` means is
:mod:`radcbir_core.encoders.kits.kit_json`'s business; the finding of the files is the families'.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import filelock

from radcbir_core.encoders import registry
from radcbir_core.encoders.base import shown
from radcbir_core.encoders.files.checkpoint import Checkpoint
from radcbir_core.encoders.files.hub import fetch_file, is_repository
from radcbir_core.encoders.files.weights import read_weights
from radcbir_core.encoders.kits.kit_json import FORMAT, KIT, Kit, check_kit, read_kit
from radcbir_core.encoders.kits.kit_probe import images_to_encode, make_probe, versions
from radcbir_core.encoders.kits.training_list import KEY as TRAINED_ON
from radcbir_core.encoders.kits.training_list import NOTHING
from radcbir_core.encoders.torch.support import first_line
from radcbir_core.errors import FOLDER, EncoderError, EncoderUnavailableError, RadcbirError, Remedy, StorageError
from radcbir_core.storage import atomic_bytes, digest_file
from radcbir_core.swapping import being_swapped, finish_swaps, take_place

if TYPE_CHECKING:
    import torch

_LICENCE_FILES: Final = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "COPYING")
_PREFIXES: Final = ("open_clip", "hf-hub", "hf", "timm")
_PARTIAL: Final = ".partial-kit-"


def fetch_kit(spec: str, folder: Path, *, source: Path | None = None, replace: bool = False) -> Kit:
    """Make the kit of an encoder: all of its files in one folder, with their digests and a probe.

    The kit is loaded once from its own files before it gets its name, so that what it lacks is noticed here and not on
    the machine without network.

    Args:
        spec: Of the encoder, without ``?fit=``: that is chosen when the kit is used.
        folder: Where to; it must not exist, the folder it lies in must.
        source: A file or folder on this disk that holds the encoder's published files; by default they come from the
            hub, or its cache.
        replace: Put the new kit in the place of an older one of the same encoder.

    Returns:
        The kit.

    Raises:
        EncoderError: No such encoder, its files do not fit together, or ``folder`` is taken.
        EncoderUnavailableError: Its files are neither on this machine nor to be had from the hub.
        StorageError: No space left, or no permission.
    """
    encoder_id = registry.encoder_id_of(spec)
    if re.search(r"[?&]fit=", spec):
        raise EncoderError(
            f"Expected an encoder as it was published, but encoder = '{shown(spec)}' has another fit. "
            "Make the kit without ?fit=, and put it behind the kit's folder when you use it."
        )
    target = Path(os.path.normpath(Path.cwd() / folder.expanduser()))
    _check_target(target, encoder_id=encoder_id, replace=replace)
    checkpoint = registry.find_checkpoint(spec, path=source)
    # Beside a single file lies anything: only a folder is the encoder's own.
    origin = checkpoint.weights_path.parent if source is None else source
    about = _about(spec, encoder_id, origin)
    with _new_folder(target, encoder_id=encoder_id, replace=replace) as unfinished:
        for name, content in checkpoint.files.items():
            if name != checkpoint.weights:
                _write(unfinished / _inside(name), content)
        weights = _write_weights(checkpoint, unfinished)
        names = [name for name in checkpoint.files if name != checkpoint.weights] + [weights]
        documents = _documents(about, origin, repository=_repository(about) if source is None else None)
        for name, content in documents.items():
            _write(unfinished / name, content)
        facts = {
            **about,
            "family": checkpoint.family,
            "recipe": dict(checkpoint.recipe),
            "weights": weights,
        }
        trained_on = _training_of(origin)
        for name in trained_on.values():
            if name != NOTHING:
                _write(unfinished / name, origin / name)
        _finish(unfinished, {**facts, **trained_on}, names=[*names, *documents])
    kit = read_kit(target)
    assert kit is not None, "it was written above"  # noqa: S101
    return kit


def add_probe(folder: Path, *, facts: Mapping[str, Any] | None = None) -> Kit:
    """Make a folder that an encoder is loaded from a whole kit, where it lies: ``kit.json`` and ``probe/`` are new.

    Args:
        folder: Of a checkpoint, with or without a ``kit.json``; other files in it stay and are not listed.
        facts: Keys of ``kit.json`` to set, such as ``licence``; what is known of the encoder by default.

    Raises:
        EncoderError: The folder is no checkpoint, or not loadable.
        StorageError: No space left, or no permission.
    """
    folder = Path(os.path.normpath(Path.cwd() / folder.expanduser()))
    spec = f"local-dir:{folder}"
    checkpoint = registry.find_checkpoint(spec)
    moved = [name for name, content in checkpoint.files.items() if content != folder / _inside(name)]
    if moved:
        raise EncoderError(
            f"Expected all files of the encoder in {folder} under their own names, but {moved[0]} is not. "
            "Make a kit of it in another folder.",
            remedy=Remedy("fetch_encoder", f"local-dir:{folder}", {"to": FOLDER}),
        )
    known = _about(spec, registry.encoder_id_of(spec), folder)
    recipe = {"family": checkpoint.family, "recipe": dict(checkpoint.recipe), "weights": checkpoint.weights}
    recipe |= _training_of(folder)
    with _disk(folder):
        _finish(folder, {**known, **(facts or {}), **recipe}, names=list(checkpoint.files))
    kit = read_kit(folder)
    assert kit is not None, "it was written above"  # noqa: S101
    return kit


def _training_of(origin: Path) -> dict[str, str]:
    """What the ``kit.json`` of the folder that an encoder comes from says of its training; nothing where it does not.

    Raises:
        EncoderError: It names a list that is missing, altered, or none.
    """
    kit = read_kit(origin) if origin.is_dir() else None
    if kit is None or kit.training_list is None:
        return {}
    kit.training()
    return {TRAINED_ON: kit.training_list}


def _finish(folder: Path, facts: Mapping[str, Any], *, names: list[str]) -> None:
    """Write ``kit.json`` of a folder whose files are complete, load the encoder from it, and add the probe."""
    shutil.rmtree(folder / "probe", ignore_errors=True)
    names = [*names, *(name for name in [facts.get(TRAINED_ON, NOTHING)] if name != NOTHING)]
    record = {
        "format": FORMAT,
        **facts,
        "files": {name: digest_file(folder / name) for name in sorted(names)},
    }
    _write_record(folder, record)
    # By the kit's own files and no others: a tokenizer that only the hub's cache has is missed here.
    encoder = registry.load_encoder(f"local-dir:{folder}", device="cpu")
    size = (folder / str(facts["weights"])).stat().st_size
    files, probe = make_probe(
        encoder, encoded=images_to_encode(input_size=encoder.preprocessing.size, weights_bytes=size)
    )
    for name, content in files.items():
        _write(folder / name, content)
    digests = {name: digest_file(folder / name) for name in sorted([*names, *files])}
    _write_record(
        folder,
        {
            **record,
            "dimension": encoder.dimension,
            "supports_text": encoder.supports_text,
            "preprocessing": encoder.preprocessing.as_dict(),
            "weights_digest": encoder.weights_digest,
            "fingerprint": encoder.fingerprint,
            "versions": versions(),
            "files": digests,
            "probe": probe,
        },
    )
    check_kit(folder)


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    atomic_bytes(folder / KIT, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())


def _check_target(target: Path, *, encoder_id: str, replace: bool) -> None:
    """Refuse a place where no kit may be written, before anything is fetched."""
    if not target.parent.is_dir():
        raise EncoderError(f"Expected a folder to make the kit in, but {target.parent} is none. Make it first.")
    if not os.path.lexists(target):
        return
    there: str | None = None
    with contextlib.suppress(EncoderError):
        kit = read_kit(target)
        there = kit.encoder_id if kit is not None and kit.whole else None
    if target.is_symlink() or there != encoder_id:
        content = f"the kit of {there}" if there else "no kit of it"
        raise EncoderError(
            f"Expected a new folder, or an older kit of {encoder_id}, but {target} exists and is {content}. "
            "Name another folder.",
            remedy=Remedy("again", options={"to": FOLDER}),
        )
    if not replace:
        raise EncoderError(
            f"Expected a new folder, but {target} is a kit of {encoder_id} already. "
            "Have it replaced, or name another folder.",
            remedy=Remedy("again", options={"replace": True}),
        )


@contextmanager
def _new_folder(target: Path, *, encoder_id: str, replace: bool) -> Iterator[Path]:
    """An empty folder beside ``target`` that becomes ``target`` on leaving without error, and else is removed."""
    unfinished = target.with_name(f"{_PARTIAL}{target.name}")
    lock = target.with_name(f".{target.name}.lock")
    with _disk(target):
        try:
            with filelock.FileLock(lock, blocking=False):
                _clear_up(unfinished)
                try:
                    unfinished.mkdir()
                    yield unfinished
                    _check_target(target, encoder_id=encoder_id, replace=replace)
                    if target.exists():
                        take_place(unfinished, target)
                    else:
                        unfinished.rename(target)
                finally:
                    _clear_up(unfinished)
                    lock.unlink(missing_ok=True)
        except filelock.Timeout as error:
            raise EncoderError(
                f"Expected nobody else to be writing {target}, but another process is. Wait until it has finished."
            ) from error


def _clear_up(unfinished: Path) -> None:
    """Remove what is unfinished, or what has been replaced; never the only kit there is."""
    finish_swaps(unfinished.parent)
    if unfinished.name not in being_swapped(unfinished.parent):
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def _disk(target: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into an error that says what to do."""
    try:
        yield
    except RadcbirError:
        raise
    except OSError as error:
        raise StorageError(
            f"Expected to write the kit {target}, but the disk gave: {error.strerror or first_line(error)}. "
            "Free some space there, or name a folder that can be written."
        ) from error


def _inside(name: str) -> str:
    """``name`` if it is a path within a folder; where it is not, that is a mistake of the family that found it."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"Expected the name of a file within a folder, but name = {name!r}.")
    return name


def _write(path: Path, content: Path | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as handle:
        if isinstance(content, bytes):
            handle.write(content)
        else:
            with content.open("rb") as published:
                shutil.copyfileobj(published, handle, 2**20)
        handle.flush()
        os.fsync(handle.fileno())


def _write_weights(checkpoint: Checkpoint, folder: Path) -> str:
    """Write the weights as safetensors, tensor for tensor; safetensors are copied byte for byte. Their name."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = checkpoint.weights_path
    name = str(PurePosixPath(_inside(checkpoint.weights)).with_suffix(".safetensors"))
    target = folder / name
    if path.suffix == ".safetensors":
        _write(target, path)
        return name
    state = _unshared(read_weights(path))
    _write(target, b"")
    mode = target.stat().st_mode  # safetensors writes files that only their owner may read
    try:
        save_file(state, target, metadata={"format": "pt"})
    except SafetensorError as error:
        raise StorageError(
            f"Expected to write the weights {target}, but the disk gave: {first_line(error)}. "
            "Free some space there, or name another folder."
        ) from error
    target.chmod(mode)
    with target.open("rb+") as handle:
        os.fsync(handle.fileno())
    return name


def _unshared(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same tensors, each with memory of its own, as safetensors asks for."""
    owned: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in state.items():
        memory = tensor.untyped_storage()
        alone = memory.data_ptr() not in seen and memory.nbytes() == tensor.numel() * tensor.element_size()
        seen.add(memory.data_ptr())
        owned[name] = tensor.contiguous() if alone else tensor.detach().clone().contiguous()
    return owned


def _about(spec: str, encoder_id: str, origin: Path) -> dict[str, str]:
    """What people should know of an encoder: as the table says, else as the kit it comes from, else next to nothing."""
    entry = next((entry for entry in registry.known_encoders() if entry.encoder_id == encoder_id), None)
    kit = read_kit(origin) if origin.is_dir() else None
    before = kit.record if kit is not None and kit.whole else {}
    prefix, _, name = spec.partition(":")
    # A path means nothing on another machine, and may tell what it should not.
    folder = Path(name if prefix == "local-dir" else spec).name
    named = spec if prefix in _PREFIXES else folder
    return {
        "encoder_id": encoder_id,
        "title": entry.title if entry else str(before.get("title") or registry.title_of(spec)),
        "spec": entry.encoder_id if entry else str(before.get("spec") or named),
        "source": entry.source if entry else str(before.get("source") or named),
        "licence": entry.licence if entry else str(before.get("licence") or "not known to RadCBIR: see the source"),
        "citation": entry.citation if entry else str(before.get("citation") or ""),
    }


def _documents(about: Mapping[str, str], origin: Path, *, repository: str | None) -> dict[str, Path | bytes]:
    """What people should read: the licence by name, and the source's own licence and model card where it has them."""
    lines = [about["title"], f"Source: {about['source']}", f"Licence of the weights: {about['licence']}"]
    if about["citation"]:
        lines.append(f"Cite: {about['citation']}")
    documents: dict[str, Path | bytes] = {"LICENCE.txt": ("\n".join(lines) + "\n").encode()}
    a_kit = (origin / KIT).is_file()
    for name, candidates in (("LICENSE", _LICENCE_FILES), ("MODEL_CARD.md", ("MODEL_CARD.md", "README.md"))):
        # A kit's own LICENCE.txt is one that was written here, as it is written anew now.
        there = [origin / candidate for candidate in candidates if not (a_kit and candidate == "LICENCE.txt")]
        document = next((path for path in there if path.is_file()), None) or _from_hub(repository, candidates)
        if document is not None:
            documents[name] = document
    return documents


def _from_hub(repository: str | None, names: tuple[str, ...]) -> Path | None:
    if repository is None:
        return None
    try:
        return fetch_file(repository, names)
    except EncoderUnavailableError:
        return None  # many repositories have none; the licence is named in any case


def _repository(about: Mapping[str, str]) -> str | None:
    """The hub repository that an encoder comes from, or None."""
    named = re.search(r"huggingface\.co/([^/\s]+/[^/\s?,;)]+)", about["source"])
    if named:
        return named.group(1)
    prefix, _, name = about["spec"].partition("?")[0].partition(":")
    if prefix == "timm" and "/" not in name:
        name = f"timm/{name}"
    return name if prefix in {"hf-hub", "hf", "timm"} and is_repository(name) else None
