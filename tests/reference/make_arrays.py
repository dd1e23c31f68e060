#!/usr/bin/env python3
"""Makes the NumPy and safetensors files in testdata/datasets with the libraries they come from.

    python3 tests/reference/make_arrays.py          (needs NumPy and safetensors)

The values are those of make_datasets.py: element e of input j of record r is 100 * r + 10 * j + e / 4
for floats and 100 * r + 10 * j + e for integers; bools alternate.
"""

import numpy as np
from make_datasets import OUT, bools, floats, integers
from safetensors.numpy import save_file

RECORDS = 5


def stack(make, *arguments):
    return np.stack([make(record, *arguments) for record in range(RECORDS)])


def main():
    x = stack(floats, 0, (2, 3))
    np.save(OUT / "floats.npy", x)
    np.save(OUT / "floats-be.npy", x.astype(">f4"))
    np.save(OUT / "floats-batched.npy", x[:, None])
    np.save(OUT / "floats-version2.npy", x)
    with open(OUT / "floats-version2.npy", "wb") as file:
        np.lib.format.write_array(file, x, version=(2, 0))
    np.save(OUT / "fortran.npy", np.asfortranarray(x))
    np.save(OUT / "doubles.npy", x.astype("<f8"))
    np.save(OUT / "one-value.npy", np.float32(3))
    np.save(OUT / "none.npy", x[:0])
    np.save(OUT / "structures.npy", np.zeros(3, [("a", "<f4"), ("b", "<i4")]))
    (OUT / "cut.npy").write_bytes((OUT / "floats.npy").read_bytes()[:-4])

    ids, flags = stack(integers, 1, (4,), "<i8"), stack(bools, (3,))
    np.savez(OUT / "named.npz", flags=flags, x=x, ids=ids)
    np.savez(OUT / "ordered.npz", x, ids.astype(">i8"), flags)
    np.savez_compressed(OUT / "compressed.npz", x=x, ids=ids, flags=flags)
    np.savez(OUT / "counts.npz", x=x, ids=ids[1:], flags=flags)
    np.savez(OUT / "stray.npz", x=x, ids=ids, flags=flags, labels=np.arange(RECORDS))
    np.savez(OUT / "missing.npz", x=x, flags=flags)
    np.savez(OUT / "other.npz", a=x, b=ids, c=flags)
    save_file({"x": x, "ids": ids, "flags": flags}, OUT / "named.safetensors")
    save_file({"x": x.astype("f2"), "ids": ids, "flags": flags}, OUT / "halves.safetensors")
    whole = (OUT / "named.safetensors").read_bytes()
    (OUT / "cut.safetensors").write_bytes(whole[:-20])


if __name__ == "__main__":
    main()
