"""The pass over the images: what it writes, how it resumes, what fails."""

from __future__ import annotations

import errno
import json
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

import radcbir_core.embed as embedding
from radcbir_core.collections.artifacts import ARTIFACT_NAMES, EMBEDDINGS, NEIGHBORS, Standing
from radcbir_core.collections.collection import Collection, open_collection
from radcbir_core.embed import embed, is_current, mend_thumbnails
from radcbir_core.encoders import load_encoder
from radcbir_core.errors import CollectionError, StorageError
from radcbir_core.images import DECODING
from radcbir_core.images.decoding import decoding_process
from radcbir_core.images.thumbnailing import thumbnail_of
from radcbir_core.importers import import_collection
from radcbir_core.pipeline import build_collection
from radcbir_core.storage import atomic_path
from tests.kept_embeddings import kept_embeddings


@pytest.fixture
def collection(tmp_path, small_source, monkeypatch):
    monkeypatch.setenv("RADCBIR_DATA", str(tmp_path / "data"))
    shutil.copytree(small_source, tmp_path / "source")
    return import_collection([tmp_path / "source"], name="c").collection


@pytest.fixture
def small_shards(monkeypatch) -> int:
    """Several shards from a few images."""
    for module in ("radcbir_core.embed", "radcbir_core.collections.thumbnails"):
        monkeypatch.setattr(f"{module}.SHARD_ROWS", 16)
    return 16


def written(collection) -> tuple[bytes, ...]:
    folder = collection.encoder_folder("pixels")
    thumbnails = sorted((collection.folder / "thumbnails").iterdir())
    return (folder / "embeddings.npy").read_bytes(), *(path.read_bytes() for path in thumbnails)


def test_embeddings_are_the_encoder_s_in_the_order_of_the_manifest(collection) -> None:
    encoder = load_encoder("pixels")
    assert not is_current(collection, encoder)
    report = embed(collection, encoder)
    assert (report.images, report.failed, report.resumed_rows) == (len(collection), 0, 0)
    assert is_current(collection, encoder)
    store = collection.store("pixels")
    expected = encoder.encode_images([collection.read_image(row).pixels for row in range(len(collection))])
    assert kept_embeddings(store).dtype == np.float16
    np.testing.assert_array_equal(kept_embeddings(store), expected.astype(np.float16))
    np.testing.assert_allclose(np.linalg.norm(kept_embeddings(store).astype(np.float32), axis=1), 1, atol=1e-3)
    record = json.loads((store.folder / "encoder.json").read_text())
    assert record["fingerprint"] == encoder.fingerprint
    assert record["preprocessing"] == encoder.preprocessing.as_dict()
    assert record["versions"]["numpy"] == np.__version__
    assert store.states() == dict.fromkeys(ARTIFACT_NAMES, "missing") | {"embeddings": "current"}


def test_the_version_of_decoding_is_recorded(collection, small_shards) -> None:
    encoder = load_encoder("pixels")
    encoder.batch_size = 5

    def stop(step: str, done: int, total: int) -> None:
        if done > small_shards:
            raise Killed

    with pytest.raises(Killed):
        embed(collection, encoder, progress=stop)
    note = collection.layout.encoder("pixels").unfinished(EMBEDDINGS) / "made_of.json"
    parts = json.loads(note.read_text())
    assert parts.pop("decoding") == DECODING
    # A version that recorded none began: its shards are kept, and the whole counts as decoded by the first.
    note.write_text(json.dumps(parts))
    assert embed(collection, encoder).resumed_rows
    store = collection.store("pixels")
    assert (store.decoding, store.record["decoding"]) == (1, 1)
    assert is_current(collection, encoder)
    embed(collection, encoder)
    assert collection.store("pixels").decoding == DECODING


def test_thumbnails_are_made_once_and_are_aligned(collection) -> None:
    assert collection.thumbnail(0) is None
    embed(collection, load_encoder("pixels"))
    for row in (0, 7, len(collection) - 1):
        assert collection.thumbnail(row) == thumbnail_of(collection.read_image(row).pixels)
    before = written(collection)[1:]
    shutil.rmtree(collection.encoder_folder("pixels"))
    embed(open_collection("c"), load_encoder("pixels"))
    assert written(collection)[1:] == before


