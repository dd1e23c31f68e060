"""Values at positions, positions of values."""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(13)

MOVED = ["f4", "i4", "i8", "i2", "i1", "u1", "bool"]


def const(value, dtype="i4"):
    return Const(np.array(value, dtype))


def label(*arrays):
    arrays = [a.value if isinstance(a, Const) else a for a in arrays]
    return " ".join(f"{a.dtype} {a.shape}" for a in arrays)


def gathered():
    def case(values, indices):
        return Case("GATHER_ND", [values, indices], [values.dtype.name], name=label(values, indices))
    for dtype in [*MOVED, "f2"]:
        values = rng.integers(0, 2 if dtype == "bool" else 99, [2, 3, 2]).astype(dtype)
        for index in ["i2", "i4", "i8"]:
            yield case(values, const([[0, 1], [1, 2]], index))
    values = rng.normal(size=[2, 3, 4, 5]).astype("f4")
    for indices in [np.zeros([0], "i4"), np.zeros([2, 0], "i4"), np.array([1], "i4"),
                    np.array([1, 2, 3, 4], "i8"), np.array([[1], [0], [1]], "i4"),
                    np.array([[[1, 2, 3], [0, 0, 0]], [[1, 1, 1], [0, 2, 1]]], "i4"),
                    rng.integers(0, 2, [2, 1, 2, 1, 3, 2])]:
        yield case(values, Const(indices))
        if indices.size:
            yield case(values, indices)
    yield case(np.array([3, 1], "f4"), np.array([[1], [1], [0]], "i4"))
    yield case(np.array([np.nan, np.inf, -0.0, 1e-40], "f4"), np.array([[0], [1], [2], [3]], "i4"))


def scattered():
    def case(indices, updates, shape):
        return Case("SCATTER_ND", [indices, updates, shape], [updates.dtype.name],
                    name=label(indices, updates, shape))
    for dtype in ["f4", "i4", "i8", "i1", "u1", "bool"]:
        updates = np.array([1, 0, 1] if dtype == "bool" else [100, 6, 100]).astype(dtype)
        yield case(const([[3], [1], [3]]), updates, const([5]))
        yield case(np.array([[3], [1], [3]], "i4"), updates, np.array([5], "i4"))
    values = rng.normal(size=[2, 3, 4]).astype("f4")
    yield case(np.array([[[0], [4], [2]], [[2], [1], [0]]], "i4"), values, const([5, 4]))
    yield case(np.array([[[0, 1], [1, 0], [1, 1]]] * 2, "i4"), values, const([2, 2, 4]))
    yield case(np.array([1], "i4"), values[0], const([3, 3, 4]))
    yield case(np.array([[1, 0, 2, 3, 0, 1]], "i4"), np.array([5], "f4"), const([2, 1, 3, 4, 1, 2]))
    yield case(np.zeros([0, 1], "i4"), np.zeros([0, 2], "i4"), const([3, 2]))
    yield case(const(np.zeros([1, 0])), values[:1, 0], const([4]))
    yield case(const([[0], [1], [1]]), np.array([np.nan, np.inf, -np.inf], "f4"), const([3]))


def one_hot():
    def case(indices, depth, on, off, axis):
        return Case("ONE_HOT", [indices, depth, on, off], [on.value.dtype.name if isinstance(on, Const)
                                                           else on.dtype.name],
                    options("OneHotOptions", axis=axis), name=f"{label(indices, depth, on)} {axis}")
    for dtype in ["f4", "i4", "i8", "i1", "u1", "bool"]:
        on, off = (True, False) if dtype == "bool" else (7, 2)
        for index in ["i4", "i8"]:
            indices = np.array([0, 2, -1, 3], index)
            yield case(indices, const(3), const(on, dtype), const(off, dtype), -1)
            yield case(indices, const([3]), np.array(on, dtype), np.array([off], dtype), 0)
    for shape in [(), (2, 3), (2, 1, 3), (1, 2, 2, 1, 2)]:
        indices = rng.integers(-1, 4, shape).astype("i4")
        for axis in range(-1, len(shape) + 1):
            yield case(indices, const(3, "i8" if axis else "i4"), const(1, "f4"), const(0, "f4"), axis)
        yield case(indices, np.array(4, "i4"), const(1.5, "f4"), const(-0.0, "f4"), -1)


