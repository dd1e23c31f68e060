"""Images resized, blocks moved between space, depth and batches, diagonals, reversal, sparse constants."""
import itertools

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from suite import SPECIAL, Case, Const, Graph, Whole, new_model, options, pack

F, I = np.float32, np.int32
rng = np.random.default_rng(7)


def values(dtype, *shape):
    n = int(np.prod(shape, dtype=int))
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(n).astype(dtype).reshape(shape)
    info = np.iinfo(dtype)
    low, high = max(info.min, -2**15), min(info.max, 2**15)
    return rng.integers(low, high, n, endpoint=True).astype(dtype).reshape(shape)


def special(*shape):
    """Movement of special values must not change them."""
    return np.resize(SPECIAL, int(np.prod(shape))).reshape(shape).astype(F)


def resized():
    grids = [(False, False), (True, False), (False, True), (True, True)]
    sizes = [(1, 1), (2, 3), (6, 6), (7, 5), (3, 11), (13, 4), (16, 16)]
    for (align_corners, half_pixel), size in itertools.product(grids, sizes):
        kinds = dict(alignCorners=align_corners, halfPixelCenters=half_pixel)
        for shape in [(1, 3, 3, 1), (2, 2, 3, 2), (1, 7, 5, 3), (1, 1, 1, 4), (1, 4, 1, 17)]:
            for operator in ["RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"]:
                if operator == "RESIZE_BILINEAR" and align_corners and half_pixel:
                    continue
                table = "ResizeBilinearOptions" if "BILINEAR" in operator else "ResizeNearestNeighborOptions"
                for dtype in ["float32", "int8", "uint8", "int16"]:
                    if dtype != "float32" and shape[3] not in [2, 3]:
                        continue
                    x = values(dtype, *shape)
                    name = f"{shape} to {size} {dtype} {kinds}"
                    yield Case(operator, [x, Const(I(size))], [dtype], options(table, **kinds), name=name,
                               version=3)
                if shape == (2, 2, 3, 2):
                    yield Case(operator, [values("float32", *shape), I(size)], ["float32"],
                               options(table, **kinds), name=f"{shape} to {size} from the record {kinds}",
                               version=3)
    for operator, table in [("RESIZE_BILINEAR", "ResizeBilinearOptions"),
                            ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions")]:
        # An infinity of no weight makes NaN of the values beside it; but not where LiteRT doubles an image.
        yield Case(operator, [special(1, 2, 5, 2), Const(I([3, 7]))], ["float32"], options(table),
                   name="special", version=3)
        yield Case(operator, [values("float32", 1, 9, 9, 33), Const(I([18, 18]))], ["float32"],
                   options(table, halfPixelCenters=True), name="33 channels", version=3)


def depths():
    for block, shape in [(1, (1, 2, 3, 2)), (2, (1, 2, 2, 1)), (2, (2, 4, 6, 3)), (3, (1, 3, 6, 2)),
                         (4, (1, 8, 4, 1)), (2, (1, 4, 4, 16))]:
        n, h, w, c = shape
        deep = (n, h // block, w // block, c * block * block)
        for dtype in ["float32", "int8", "uint8", "int32", "int64"]:
            if dtype != "float32" and c == 16:
                continue
            yield Case("SPACE_TO_DEPTH", [values(dtype, *shape)], [dtype],
                       options("SpaceToDepthOptions", blockSize=block), name=f"{shape} {block} {dtype}")
            yield Case("DEPTH_TO_SPACE", [values(dtype, *deep)], [dtype],
                       options("DepthToSpaceOptions", blockSize=block), name=f"{deep} {block} {dtype}")
    yield Case("SPACE_TO_DEPTH", [special(1, 2, 4, 5)], ["float32"],
               options("SpaceToDepthOptions", blockSize=2), name="special")


def batches():
    plain = [
        ((1, 4, 4, 1), [2, 2], [[0, 0], [0, 0]]), ((2, 4, 6, 3), [2, 3], [[0, 0], [0, 0]]),
        ((1, 3, 5, 2), [2, 2], [[1, 0], [0, 1]]), ((1, 5, 5, 4), [3, 2], [[2, 2], [3, 0]]),
        ((1, 4, 4, 2), [1, 1], [[0, 0], [0, 0]]), ((2, 2, 2, 1), [1, 1], [[1, 2], [0, 1]]),
        ((1, 1, 1, 3), [4, 4], [[3, 0], [0, 3]]), ((1, 4, 3), [2], [[0, 0]]), ((2, 5, 2), [3], [[2, 2]]),
        ((3, 4, 1), [1], [[0, 0]]), ((1, 6, 1, 2), [2, 1], [[2, 4], [0, 0]])]
    for shape, block, borders in plain:
        block, borders = np.array(block, I), np.array(borders, I)
        count = int(np.prod(block))
        padded = [n + sum(b) for n, b in zip(shape[1:], borders)]
        packed = (shape[0] * count, *(n // b for n, b in zip(padded, block)), shape[-1])
        for dtype in ["float32", "int8", "uint8", "int32", "int64"]:
            if dtype != "float32" and shape[-1] == 1:
                continue
            x, y = values(dtype, *shape), values(dtype, *packed)
            yield Case("SPACE_TO_BATCH_ND", [x, Const(block), Const(borders)], [dtype],
                       name=f"{shape} {block} {borders.tolist()} {dtype}", version=2)
            yield Case("BATCH_TO_SPACE_ND", [y, Const(block), Const(borders)], [dtype],
                       name=f"{packed} {block} {borders.tolist()} {dtype}", version=2)
        for operator, x in [("SPACE_TO_BATCH_ND", values("float32", *shape)),
                            ("BATCH_TO_SPACE_ND", values("float32", *packed))]:
            yield Case(operator, [x, Const(block), borders], ["float32"],
                       name=f"{x.shape} {block} {borders.tolist()}, borders from the record", version=2)
            yield Case(operator, [x, block, borders], ["float32"],
                       name=f"{x.shape} {block} {borders.tolist()}, both from the record", version=2)
    yield Case("SPACE_TO_BATCH_ND", [special(1, 4, 5, 1), Const(I([2, 1])), Const(I([[1, 1], [0, 0]]))],
               ["float32"], name="special", version=2)


def diagonals():
    for shape in [(1,), (3,), (2, 3), (2, 1), (1, 3), (2, 2, 2), (2, 1, 2, 3), (1, 2, 1, 2, 2)]:
        for dtype in ["float32", "int8", "uint8", "int16", "int32", "int64"]:
            yield Case("MATRIX_DIAG", [values(dtype, *shape)], [dtype], options("MatrixDiagOptions"),
                       name=f"{shape} {dtype}")
    yield Case("MATRIX_DIAG", [special(2, 5)], ["float32"], options("MatrixDiagOptions"), name="special")
    for shape in [(1, 1), (3, 3), (2, 4), (4, 2), (2, 3, 3), (2, 1, 4), (2, 2, 3, 2), (1, 2, 1, 2, 3)]:
        diagonal = (*shape[:-2], min(shape[-2:]))
        for dtype in ["float32", "int8", "uint8", "int16", "int32", "int64"]:
            yield Case("MATRIX_SET_DIAG", [values(dtype, *shape), values(dtype, *diagonal)], [dtype],
                       options("MatrixSetDiagOptions"), name=f"{shape} {dtype}")
    yield Case("MATRIX_SET_DIAG", [special(2, 5, 2), Const(special(2, 2))], ["float32"],
               options("MatrixSetDiagOptions"), name="special")


def reversals():
    def case(x, axes, name, given=False):
        axes = np.array(axes, I)
        return Case("REVERSE_V2", [x, axes if given else Const(axes)], [x.dtype.name],
                    options("ReverseV2Options"), name=name)

    for shape, all_axes in [
            ((5,), [[0], [-1]]), ((2, 3), [[0], [1], [0, 1], [-2]]),
            ((2, 3, 4), [[0], [1], [2], [0, 1], [1, 2], [0, 1, 2], [-1]]),
            ((2, 3, 1, 4), [[0], [1], [2], [3], [1, 2], [2, 3]]),
            ((2, 1, 3, 2, 2), [[0], [2], [4], [2, 3], [3, 4]])]:
        for axes in all_axes:
            yield case(values("float32", *shape), axes, f"{shape} {axes}")
            yield case(values("float32", *shape), axes, f"{shape} {axes} from the record", True)
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool"]:
        yield case(values(dtype, 3, 4), [1], f"{dtype} last")
        yield case(values(dtype, 3, 4), [0], f"{dtype} first")
    yield case(special(4, 5), [0, 1], "special")
    # LiteRT takes neighbouring axes in ascending order only.
    for shape, axes in [((2, 3, 4), [0, 2]), ((2, 3, 4), [2, 1]), ((2, 3, 2, 2, 3), [0, 2, 4]), ((2, 3), [])]:
        x = values("float32", *shape)
        axes = np.array(axes, I)
        yield Case("REVERSE_V2", [x, Const(axes)], ["float32"], options("ReverseV2Options"),
                   name=f"{shape} {axes}", reference=lambda x, axes: [np.flip(x, tuple(axes))])


def dimension(dense_size=None, segments=None, indices=None, width="Int32"):
    """A level of a sparse tensor: dense, or compressed rows."""
    level = schema.DimensionMetadataT()
    if dense_size is not None:
        level.format, level.denseSize = schema.DimensionType.DENSE, dense_size
        return level
    level.format, level.denseSize = schema.DimensionType.SPARSE_CSR, 0
    kind = f"{width}Vector"
    for field, numbers in [("arraySegments", segments), ("arrayIndices", indices)]:
        vector = getattr(schema, f"{kind}T")()
        vector.values = np.array(numbers, {"Int32": "i4", "Uint16": "u2", "Uint8": "u1"}[width])
        setattr(level, field, vector)
        setattr(level, f"{field}Type", getattr(schema.SparseIndexVector, kind))
    return level


def compress(x, order, blocks, sparse, width):
    """The elements of `x` and the levels that say where they are. `order` is of the axes; `blocks` are (axis,
    size); the levels in `sparse` are compressed."""
    rank = x.ndim
    shape = list(x.shape)
    split, axes = [], []
    for axis in range(rank):
        sizes = [size for at, size in blocks if at == axis]
        split += [shape[axis] // int(np.prod(sizes, dtype=int)), *sizes]
        axes += [("axis", axis), *(("block", i) for i, (at, _) in enumerate(blocks) if at == axis)]
    wanted = [("axis", axis) for axis in order] + [("block", i) for i in range(len(blocks))]
    tree = x.reshape(split).transpose([axes.index(level) for level in wanted])
    levels, nodes = [], [tree]
    for i, n in enumerate(tree.shape):
        if i not in sparse:
            levels.append(dimension(n))
            nodes = [node[j] for node in nodes for j in range(n)]
            continue
        segments, indices, kept = [0], [], []
        for node in nodes:
            for j in range(n):
                if np.any(node[j] != 0):
                    indices.append(j)
                    kept.append(node[j])
            segments.append(len(indices))
        levels.append(dimension(segments=segments, indices=indices, width=width))
        nodes = kept
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder = np.array([*order, *range(rank, rank + len(blocks))], I)
    sparsity.blockMap = np.array([axis for axis, _ in blocks], I)
    sparsity.dimMetadata = levels
    return np.array(nodes, x.dtype), sparsity


def sparse(x, order, blocks=(), levels=(1,), width="Int32"):
    stored, sparsity = compress(x, order, list(blocks), levels, width)
    model = new_model()
    graph = Graph(model)
    constant = graph.tensor(x.dtype, x.shape, stored)
    graph.graph.tensors[constant].sparsity = sparsity
    given = graph.input(x.dtype, x.shape)
    dense = graph.op("DENSIFY", [constant], [(x.dtype, x.shape)], options("DensifyOptions"))
    if x.dtype == F:
        graph.results(graph.op("ADD", [dense, given], [(F, x.shape)], options("AddOptions")))
    else:
        graph.results(dense)
    name = f"{x.shape} {x.dtype.name} {order} {blocks} {levels} {width}"
    return Whole("DENSIFY", pack(model), [np.zeros(x.shape, x.dtype)], name)


def sparse_constants():
    def holes(dtype, *shape):
        x = values(dtype, *shape)
        x[rng.random(shape) < 0.6] = 0
        x.flat[0] = 1
        return x

    for width in ["Int32", "Uint16", "Uint8"]:
        yield sparse(holes("float32", 4, 6), [0, 1], width=width)
    for order in itertools.permutations(range(2)):
        for levels in [(0,), (1,), (0, 1)]:
            yield sparse(holes("float32", 4, 6), order, levels=levels)
            yield sparse(holes("float32", 4, 6), order, [(0, 2), (1, 3)], levels)
    for order in itertools.permutations(range(3)):
        yield sparse(holes("float32", 3, 4, 2), order, levels=(1, 2))
    for order in [[0, 1, 2, 3], [3, 1, 2, 0]]:
        yield sparse(holes("float32", 4, 2, 2, 8), order, [(0, 2), (3, 4)], (0, 3))
    yield sparse(holes("float32", 4, 8), [0, 1], [(1, 4)], (1,))
    yield sparse(holes("float32", 8, 4), [0, 1], [(0, 4)], (1,))
    yield sparse(holes("int8", 4, 6), [0, 1])
    yield sparse(holes("float16", 4, 6), [1, 0])


def cases():
    yield from resized()
    yield from depths()
    yield from batches()
    yield from diagonals()
    yield from reversals()
    yield from sparse_constants()