class Killed(BaseException):
    """Stands for a signal: nothing in the code may catch it."""


@pytest.mark.parametrize("stop_at", [1, 17, 40, 61])
def test_stopped_and_started_again_it_ends_with_the_same_bytes(collection, small_shards, stop_at, tmp_path) -> None:
    encoder = load_encoder("pixels")
    encoder.batch_size = 5
    embed(collection, encoder)
    whole = written(collection)
    shutil.rmtree(collection.encoder_folder("pixels"))
    shutil.rmtree(collection.folder / "thumbnails")
    collection = open_collection("c")

    def stop(step: str, done: int, total: int) -> None:
        if done >= stop_at:
            raise Killed

    with pytest.raises(Killed):
        embed(collection, encoder, progress=stop)
    assert not is_current(collection, encoder)
    told: list[int] = []
    report = embed(open_collection("c"), encoder, progress=lambda step, done, total: told.append(done))
    assert report.resumed_rows == (stop_at - 1) // small_shards * small_shards == told[0]
    assert told[-1] == len(collection)
    assert told == sorted(told)
    assert written(collection) == whole


def test_unfinished_shards_of_another_version_are_not_used(collection, small_shards) -> None:
    encoder = load_encoder("pixels")

    def stop(step: str, done: int, total: int) -> None:
        if done > small_shards:
            raise Killed

    encoder.batch_size = 5
    with pytest.raises(Killed):
        embed(collection, encoder, progress=stop)
    encoder.fingerprint = "0" * 64
    assert embed(collection, encoder).resumed_rows == 0


def test_embeddings_of_another_encoder_version_are_stale_and_made_again(collection) -> None:
    encoder = load_encoder("pixels")
    embed(collection, encoder)
    first = collection.store("pixels")
    for path in first.layout.files(NEIGHBORS):
        np.save(path, np.zeros((1, 1)))
    first.mark(NEIGHBORS)
    assert first.is_current(EMBEDDINGS, NEIGHBORS)
    encoder.fingerprint = "0" * 64
    assert not is_current(collection, encoder)
    original = encoder.encode_prepared
    encoder.encode_prepared = lambda inputs: original(inputs)[:, ::-1]
    embed(collection, encoder)
    second = collection.store("pixels")
    assert is_current(collection, encoder)
    assert second.evaluated != first.evaluated
    assert second.standings()["neighbors"] == Standing("stale", "embeddings were made again since, and are others")


def test_images_that_fail_are_listed_and_the_rest_goes_on(collection) -> None:
    (collection.image_path(3)).unlink()
    collection.image_path(5).write_bytes(b"no longer an image")
    flat = Image.fromarray(np.full((20, 20), 77, dtype=np.uint8))
    flat.save(collection.image_path(8))
    report = embed(collection, load_encoder("pixels"))
    assert report.failed == 3
    store = collection.store("pixels")
    assert np.flatnonzero(~store.valid).tolist() == [3, 5, 8]
    assert not kept_embeddings(store)[[3, 5, 8]].any()
    assert collection.thumbnail(3) is None
    assert collection.thumbnail(8) is not None
    problems = collection.problems()
    ours = problems[problems["source"] == "build pixels"]
    assert ours["image_id"].tolist() == [collection.manifest.record(row)["image_id"] for row in (3, 5, 8)]
    assert "is not there" in ours["reason"].iloc[0]
    assert "one flat color" in ours["reason"].iloc[2]
    shutil.rmtree(store.folder)
    embed(collection, load_encoder("pixels"))
    assert len(collection.problems()) == len(problems), "the same problem is not listed twice"


@pytest.mark.parametrize("step", ["write_array", "_list_problems", "_describe"])
def test_killed_while_another_version_takes_the_place_nothing_is_taken_for_current(
    collection, monkeypatch, step
) -> None:
    (collection.image_root / "chest_01.png").write_bytes(b"no image any more")
    encoder = load_encoder("pixels")
    embed(collection, encoder)
    before = written(collection)
    (collection.folder / "problems.csv").unlink()
    monkeypatch.setattr(encoder, "fingerprint", "another")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    real = getattr(embedding, step)
    with monkeypatch.context() as patch:
        # Shards are written by write_array too: only the whole is killed.
        patch.setattr(embedding, step, lambda path, *a, **k: real(path, *a, **k) if "shards" in str(path) else killed())
        with pytest.raises(KeyboardInterrupt):
            embed(collection, encoder)
    assert collection.store("pixels").states()["embeddings"] == "missing"
    embed(collection, encoder)
    assert collection.store("pixels").is_current(EMBEDDINGS)
    assert written(collection) == before
    assert collection.problems()["image_id"].str.contains("chest_01").any(), "what failed is listed"