def top_k():
    def case(values, k, positions, what=""):
        return Case("TOPK_V2", [values, k], [values.dtype.name, positions],
                    name=f"{label(values, k)} {positions} {what}")
    for dtype in ["f4", "i4", "i8", "i2", "i1", "u1"]:
        values = np.array([[3, 9, 1, 9, 4], [2, 2, 2, 1, 5]]).astype(dtype)
        for index in ["i2", "i4"]:
            yield case(values, const(3, index), index)
            yield case(values, np.array(2, "i4"), index)
    values = rng.integers(0, 20, [3, 2, 40]).astype("f4")
    for k in [1, 7, 39, 40]:
        yield case(values, const(k), "i4", str(k))
    # A float tensor without elements cannot be observed.
    yield case(values.astype("i4"), const(0), "i4", "none")
    yield case(values, const([3]), "i4")
    yield case(values.astype("i4"), const(-1), "i4", "negative")
    yield case(values[0, 0], np.array(5, "i4"), "i4")
    yield case(rng.normal(size=[1, 2, 1, 3, 2, 6]).astype("f4"), const(4), "i4")
    yield case(np.zeros([0, 4], "i4"), const(1), "i4")
    special = np.array([1, np.nan, 3, np.nan, 2, -0.0, 0.0, np.inf, -np.inf], "f4")
    for k in [3, 9]:
        yield case(special, const(k), "i4", "special")
    yield case(np.array([0.0, -0.0, 0.0, -0.0], "f4"), const(3), "i4", "zeros")


def nonzero():
    def case(values):
        return Case("WHERE", [values], ["i8"], name=label(values))
    for dtype in ["f4", "i4", "i8", "i1", "u1", "bool", "u4"]:
        values = np.array([[1, 0, 2], [0, 0, 3]]).astype(dtype)
        yield case(values)
        yield case(Const(values))
    yield case(np.array([np.nan, -0.0, 0.0, 1e-40, np.inf], "f4"))
    yield case(rng.integers(0, 2, [2, 1, 3, 2, 2]) == 1)
    yield case(np.ones([3], "bool"))
    # LiteRT does not give outputs without elements.


def unique():
    def case(values, positions):
        number = {"i4": 2, "i8": 4}[positions]
        return Case("UNIQUE", [values], [values.value.dtype.name if isinstance(values, Const)
                                         else values.dtype.name, positions],
                    options("UniqueOptions", idxOutType=number), name=f"{label(values)} {positions}")
    for dtype in ["f4", "i4", "i8", "i2", "i1", "u1"]:
        for positions in ["i4", "i8"]:
            yield case(np.array([3, 1, 3, 2, 1]).astype(dtype), positions)
    yield case(Const(np.array([-1, 5, -1], "i8")), "i4")
    yield case(np.array([-0.0, 1, 0.0, np.inf, -np.inf, np.inf], "f4"), "i4")
    # Any NaN is the same as all numbers to LiteRT.


def sparse_to_dense():
    def case(indices, shape, values, default):
        return Case("SPARSE_TO_DENSE", [indices, shape, values, default], [values.dtype.name],
                    options("SparseToDenseOptions"), name=label(indices, shape, values))
    for dtype in ["f4", "i4", "i8", "i1", "u1"]:
        nine = const(9, dtype)
        for index in ["i4", "i8"]:
            yield case(const([[0, 1], [1, 2]], index), const([2, 3], index),
                       np.array([5, 6]).astype(dtype), nine)
            yield case(np.array([[0, 1], [1, 2]], index), np.array([2, 3], index),
                       np.array(5).astype(dtype), nine)
    five, default = np.array(5, "f4"), const(9, "f4")
    yield case(np.array(2, "i4"), const([4]), five, default)
    yield case(np.array([2, 0], "i4"), const([4]), np.array([5, 6], "f4"), default)
    yield case(np.array([2, 0], "i4"), const([4]), five, const([9], "f4"))
    yield case(np.array([[1], [1]], "i4"), const([4]), np.array([5, 6], "f4"), default)
    yield case(np.array([[0, 0, 1], [1, 1, 0]], "i4"), const([2, 2, 2]), np.array([5, 6], "f4"), default)
    yield case(np.array([[0, 1, 0, 1]], "i4"), const([1, 2, 2, 2]), np.array([5], "f4"), np.array(1, "f4"))


