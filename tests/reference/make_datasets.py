#!/usr/bin/env python3
"""Makes the HDF5 files in testdata/datasets with h5py, the library that datasets come from.

    python3 tests/reference/make_datasets.py        (needs h5py and NumPy)

The values are simple on purpose, so that tests can state them: element e of input j of record r is
100 * r + 10 * j + e / 4 for floats and 100 * r + 10 * j + e for integers; bools alternate.
"""

from pathlib import Path

import h5py
import numpy as np

OUT = Path(__file__).resolve().parents[2] / "testdata" / "datasets"


def floats(record, input, shape, dtype="<f4"):
    elements = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return (100 * record + 10 * input + elements / 4).astype(dtype)


def integers(record, input, shape, dtype):
    elements = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return (100 * record + 10 * input + elements).astype(dtype)


def bools(record, shape):
    elements = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    return (elements + record) % 2 == 1


# What `h5py.File` writes unless asked otherwise, and a newer form that takes much less space.
DEFAULT = ("earliest", "v110")
COMPACT = ("v110", "v110")


def create(name, libver=COMPACT):
    return h5py.File(OUT / name, "w", libver=libver)


def write(parent, name, data, **options):
    # Without times, the same run gives the same bytes.
    parent.create_dataset(name, data=data, track_times=False, **options)


def simple(name, records, make, raw=None, names=None, libver=COMPACT):
    """A file of one-input records; `make(record)` gives the data."""
    with create(name, libver) as file:
        value = file.create_group("value")
        if raw is not None:
            value.attrs["rawData"] = raw
        for record in range(records):
            group = value.create_group(names[record] if names else str(record))
            if libver == DEFAULT:
                group.attrs["desc"] = f"Input data {record}"
            write(group, "0", make(record))


def all_types(name, order):
    """FLOAT32 [2, 3], INT32 [2], INT64 [3] in one byte order, BOOL [4]."""
    with create(name, DEFAULT) as file:
        value = file.create_group("value")
        for record in range(3):
            group = value.create_group(str(record))
            write(group, "0", floats(record, 0, (2, 3), order + "f4"))
            write(group, "1", integers(record, 1, (2,), order + "i4"))
            write(group, "2", integers(record, 2, (3,), order + "i8") * 2**32)
            write(group, "3", bools(record, (4,)))


def stack(records, make):
    """The records as one array, whose first axis counts them."""
    return np.stack([make(record) for record in range(records)])


def packed(name, inputs, raw=None, **options):
    """A file with a dataset per input, given by name."""
    with create(name) as file:
        value = file.create_group("value")
        if raw is not None:
            value.attrs["rawData"] = raw
        for key, data in inputs.items():
            write(value, key, data, **options)


def packed_types(order):
    """The records of `all_types`, packed."""
    return [
        stack(3, lambda r: floats(r, 0, (2, 3), order + "f4")),
        stack(3, lambda r: integers(r, 1, (2,), order + "i4")),
        stack(3, lambda r: integers(r, 2, (3,), order + "i8") * 2**32),
        stack(3, lambda r: bools(r, (4,))),
    ]


def flip_byte(name, place):
    content = bytearray((OUT / name).read_bytes())
    content[place] ^= 0xFF
    (OUT / name).write_bytes(content)


