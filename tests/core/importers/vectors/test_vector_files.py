"""Files of vectors in each form: which are held, by which names, and reading some of them in any order."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers.vectors.vector_files import open_vectors, some

NAMES = [f"n{number:03d}" for number in range(40)]
VECTORS = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)


def write_h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, vector in zip(NAMES, VECTORS, strict=True):
            file[f"group/{name}"] = vector


def write_parquet(path: Path) -> None:
    kind = pa.list_(pa.float32(), 5)
    columns = {"image_id": NAMES, "features": pa.array(VECTORS.tolist(), kind), "note": [[1]] * 40}
    pq.write_table(pa.table(columns), path, row_group_size=7)


WRITERS = {
    "v.h5": write_h5,
    "v.npy": lambda path: np.save(path, VECTORS),
    "v.npz": lambda path: np.savez(path, vectors=VECTORS, other=VECTORS[:, :2], filepath=np.array(NAMES)),
    "v.PARQUET": write_parquet,
}


@pytest.mark.parametrize("name", WRITERS)
def test_some_vectors_in_any_order(tmp_path, name) -> None:
    WRITERS[name](tmp_path / name)
    file = open_vectors(tmp_path / name)
    assert (len(file), file.dimension, file.dtype, file.path) == (40, 5, np.float32, tmp_path / name)
    expected = {"v.h5": [f"group/{name}" for name in NAMES], "v.npy": None}.get(name, NAMES)
    assert file.keys == expected
    places = np.array([39, 0, 7, 7, 13, 14])
    vectors, reasons = file.read(places)
    np.testing.assert_array_equal(vectors, VECTORS[places])
    assert reasons == {}
    assert file.read(np.array([], dtype=np.int64))[0].shape == (0, 5)


def test_hdf5_of_mixed_shapes_takes_the_most_frequent(tmp_path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["a"] = np.ones((1, 3), np.float32)
        file["b"] = np.ones(3, np.float64)
        file["c"] = np.ones(3, np.float32)
        file["d"] = np.ones((3, 1), np.float32)
        file["e"] = np.arange(3)
        file["f"] = h5py.SoftLink("/nowhere")
        file["g"] = np.float32(1)
    vectors, reasons = (opened := open_vectors(tmp_path / "v.h5")).read(np.arange(7))
    assert (opened.dimension, opened.dtype) == (3, np.float32)
    assert vectors.tolist() == [[1.0] * 3] * 3 + [[0.0] * 3] * 4
    assert reasons[3] == "Expected a vector of dimension 3, but its shape is (3, 1)."
    assert reasons[4] == "Expected a floating-point vector, but its type is int64."
    assert reasons[5].startswith("Expected a readable data set, but HDF5 says: ")
    assert reasons[6] == "Expected a vector of dimension 3, but its shape is ()."


def test_names_in_other_bytes_than_utf_8(tmp_path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file[b"\xff.png"] = np.ones(3, np.float32)
    opened = open_vectors(tmp_path / "v.h5")
    assert opened.keys == ["\ufffd.png"]
    assert opened.read(np.array([0]))[0].tolist() == [[1, 1, 1]]


def test_big_endian_numbers_become_the_machines_own(tmp_path) -> None:
    np.save(tmp_path / "v.npy", VECTORS.astype(">f4"))
    opened = open_vectors(tmp_path / "v.npy")
    assert opened.read(np.array([3]))[0].dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(opened.read(np.array([3]))[0][0], VECTORS[3])


def test_parquet_with_gaps(tmp_path) -> None:
    lists = pa.array([[1.0, 2.0], None, [1.0], [3.0, 4.0]], pa.list_(pa.float64()))
    pq.write_table(pa.table({"path": list("abcd"), "x": lists}), tmp_path / "v.parquet")
    vectors, reasons = open_vectors(tmp_path / "v.parquet").read(np.array([3, 2, 1]))
    assert vectors.tolist() == [[3, 4], [0, 0], [0, 0]]
    assert reasons == {
        1: "Expected a vector of dimension 2, but it has 1 numbers.",
        2: "Expected a vector of dimension 2, but it has 0 numbers.",
    }
    pq.write_table(pa.table({"x": lists[1:2]}), tmp_path / "v.parquet")
    with pytest.raises(ManifestError, match=r"Expected vectors in the column x, but .* starts with empty ones"):
        open_vectors(tmp_path / "v.parquet")


def broken_files(source: Path) -> list[tuple[str, str]]:
    np.save(source / "flat.npy", np.zeros(3))
    np.save(source / "none.npy", np.zeros((0, 3)))
    np.save(source / "whole.npy", np.zeros((2, 3), int))
    np.save(source / "objects.npy", np.array([{}]), allow_pickle=True)
    np.savez(source / "two.npz", a=np.zeros((3, 2)), b=np.zeros((3, 2)))
    np.savez(source / "names.npz", embeddings=np.zeros((3, 2)), path=np.array(["a", "b"]))
    pq.write_table(pa.table({"path": ["a"], "x": [1.0]}), source / "none.parquet")
    for name in ("cut.npy", "cut.npz", "cut.parquet", "cut.h5"):
        (source / name).write_bytes(b"PAR1 and no more")
    with h5py.File(source / "text.h5", "w") as file:
        file["a"] = "text"
    with h5py.File(source / "empty.h5", "w"):
        pass
    (source / "words.txt.gz").write_bytes(b"")
    return [
        ("flat.npy", "holds float64 of shape (3,). Give the embeddings as such an array."),
        ("none.npy", "holds float64 of shape (0, 3)"),
        ("whole.npy", "holds int64 of shape (2, 3)"),
        ("objects.npy", "Expected a complete .npy file of numbers"),
        ("two.npz", "Expected one array of vectors called embeddings or embedding, but"),
        ("names.npz", "Expected one name a vector (3), but"),
        ("none.parquet", "has the columns path, x"),
        ("cut.npy", "Expected a complete .npy file"),
        ("cut.npz", "Expected a complete .npz file"),
        ("cut.parquet", "Expected a complete parquet file"),
        ("cut.h5", "Expected a complete .h5 file"),
        ("text.h5", "Expected floating-point vectors as data sets"),
        ("empty.h5", "Expected one HDF5 data set an image"),
        ("words.txt.gz", "Expected vectors in a file of .h5, .hdf5"),
        ("gone.npy", "cannot be read: No such file or directory. Copy or make it again."),
    ]


def test_files_without_usable_vectors(tmp_path) -> None:
    for name, words in broken_files(tmp_path):
        with pytest.raises(ManifestError) as caught:
            open_vectors(tmp_path / name)
        assert words in str(caught.value), name
        assert name in str(caught.value)


def test_a_few_names() -> None:
    assert [some(list("abcd")[:n]) for n in range(1, 5)] == ["a", "a, b", "a, b, c", "a, b, c and 1 more"]
