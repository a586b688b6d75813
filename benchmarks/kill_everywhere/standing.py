"""What stands in a data folder: read as the next start reads it, in a form that can be compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Final

Standing = dict[str, Any]

_TOLD: Final = ("title", "image_root", "images", "problems", "changes", "licences", "corrections", "archive")


def standing_of(work: Path) -> Standing:
    """What the next start finds: the list, each collection as it opens, and what the doctor says is wrong.

    Raises:
        RadcbirError: A collection does not open.
        AssertionError: What cannot be is there.
    """
    from radcbir_core.collections.inventory import listed
    from radcbir_core.collections.layout import list_collections
    from radcbir_core.doctor import check_collections

    names = list_collections()
    damaged = {one.name: one.error for one in listed() if one.error}
    assert not damaged, f"damaged: {damaged}"
    assert [one.name for one in listed()] == names
    failed = [finding for finding in check_collections() if finding.result == "failed"]
    assert not failed, f"the doctor: {failed}"
    files = {path.name: _content(path) for path in sorted((work / "out").iterdir()) if not path.name.startswith(".")}
    return {"collections": {name: _collection(name) for name in names}, "files": files}


def _collection(name: str) -> Standing:
    from radcbir_core.collections.collection import open_collection
    from radcbir_core.collections.corrections import read_corrections
    from radcbir_core.collections.reader_studies.study_definition import list_studies
    from radcbir_core.collections.reviews.review_log import read_log

    collection = open_collection(name)
    table = collection.manifest.table
    assert len(collection) == table.num_rows
    history = read_corrections(collection)
    reviews = read_log(collection.folder)
    assert not reviews.damaged, reviews.damaged
    told = {key: collection.record.get(key) for key in _TOLD}
    if isinstance(told["archive"], dict):
        told["archive"] = {key: value for key, value in told["archive"].items() if key != "opened"}
    salt = collection.folder / "salt"
    return told | {
        "manifest": _digest(repr(table.to_pydict())),
        "history": history.drop(columns=["when", "source"]).values.tolist(),
        "reviews": sorted((entry.kind, entry.image_id, entry.text, entry.by) for entry in reviews.entries),
        "studies": {study: _study(collection.folder, study) for study in list_studies(collection.folder)},
        "problems": collection.problems().drop(columns="source").values.tolist(),
        "text": [collection.blacks_out, collection.burned_text().found.states.tolist()],
        "thumbnails": [_digest(collection.thumbnail(row)) for row in range(len(collection))],
        "private": [_private(path) for path in sorted(collection.folder.glob("*salt*"))] + [salt.exists()],
        "encoders": {encoder_id: _encoder(collection, encoder_id) for encoder_id in collection.encoder_ids()},
    }


def _study(folder: Path, name: str) -> list[Any]:
    """A study and what its readers have done, but for when."""
    from radcbir_core.collections.reader_studies.reading_log import read_readings
    from radcbir_core.collections.reader_studies.study_definition import read_study

    log = read_readings(folder, name)
    assert not log.damaged, log.damaged
    done = sorted((entry.kind, entry.reader, entry.number, entry.step, entry.answer) for entry in log.entries)
    return [repr(read_study(folder, name).cases), done]


def _private(path: Path) -> tuple[str, int, int]:
    return path.name, path.stat().st_mode & 0o777, len(path.read_bytes())


def _encoder(collection: Any, encoder_id: str) -> dict[str, str]:
    """Each artifact: "current" with its content, or why it is not."""
    from radcbir_core.collections.artifacts import BY_NAME, EMBEDDINGS, EVALUATION, INDEX
    from radcbir_core.collections.layout import STANDARD_MAP
    from radcbir_core.evaluation import evaluation_on
    from radcbir_core.search.opening import vectors_of

    store = collection.store(encoder_id)
    found = {}
    for name, standing in store.standings().items():
        artifact = BY_NAME[name]
        if standing.state != "current":
            found[name] = "not current"
        elif artifact is EVALUATION:
            kept = evaluation_on(store, "precision").kept(store)
            found[name] = "current" if kept is None or len(kept.table) else "empty"
        elif artifact is INDEX:
            found[name] = "current"  # its bytes differ from build to build; that it opens is seen by searching
        else:
            found[name] = f"current {_digest(*(path.read_bytes() for path in store.layout.files(artifact)))}"
        if artifact is EMBEDDINGS and standing.state == "current":
            assert vectors_of(store).shape[0] == len(collection)
    for name in sorted(set(store.maps()) - {STANDARD_MAP}):
        fault, facts = store.map_fault(name), sorted(store.map_facts(name).items())
        found[f"map {name}"] = "not current" if fault else f"current {_digest(repr(facts), _places(store, name))}"
    return found | {"fingerprint": str(store.record.get("fingerprint"))}


def _places(store: Any, name: str) -> bytes:
    table = store.projection(name)
    return bytes(table.to_numpy().tobytes())


def is_between(now: Standing, old: Standing, new: Standing) -> bool:
    """Whether what is made is there in part: each file and each artifact as before, as after, or known to be stale."""
    if set(now["collections"]) != set(new["collections"]):
        return False
    if any(content not in (old["files"].get(name), new["files"].get(name)) for name, content in now["files"].items()):
        return False
    for name, told in now["collections"].items():
        before, after = old["collections"][name], new["collections"][name]
        for key in set(told) - {"encoders", "thumbnails"}:
            if told[key] not in (before[key], after[key]):
                return False
        pairs = zip(before["thumbnails"], after["thumbnails"], strict=True)
        if any(one not in pair for one, pair in zip(told["thumbnails"], pairs, strict=True)):
            return False
        for encoder_id, artifacts in told["encoders"].items():
            one, other = before["encoders"].get(encoder_id, {}), after["encoders"].get(encoder_id, {})
            if any(state not in ("not current", one.get(key), other.get(key)) for key, state in artifacts.items()):
                return False
    return True


def _digest(*parts: bytes | str | None) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(b"none" if part is None else part.encode() if isinstance(part, str) else part)
    return total.hexdigest()[:16]


def _content(path: Path) -> str:
    """A file's content; of an archive, its members, for it says when it was made."""
    import zipfile

    if path.suffix != ".zip":
        return _digest(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = sorted(name for name in archive.namelist() if not name.endswith(".json") and name != "members.csv")
        return _digest(*(name.encode() + archive.read(name) for name in names if not name.endswith(".csv")))