def main():
    OUT.mkdir(parents=True, exist_ok=True)

    # Good ones.
    simple("f32.h5", 4, lambda r: floats(r, 0, (2, 3)), libver=DEFAULT)
    simple("many.h5", 12, lambda r: floats(r, 0, (2, 3)), libver=DEFAULT)
    all_types("types-le.h5", "<")
    all_types("types-be.h5", ">")
    simple("scalar.h5", 2, lambda r: np.float32(r + 0.5))
    simple("raw.h5", 2, lambda r: np.frombuffer(floats(r, 0, (2, 3)).tobytes(), "u1"), raw="1")
    simple("raw-int8.h5", 2, lambda r: np.frombuffer(floats(r, 0, (2, 3)).tobytes(), "i1"), raw="1")
    with create("chunked-gzip.h5") as file:
        value = file.create_group("value")
        for record in range(2):
            options = dict(chunks=(1, 16), compression="gzip", shuffle=True, fletcher32=True)
            write(value.create_group(str(record)), "0", floats(record, 0, (8, 32)), **options)
    with create("dense-links.h5") as file:
        value = file.create_group("value", track_order=True)
        for record in range(12):
            write(value.create_group(str(record)), "0", floats(record, 0, (2, 3)))

    # Packed ones.
    names = ["image", "ids", "keys", "mask"]
    packed("packed-le.h5", {str(i): data for i, data in enumerate(packed_types("<"))})
    packed("packed-be.h5", {str(i): data for i, data in enumerate(packed_types(">"))})
    packed("packed-names.h5", dict(zip(names, packed_types("<"))))
    packed("packed-scalar.h5", {"0": np.arange(2, dtype="<f4") + np.float32(0.5)})
    as_bytes = stack(2, lambda r: np.frombuffer(floats(r, 0, (2, 3)).tobytes(), "u1"))
    packed("packed-raw.h5", {"0": as_bytes}, raw="1")
    packed("packed-raw-int8.h5", {"0": as_bytes.view("i1")}, raw="1")
    options = dict(chunks=(4, 3, 16), compression="gzip", shuffle=True, fletcher32=True)
    data = stack(10, lambda r: floats(r, 0, (8, 32)))
    packed("packed-gzip.h5", {"0": data}, maxshape=(None, 8, 32), **options)

    # Packed and bad.
    data = stack(3, lambda r: floats(r, 0, (2, 3)))
    packed("packed-mixed.h5", {"0": data})
    with h5py.File(OUT / "packed-mixed.h5", "a") as file:
        write(file.create_group("value/1"), "0", floats(1, 0, (2, 3)))
    packed("packed-counts.h5", {"0": data, "1": data[:2], "2": data[:1]})
    packed("packed-none.h5", {"0": data[:0]})
    packed("packed-stray.h5", {"0": data, "labels": np.arange(3, dtype="<i4")})
    # A chunk whose checksum is wrong: that of records 4 and 5.
    packed("packed-bad-chunk.h5", {"0": stack(8, lambda r: floats(r, 0, (2, 3)))},
           chunks=(2, 2, 3), fletcher32=True)
    with h5py.File(OUT / "packed-bad-chunk.h5") as file:
        place = file["value/0"].id.get_chunk_info_by_coord((4, 0, 0)).byte_offset
    flip_byte("packed-bad-chunk.h5", place)

    # Bad as a whole.
    with create("no-value.h5") as file:
        file.create_group("values")
    with create("value-is-dataset.h5") as file:
        write(file, "value", floats(0, 0, (2, 3)))
    with create("empty.h5") as file:
        file.create_group("value")
    simple("gap.h5", 3, lambda r: floats(r, 0, (2, 3)), names=["0", "1", "3"])
    simple("padded-names.h5", 3, lambda r: floats(r, 0, (2, 3)), names=["00", "01", "02"])
    simple("extra-object.h5", 2, lambda r: floats(r, 0, (2, 3)))
    with h5py.File(OUT / "extra-object.h5", "a") as file:
        write(file["value"], "labels", integers(0, 0, (2,), "<i4"))
    simple("float64.h5", 2, lambda r: floats(r, 0, (2, 3), "<f8"))
    simple("float16.h5", 2, lambda r: floats(r, 0, (2, 3), "<f2"))
    simple("uint8.h5", 2, lambda r: integers(r, 0, (2, 3), "u1"))
    simple("strings.h5", 1, lambda r: np.array([b"ab", b"c"]))
    simple("long-strings.h5", 1, lambda r: np.array([b"a long string", b"c"]))
    simple("raw-floats.h5", 2, lambda r: floats(r, 0, (2, 3)), raw="1")
    simple("raw-short.h5", 2, lambda r: np.arange(23 + r, dtype="u1"), raw="1")

    # Bad in one or some records.
    simple("one-wrong-shape.h5", 4, lambda r: floats(r, 0, (3, 2) if r == 2 else (2, 3)))
    simple("one-wrong-type.h5", 4, lambda r: floats(r, 0, (2, 3), "<i4" if r == 1 else "<f4"))
    simple("one-wrong-rank.h5", 4, lambda r: floats(r, 0, (6,) if r == 3 else (2, 3)))
    with create("one-wrong-count.h5") as file:
        value = file.create_group("value")
        for record in range(3):
            group = value.create_group(str(record))
            for input in range(2 if record == 1 else 1):
                write(group, str(input), floats(record, input, (2, 3)))
    with create("misnamed-input.h5") as file:
        write(file.create_group("value/0"), "image", floats(0, 0, (2, 3)))
    with create("record-is-dataset.h5") as file:
        value = file.create_group("value")
        write(value.create_group("0"), "0", floats(0, 0, (2, 3)))
        write(value, "1", floats(1, 0, (2, 3)))
    with create("null-space.h5") as file:
        file.create_group("value/0").create_dataset("0", data=h5py.Empty("<f4"))
    # A bool whose byte is 2: valid HDF5 that h5py itself does not write.
    with create("bad-bool.h5") as file:
        value = file.create_group("value")
        for record in range(2):
            group = value.create_group(str(record))
            write(group, "0", bools(record, (4,)))
            if record == 1:
                stored = group["0"].id
                values = np.array([0, 1, 2, 1], "i1")
                stored.write(h5py.h5s.ALL, h5py.h5s.ALL, values, stored.get_type())
    # A chunk whose checksum is wrong.
    name = "bad-chunk.h5"
    with create(name) as file:
        value = file.create_group("value")
        for record in range(3):
            options = dict(chunks=(2, 3), fletcher32=True)
            write(value.create_group(str(record)), "0", floats(record, 0, (2, 3)), **options)
        place = value["1/0"].id.get_chunk_info(0).byte_offset
    flip_byte(name, place)

    total = sum(path.stat().st_size for path in OUT.glob("*.h5"))
    print(f"{len(list(OUT.glob('*.h5')))} files, {total} bytes")


if __name__ == "__main__":
    main()
