"""Files of vectors in each form: which are held, by which names, and reading some of them in any order."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radcbir_core.errors import ManifestError
from radcbir_core.importers.vectors import vector_files
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
    assert reasons[5] == "Expected a readable data set, but there is none: a link to nothing, or damaged."
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
        ("cut.npz", "Expected a whole ZIP archive"),
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


def external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("leak", shape=(5,), dtype="f4", external=[(str(secret), 0, 20)])


def external_storage_in_pieces(file: h5py.File, secret: Path) -> None:
    pieces = [(str(secret), 0, 8), (secret.name, 8, h5py.h5f.UNLIMITED)]
    file.create_dataset("deep/er/leak", shape=(5,), maxshape=(None,), dtype="f4", external=pieces)


def external_link(file: h5py.File, secret: Path) -> None:
    file["leak"] = h5py.ExternalLink(str(secret), "/vector")


def external_link_to_a_group(file: h5py.File, secret: Path) -> None:
    file["deep/leak"] = h5py.ExternalLink(str(secret), "/")


def soft_link_to_an_external_link(file: h5py.File, secret: Path) -> None:
    file["a"] = h5py.SoftLink("/z/leak")
    file["z/leak"] = h5py.ExternalLink(str(secret), "/vector")


def virtual_data_set(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout(shape=(5,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(secret), "vector", shape=(5,))
    file.create_virtual_dataset("leak", layout)


def soft_link_to_a_virtual_data_set(file: h5py.File, secret: Path) -> None:
    virtual_data_set(file, secret)
    file["a"] = h5py.SoftLink("/leak")


@pytest.mark.parametrize(
    ("lead_out", "what"),
    [
        (external_storage, "external storage"),
        (external_storage_in_pieces, "external storage"),
        (external_link, "a link to another file"),
        (external_link_to_a_group, "a link to another file"),
        (soft_link_to_an_external_link, "a link to another file"),
        (virtual_data_set, "a virtual data set"),
        (soft_link_to_a_virtual_data_set, "a virtual data set"),
    ],
)
def test_hdf5_that_leads_to_another_file_is_refused_as_a_whole(tmp_path, lead_out, what) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["vector"] = VECTORS[0]
    write_h5(tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5", "a") as file:
        lead_out(file, tmp_path / "secret.h5")
    with pytest.raises(ManifestError, match=rf"v\.h5 has '(a|.*leak)', which is {what}\. Save the vectors themselves"):
        open_vectors(tmp_path / "v.h5")


def test_among_many_data_sets_one_that_leads_out_is_refused_before_it_is_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("radcbir_core.importers.vectors.vector_files._CHECKED_AT_ONCE", 2)
    monkeypatch.setattr("radcbir_core.importers.vectors.vector_files._LOOKED_AT", 2)
    (tmp_path / "secret").write_bytes(b"secret" * 10)
    write_h5(tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5", "a") as file:
        del file["group/n003"]
        file.create_dataset("group/n003", shape=(5,), dtype="f4", external=[(str(tmp_path / "secret"), 0, 20)])
    vectors = open_vectors(tmp_path / "v.h5")
    vectors.read(np.arange(3))
    with pytest.raises(ManifestError, match="'group/n003', which is external storage"):
        vectors.read(np.arange(5))


def test_hdf5_of_every_layout_that_is_its_own_is_read(tmp_path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["contiguous"] = VECTORS[0]
        file.create_dataset("gzip", data=VECTORS[1], compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("lzf", data=VECTORS[2], compression="lzf")
        file.create_dataset("unfilled", shape=(5,), dtype="f4", fillvalue=2)
        file["zsoft"] = h5py.SoftLink("/gzip")
        compact = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        compact.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((5,))
        low = h5py.h5d.create(file.id, b"compact", h5py.h5t.NATIVE_FLOAT, space, dcpl=compact)
        low.write(h5py.h5s.ALL, h5py.h5s.ALL, VECTORS[3])
    opened = open_vectors(tmp_path / "v.h5")
    assert opened.keys == ["compact", "contiguous", "gzip", "lzf", "unfilled", "zsoft"]
    vectors, reasons = opened.read(np.arange(6))
    assert reasons == {}
    np.testing.assert_array_equal(vectors, [*VECTORS[[3, 0, 1, 2]], [2] * 5, VECTORS[1]])


def test_a_filter_that_is_a_plugin_is_refused(tmp_path) -> None:
    optional = h5py.h5z.FLAG_OPTIONAL
    with h5py.File(tmp_path / "v.h5", "w") as file:
        how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        how.set_chunk((5,))
        how.set_filter(32001, optional)
        h5py.h5d.create(file.id, b"blosc", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((5,)), dcpl=how)
    with pytest.raises(ManifestError, match=r"'blosc' with filter 32001, which is a plugin\. Save it again with gzip"):
        open_vectors(tmp_path / "v.h5")


def test_references_are_no_vectors(tmp_path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["a"] = VECTORS[0]
        file["b"] = np.array([file["a"].ref] * 5, dtype=h5py.ref_dtype)
        file["c"] = np.array([file["a"].regionref[:2]] * 5, dtype=h5py.regionref_dtype)
    _, reasons = open_vectors(tmp_path / "v.h5").read(np.arange(3))
    assert reasons == dict.fromkeys((1, 2), "Expected a floating-point vector, but its type is object.")


def test_a_shape_that_nobody_filled_is_no_vector(tmp_path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("a", shape=(10**12,), dtype="f4", chunks=(4096,))
    with pytest.raises(ManifestError, match=r"at most 65,536 numbers, but those in .* have 1,000,000,000,000"):
        open_vectors(tmp_path / "v.h5")


def test_an_npz_that_is_none_is_one_line_whatever_it_is(tmp_path) -> None:
    bomb, damaged, objects = (tmp_path / name for name in ("bomb.npz", "damaged.npz", "objects.npz"))
    np.savez_compressed(bomb, embeddings=np.zeros((20_000, 1024), np.float32))
    with pytest.raises(ManifestError, match="as a ZIP bomb does"):
        open_vectors(bomb)
    np.savez_compressed(damaged, embeddings=VECTORS)
    content = bytearray(damaged.read_bytes())
    content[80:200] = b"\xff" * 120
    damaged.write_bytes(bytes(content))
    with pytest.raises(ManifestError, match=r"damaged\.npz"):
        open_vectors(damaged)
    np.savez(objects, embeddings=np.array([{}], dtype=object))
    with pytest.raises(ManifestError, match=r"Expected a complete \.npz file of arrays"):
        open_vectors(objects)


def test_an_npy_whose_header_is_no_header_is_one_line(tmp_path) -> None:
    text = b"-" * 117 + b"\n"
    (tmp_path / "v.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(ManifestError, match=r"Expected a complete \.npy file of numbers"):
        open_vectors(tmp_path / "v.npy")


def test_parquet_whose_pages_are_damaged_is_one_line(tmp_path) -> None:
    write_parquet(tmp_path / "v.parquet")
    content = bytearray((tmp_path / "v.parquet").read_bytes())
    content[4:200] = b"\xff" * 196
    (tmp_path / "v.parquet").write_bytes(bytes(content))
    with pytest.raises(ManifestError, match="Expected a complete parquet file"):
        open_vectors(tmp_path / "v.parquet").read(np.arange(40))


@pytest.mark.parametrize("stored", ["<f2", ">f4", "<f8"])
def test_an_npy_is_read_where_it_is_asked_for(tmp_path, stored) -> None:
    """In one go, in several, one by one, and where the numbers of a column follow each other."""
    whole = np.random.default_rng(0).normal(size=(500, 3)).astype(stored)
    np.save(tmp_path / "v.npy", whole)
    np.save(tmp_path / "f.npy", np.asfortranarray(whole))
    asked = [np.arange(500), np.r_[3:90, 95:400, 499], np.arange(0, 500, 3), np.array([7, 2, 2]), np.array([], int)]
    for name in ("v.npy", "f.npy"):
        opened = open_vectors(tmp_path / name)
        for places in asked:
            vectors, bad = opened.read(places)
            np.testing.assert_array_equal(vectors, whole[places])
            assert (vectors.dtype.isnative, vectors.flags.writeable, bad) == (True, True, {})


def test_an_npy_that_is_cut_off_after_it_was_opened(tmp_path) -> None:
    np.save(tmp_path / "v.npy", np.ones((500, 3)))
    opened = open_vectors(tmp_path / "v.npy")
    with (tmp_path / "v.npy").open("rb+") as handle:
        handle.truncate(1000)
    with pytest.raises(ManifestError, match="is cut off"):
        opened.read(np.arange(500))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_large_array_of_an_npz_is_read_where_it_lies(tmp_path, monkeypatch, save) -> None:
    monkeypatch.setattr(vector_files, "_LARGE", 1000)
    whole = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    names = [f"{number}.png" for number in range(500)]
    path = tmp_path / "v.npz"
    save(path, embeddings=whole, filepath=names, other=np.zeros((400, 4), int))
    opened = open_vectors(path)
    assert opened.keys == names
    for places in (np.arange(500), np.arange(0, 500, 3), np.array([9, 4])):
        np.testing.assert_array_equal(opened.read(places)[0], whole[places])
    save(path, embeddings=np.asfortranarray(whole))
    np.testing.assert_array_equal(open_vectors(path).read(np.arange(500))[0], whole)
    save(path, embeddings=np.array([{}] * 500, dtype=object))
    with pytest.raises(ManifestError, match="without pickled objects"):
        open_vectors(path)


def test_a_large_array_of_an_npz_with_other_bytes_than_were_written_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(vector_files, "_LARGE", 1000)
    path = tmp_path / "v.npz"
    np.savez(path, embeddings=np.ones((500, 3)))
    content = bytearray(path.read_bytes())
    content[6000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ManifestError, match=r"Expected a complete \.npz file"):
        open_vectors(path)