def test_nothing_to_embed_is_an_error_and_leaves_no_embeddings(collection) -> None:
    shutil.rmtree(collection.image_root)
    with pytest.raises(CollectionError, match="all 61 of c failed; the first: Expected the image file"):
        embed(collection, load_encoder("pixels"))
    assert collection.encoder_ids() == []


def test_a_full_disk_keeps_finished_shards(collection, small_shards) -> None:
    """The third shard does not fit; with space again, the first two are not made anew."""
    real, written_shards = embedding.write_array, []

    def full(path, chunks, **options) -> None:
        if path.parent.name == "shards":
            written_shards.append(path)
            if len(written_shards) == 3:
                with atomic_path(path):
                    raise OSError(errno.ENOSPC, "No space left on device")
        real(path, chunks, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "write_array", full)
        with pytest.raises(StorageError, match="space left on the disk, but there is none"):
            embed(collection, load_encoder("pixels"))
    assert embed(collection, load_encoder("pixels")).resumed_rows == 2 * small_shards


def test_images_are_decoded_in_other_processes_and_only_once(collection, small_shards, monkeypatch) -> None:
    asked: list[tuple[str, bool]] = []
    lock = threading.Lock()
    real = decoding_process.ask

    def ask(request, **options):
        with lock:
            asked.extend((file["path"], request["thumbnails"]) for file in request["files"])
        assert len(request["files"]) <= 7
        return real(request, **options)

    monkeypatch.setattr(embedding, "_FILES_TOGETHER", 7)
    monkeypatch.setattr(decoding_process, "ask", ask)
    embed(collection, load_encoder("pixels"), workers=2)
    paths = sorted(str(collection.image_path(row)) for row in range(len(collection)))
    assert sorted(asked) == [(path, True) for path in paths]
    asked.clear()
    shutil.rmtree(collection.encoder_folder("pixels"))
    embed(open_collection("c"), load_encoder("pixels"), workers=2)
    assert sorted(asked) == [(path, False) for path in paths], "thumbnails that are there are not made again"


def test_two_builds_of_the_same_never_mix(collection) -> None:
    other = open_collection("c").building("pixels")
    with collection.building("pixels"), pytest.raises(CollectionError, match="another process is"):
        other.__enter__()
    with collection.building("pixels"):
        pass


def test_thumbnails_that_are_damaged_are_made_anew_and_the_others_stay(collection, small_shards, monkeypatch) -> None:
    build_collection(collection, load_encoder("pixels"))
    before = written(collection)
    folder = collection.folder / "thumbnails"
    content = bytearray((folder / "000001.bin").read_bytes())
    content[30] ^= 0xFF  # of the first row of the second shard
    (folder / "000001.bin").write_bytes(content)
    (folder / "000002.npy").unlink()
    read = []
    read_image = Collection.read_image
    monkeypatch.setattr(Collection, "read_image", lambda self, row: read.append(row) or read_image(self, row))
    build_collection(open_collection("c"), load_encoder("pixels"))
    assert sorted(read) == [small_shards, *range(2 * small_shards, 3 * small_shards)]
    assert written(collection) == before
    read.clear()
    assert mend_thumbnails(open_collection("c")) == 0
    assert not read


def test_thumbnails_without_images_at_hand_stay_as_they_are(collection, small_shards, tmp_path) -> None:
    build_collection(collection, load_encoder("pixels"))
    path = collection.folder / "thumbnails" / "000001.bin"
    content = bytearray(path.read_bytes())
    content[30] ^= 0xFF
    path.write_bytes(content)
    shutil.rmtree(tmp_path / "source")
    assert mend_thumbnails(open_collection("c")) == 0
    assert path.read_bytes() == content