def updated():
    def case(whole, part, start):
        return Case("DYNAMIC_UPDATE_SLICE", [whole, part, start], [part.dtype.name],
                    name=label(whole, part, start))
    for dtype in [*MOVED, "f8", "u4", "f2", "u2", "u8"]:
        whole = rng.integers(0, 2, [3, 4]).astype(dtype)
        part = rng.integers(0, 2, [2, 2]).astype(dtype)
        yield case(whole, part, const([1, 2]))
        yield case(whole, part, np.array([9, -2], "i8"))
    whole = rng.normal(size=[2, 3, 4, 2, 3]).astype("f4")
    for part in [(2, 3, 4, 2, 3), (1, 3, 4, 2, 3), (2, 1, 4, 2, 3), (2, 3, 2, 1, 3), (1, 1, 1, 1, 1),
                 (1, 2, 4, 1, 2)]:
        values = rng.normal(size=part).astype("f4")
        for start in [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1], [5, -5, 2, 0, 1]]:
            yield case(whole, values, np.array(start, "i4"))
    yield case(np.arange(6, dtype="i4").reshape(2, 3), np.zeros([0, 2], "i4"), np.array([1, 1], "i4"))
    yield case(const(np.arange(6), "f4"), np.ones([2], "f4"), const([3], "i8"))
    yield case(np.array(1, "f4"), np.array(2, "f4"), np.zeros([0], "i4"))


def looked_up():
    def sparse(ids, indices, shape, weights, combiner, values):
        return Case("EMBEDDING_LOOKUP_SPARSE",
                    [np.array(ids, "i4"), np.array(indices, "i4"), shape, np.array(weights, "f4"), values],
                    ["f4"], options("EmbeddingLookupSparseOptions", combiner=combiner),
                    name=f"{np.shape(indices)} {combiner}")
    table = const(np.arange(12).reshape(4, 3), "f4")
    for combiner in range(3):
        rows = [[0, 0], [0, 1], [1, 0], [2, 3]]
        yield sparse([1, 3, 0, 1], rows, const([3, 4]), [2, 0.5, 1, 3], combiner, table)
        apart = [[0, 0], [2, 1], [0, 2], [2, 3]]
        yield sparse([1, 3, 0, 1], apart, const([3, 4]), [2, 0.5, 1, 3], combiner, table)
        deep = [[0, 1, 0], [1, 1, 1], [1, 1, 0]]
        yield sparse([1, 3, 2], deep, np.array([2, 2, 2], "i4"), [2, 0.5, -1], combiner, table)
        wide = rng.normal(size=[5, 2, 1, 3]).astype("f4")
        yield sparse([4, 0, 2], rows[:3], const([2, 2]), [1, 0, 2], combiner, wide)

    def hashed(wanted, keys, values):
        return Case("HASHTABLE_LOOKUP", [np.array(wanted, "i4"), const(keys), values],
                    [values.value.dtype.name, "u1"], name=f"{label(values)} {keys}")
    for dtype in ["f4", "i4", "i1"]:
        yield hashed([1234, -292, -11, 0], [-11, 0, 1234], const([3, 1, 2], dtype))
        yield hashed([1234, -292, -11, 0], [-11, 0, 1234], const([[3, 4], [5, 1], [2, 9]], dtype))
    yield hashed([1, 1, 2], [1, 1, 1, 2], const([0, 1, 2, 3], "f4"))
    yield hashed([1, 2], [2, 1], const([0, 1], "f4"))

    def projected(inputs, kind, what):
        return Case("LSH_PROJECTION", inputs, ["i4"], options("LSHProjectionOptions", type=kind),
                    name=f"{what} {kind}")
    seeds = const([[0.123, 0.456], [-0.321, 1.234], [5.678, -4.321]], "f4")
    words = np.array([[12345, 54321], [67890, 9876], [-12345678, -87654321]], "i4")
    many = rng.normal(size=[4, 31]).astype("f4")
    for kind in [1, 2]:
        yield projected([seeds, words], kind, "words")
        yield projected([seeds, words, np.array([0.12, 0.34, 0.56], "f4")], kind, "weights")
        for dtype in ["u1", "i2"]:
            # Keys of all lengths that are hashed in their own way.
            for width in [0, 1, 3, 4, 6, 12, 13, 14, 28, 29, 40, 60, 61, 64, 100, 124, 125, 200]:
                rows = rng.integers(0, 200, [3, width]).astype(dtype)
                yield projected([Const(many), rows], kind, f"{dtype} {width}")


def cases():
    for some in [gathered, scattered, one_hot, top_k, nonzero, unique, sparse_to_dense, updated, looked_up]:
        yield from some()
