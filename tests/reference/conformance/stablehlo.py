"""Operators of StableHLO, as far as LiteRT has them against it, and the others against NumPy."""
import itertools

import numpy as np

from suite import Case, Const, Graph, Whole, new_model, options, pack

rng = np.random.default_rng(17)

INTEGERS = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"]


def floats(*shape):
    return rng.normal(size=shape).astype("f4")


def const(value, dtype="f4"):
    return Const(np.array(value, dtype))


def whole(name, inputs, outputs, chosen, body=None, what="", results=None):
    """A model that declares its outputs, which are (type, shape), and may have a second subgraph."""
    model = new_model()
    graph = Graph(model)
    tensors = [graph.const(x.value) if isinstance(x, Const) else graph.input(x.dtype, x.shape)
               for x in inputs]
    if body:
        dtype = outputs[0][0]
        two = Graph(model, "body")
        a, b = two.input(dtype, []), two.input(dtype, [])
        if body == "second":
            two.results(b)
        else:
            two.results(two.op(body, [a, b], [(dtype, [])]))
    result = graph.op(f"STABLEHLO_{name}", tensors, outputs, chosen)
    graph.results(*(result if isinstance(result, list) else [result]))
    given = [x for x in inputs if not isinstance(x, Const)]
    return Whole(f"STABLEHLO_{name}", pack(model), given, what, results=results)


def referenced(name, inputs, function, chosen=None, output=None, what="", **more):
    """A case of an operator that LiteRT does not have."""
    first = next(x.value if isinstance(x, Const) else x for x in inputs)
    return Case(f"STABLEHLO_{name}", inputs, [output or first.dtype.name], chosen, name=what,
                reference=lambda *values: [function(*values)], **more)


def elementwise():
    for shape in [(), (7,), (2, 3, 4), (1, 2, 1, 3, 2)]:
        x, y = floats(*shape), floats(*shape)
        for name in ["ADD", "MULTIPLY", "MAXIMUM", "MINIMUM"]:
            yield Case(f"STABLEHLO_{name}", [x, y], ["f4"], name=f"{shape}")
        yield referenced("SUBTRACT", [x, y], np.subtract)
        yield referenced("DIVIDE", [x, y], np.divide)
        yield referenced("POWER", [np.abs(x), y], np.power)
        yield referenced("REMAINDER", [x * 10, y], np.fmod)
        yield referenced("ABS", [x], np.abs)
        yield referenced("NEGATE", [x], np.negative)
        yield referenced("EXPONENTIAL", [x], np.exp)
        yield referenced("LOG", [np.abs(x)], np.log)
        yield referenced("LOGISTIC", [x], lambda x: 1 / (1 + np.exp(-x.astype("f8"))))
        yield referenced("TANH", [x], np.tanh)
        yield referenced("RSQRT", [np.abs(x)], lambda x: 1 / np.sqrt(x.astype("f8")))
        yield referenced("COSINE", [x], np.cos)
        yield referenced("FLOOR", [x * 3], np.floor)
        yield referenced("CBRT", [x * 100], np.cbrt)
        yield referenced("CLAMP", [const(-0.5), x, const(0.25)], lambda a, x, b: np.minimum(np.maximum(x, a), b))
        yield referenced("CLAMP", [y - 1, x, y], lambda a, x, b: np.minimum(np.maximum(x, a), b))
        yield referenced("SELECT", [x > 0, x, y], np.where, output="f4")
        yield referenced("SELECT", [np.array(True), x, y], np.where, output="f4")
    special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -3e-39, 3.4e38, 8, -27], "f4")
    yield referenced("CBRT", [special], np.cbrt)
    for dtype in ["i4", "i8"]:
        x, y = rng.integers(-99, 99, [2, 5]).astype(dtype), rng.integers(1, 9, [2, 5]).astype(dtype)
        yield Case("STABLEHLO_ADD", [x, y], [dtype], name=dtype)
        yield Case("STABLEHLO_MULTIPLY", [x, y], [dtype], name=dtype)
        yield referenced("DIVIDE", [x, y], lambda x, y: np.trunc(x / y).astype(x.dtype))
        yield referenced("CLAMP", [const(-9, dtype), x, const(9, dtype)], lambda a, x, b: np.clip(x, a, b))
    for dtype in INTEGERS:
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, [2, 9], dtype, endpoint=True)
        y = rng.integers(1, 100, [2, 9]).astype(dtype)
        yield Case("STABLEHLO_AND", [x, y], [dtype], name=dtype)
        yield referenced("OR", [x, y], np.bitwise_or)
        yield referenced("REMAINDER", [x, y], np.fmod)
        bits = rng.integers(0, info.bits, [2, 9]).astype(dtype)
        # Of types, LiteRT shifts some only, and by fewer bits than they have.
        if dtype in ["i1", "i2", "i4"]:
            yield Case("STABLEHLO_SHIFT_LEFT", [x, bits], [dtype], name=dtype)
        yield referenced("SHIFT_LEFT", [x, np.where(bits > 2, info.bits, bits).astype(dtype)],
                         lambda x, n, bits=info.bits: np.where(n < bits, np.left_shift(x, n % bits), 0))
    x, y = np.array([0, 0, 1, 1], "bool"), np.array([0, 1, 0, 1], "bool")
    yield Case("STABLEHLO_AND", [x, y], ["bool"], name="bool")
    yield referenced("OR", [x, y], np.logical_or)


def comparisons():
    functions = [np.equal, np.not_equal, np.greater_equal, np.greater, np.less_equal, np.less]
    for direction, function in enumerate(functions):
        chosen = options("StablehloCompareOptions", comparisonDirection=direction, compareType=1)
        x, y = np.array([1, 2, np.nan, -0.0], "f4"), np.array([2, 2, 1, 0], "f4")
        yield referenced("COMPARE", [x, y], function, chosen, "bool")
        chosen = options("StablehloCompareOptions", comparisonDirection=direction, compareType=3)
        x, y = rng.integers(-2, 3, [2, 3, 4]).astype("i4"), rng.integers(-2, 3, [2, 3, 4]).astype("i4")
        yield referenced("COMPARE", [x, y], function, chosen, "bool")


def moved():
    x = floats(2, 3, 4, 5)
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [0, 2, 3, 1]]:
        yield referenced("TRANSPOSE", [x], lambda x, order=order: np.transpose(x, order),
                         options("StablehloTransposeOptions", permutation=order))
    yield referenced("RESHAPE", [x], lambda x: x.reshape(6, 20))
    yield referenced("RESHAPE", [np.array([[7]], "i4")], lambda x: x.reshape(()))
    for start, limit, strides in [([0, 0, 0, 0], [2, 3, 4, 5], [1, 1, 1, 1]), ([1, 0, 1, 0], [2, 3, 4, 5], [1, 2, 1, 3])]:
        part = tuple(slice(*bounds) for bounds in zip(start, limit, strides))
        yield referenced("SLICE", [x], lambda x, part=part: x[part], options(
            "StablehloSliceOptions", startIndices=start, limitIndices=limit, strides=strides))
    for axis in range(4):
        yield referenced("CONCATENATE", [x, x[:, :, :, :] * 2], lambda *p, axis=axis: np.concatenate(p, axis),
                         options("StablehloConcatenateOptions", dimension=axis))
    for shape, axes, to in [((), [], (2, 3)), ((3,), [1], (2, 3)), ((2, 1), [0, 1], (2, 3)),
                            ((3, 1), [1, 3], (2, 3, 4, 5)), ((2, 3), [0, 1], (2, 3))]:
        def broadcast(x, axes=axes, to=to):
            sparse = np.ones(len(to), "i8")
            sparse[axes] = x.shape
            return np.broadcast_to(x.reshape(sparse.astype(int)), to)
        chosen = options("StablehloBroadcastInDimOptions", broadcastDimensions=axes)
        yield referenced("BROADCAST_IN_DIM", [floats(*shape)], broadcast, chosen)
        yield referenced("BROADCAST_IN_DIM", [rng.integers(0, 9, shape).astype("i4")], broadcast, chosen)
    for dtype in ["f4", "i4", "i8", "u1"]:
        for shape, axis in [((4,), 0), ((2, 3, 4), 1), ((2, 3, 4), 2), ((2, 3, 4), 0)]:
            along = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
            result = np.broadcast_to(along, shape).astype(dtype)
            yield whole("IOTA", [], [(dtype, shape)], options("StablehloIotaOptions", iotaDimension=axis),
                        what=dtype, results=[result])
    for dtype, to in itertools.product(["f4", "i4"], ["f4", "i4", "i8", "bool"]):
        yield referenced("CONVERT", [(floats(2, 3) * 9).astype(dtype)], lambda x, to=to: x.astype(to), output=to)
    for start in [[1, 0, 1, 2], [-3, 9, 0, 9]]:
        sizes = [1, 2, 3, 2]
        part = tuple(slice(s, s + n) for s, n in zip(
            [min(max(s, 0), d - n) for s, d, n in zip(start, x.shape, sizes)], sizes))
        starts = [np.array(s, "i4") for s in start]
        yield referenced("DYNAMIC_SLICE", [x, *starts], lambda x, *_, part=part: x[part],
                         options("StablehloDynamicSliceOptions", sliceSizes=sizes))

        def update(x, u, *_, part=part):
            x = x.copy()
            x[part] = u
            return x
        yield referenced("DYNAMIC_UPDATE_SLICE", [x, floats(*sizes), *starts], update)


def padded():
    for dtype in ["f4", "i4", "u1", "i8"]:
        x = rng.integers(0, 99, [2, 3]).astype(dtype)
        for low, high, interior in [([1, -1], [0, 1], [0, 1]), ([0, 0], [0, 0], [0, 0]), ([2, 1], [1, 3], [1, 2]),
                                    ([-1, -1], [0, 0], [1, 0]), ([0, 0], [-1, -2], [0, 3])]:
            chosen = options("StablehloPadOptions", edgePaddingLow=low, edgePaddingHigh=high,
                             interiorPadding=interior)
            yield Case("STABLEHLO_PAD", [x, const(9, dtype)], [dtype], chosen, f"{dtype} {low} {high} {interior}")
        for steps in [[1, 1], [2, 3], [1, 4]]:
            yield Case("DILATE", [x, const(steps, "i4"), const(7, dtype)], [dtype], name=f"{dtype} {steps}")
    x = floats(1, 2, 1, 3, 2)
    chosen = options("StablehloPadOptions", edgePaddingLow=[0, 1, 0, -1, 0], edgePaddingHigh=[1, 0, 0, 0, 2],
                     interiorPadding=[0, 2, 1, 1, 0])
    yield Case("STABLEHLO_PAD", [x, np.array(0.5, "f4")], ["f4"], chosen, "5 axes")
    yield Case("DILATE", [x, np.array([1, 2, 3, 1, 2], "i4"), const(-1)], ["f4"], name="5 axes")


def gathered():
    def case(x, indices, shape, results=None, **chosen):
        return whole("GATHER", [x, indices], [(x.dtype, shape)], options("StablehloGatherOptions", **chosen),
                     what=f"{x.dtype} {x.shape} {indices.shape} {shape}", results=results)
    rows = dict(offsetDims=[1], collapsedSliceDims=[0], startIndexMap=[0], sliceSizes=[1, 4])
    for dtype in ["f4", "i4", "i8", "i1", "u1", "i2", "bool"]:
        x = rng.integers(0, 2, [3, 4]).astype(dtype)
        yield case(x, np.array([[1], [0], [9], [-3]], "i4"), [4, 4], indexVectorDim=1, **rows)
        # LiteRT reads beyond the shape of the indices.
        yield case(x, np.array([1, 0], "i8"), [2, 4], [x[[1, 0]]], indexVectorDim=1, **rows)
    x = floats(2, 3, 4)
    yield case(x, np.array([[0, 1, 1], [1, 2, 0]], "i8"), [3, 2, 2], offsetDims=[1, 2], collapsedSliceDims=[0],
               startIndexMap=[0, 2], indexVectorDim=0, sliceSizes=[1, 2, 2])
    yield case(x, np.array([[[0, 1], [1, 2]]], "i4"), [2, 1, 2, 3], offsetDims=[0, 3], collapsedSliceDims=[1],
               startIndexMap=[0, 1], indexVectorDim=2, sliceSizes=[2, 1, 3])
    yield case(x, np.array([1], "i4"), [2, 3, 2], offsetDims=[0, 1, 2], collapsedSliceDims=[],
               startIndexMap=[2], indexVectorDim=0, sliceSizes=[2, 3, 2])
    yield case(x, np.array([[1, 1, 3], [0, 2, 0]], "i4"), [2], offsetDims=[], collapsedSliceDims=[0, 1, 2],
               startIndexMap=[0, 1, 2], indexVectorDim=1, sliceSizes=[1, 1, 1])


def scattered():
    def case(x, indices, updates, body, **chosen):
        return whole("SCATTER", [x, indices, updates], [(x.dtype, x.shape)], options(
            "StablehloScatterOptions", updateComputationSubgraphIndex=1, **chosen), body,
            f"{body} {x.dtype} {x.shape} {indices.shape} {updates.shape}")
    bodies = [f"STABLEHLO_{name}" for name in ["ADD", "MULTIPLY", "MAXIMUM", "MINIMUM"]] + ["second"]
    rows = dict(updateWindowDims=[1], insertedWindowDims=[0], scatterDimsToOperandDims=[0], indexVectorDim=1)
    for body in bodies:
        yield case(floats(3, 4), np.array([[1], [0], [1]], "i4"), floats(3, 4), body, **rows)
        yield case(floats(3, 4), np.array([[9], [-1], [2]], "i4"), floats(3, 4), body, **rows)
        parts = dict(updateWindowDims=[1], insertedWindowDims=[0], scatterDimsToOperandDims=[0, 1],
                     indexVectorDim=1)
        yield case(floats(3, 4), np.array([[0, 1], [1, 3], [1, 2], [2, -1]], "i4"), floats(4, 2), body, **parts)
        points = dict(updateWindowDims=[], insertedWindowDims=[0, 1], scatterDimsToOperandDims=[0, 1],
                      indexVectorDim=2)
        for dtype in ["f4", "i4", "i8", "i1", "u1"]:
            x, updates = rng.integers(0, 9, [3, 4]).astype(dtype), rng.integers(0, 9, [1, 3]).astype(dtype)
            yield case(x, np.array([[[0, 1], [1, 3], [0, 1]]], "i8"), updates, body, **points)
        # A window before the axes of indices, and vectors along the first axis.
        yield case(floats(2, 3, 4), np.array([[0, 1], [2, 1]], "i4"), floats(4, 2), body, updateWindowDims=[0],
                   insertedWindowDims=[0, 1], scatterDimsToOperandDims=[0, 1], indexVectorDim=0)
        yield case(floats(2, 3, 4), np.array([1, 1], "i4"), floats(1, 2, 3), body, updateWindowDims=[0, 1, 2],
                   insertedWindowDims=[], scatterDimsToOperandDims=[1, 2], indexVectorDim=0)


def windows():
    def case(x, start, body, sizes, strides, steps, dilations, padding):
        chosen = options("StablehloReduceWindowOptions", windowDimensions=sizes, windowStrides=strides,
                         baseDilations=steps, windowDilations=dilations, padding=padding, bodySubgraphIndex=1)
        # LiteRT gives the shape.
        return whole("REDUCE_WINDOW", [x, Const(start)], [(x.dtype, [1] * x.ndim)], chosen, body,
                     f"{body} {x.dtype} {sizes} {strides} {steps} {dilations} {padding}")
    names = ["ADD", "STABLEHLO_MULTIPLY", "MAXIMUM", "STABLEHLO_MINIMUM"]
    for body, dtype in itertools.product(names, ["f4", "i4"]):
        x = rng.integers(-4, 5, [3, 6]).astype(dtype)
        start = np.array({"ADD": 0, "STABLEHLO_MULTIPLY": 1}.get(body, -2), dtype)
        yield case(x, start, body, [2, 2], [1, 1], [1, 1], [1, 1], [0, 0, 0, 0])
        yield case(x, start, body, [2, 3], [1, 2], [1, 1], [1, 1], [1, 0, 1, 2])
        yield case(x, start, body, [2, 2], [2, 1], [2, 3], [1, 2], [0, 1, 0, 0])
        yield case(x, start, body, [1, 2], [1, 3], [1, 1], [1, 2], [-1, 0, 2, -1])
        image = rng.integers(-4, 5, [1, 5, 6, 3]).astype(dtype)
        yield case(image, start, body, [1, 3, 3, 1], [1, 2, 2, 1], [1] * 4, [1] * 4, [0, 0, 1, 1, 0, 1, 0, 0])
    flags = rng.integers(0, 2, [4, 5]) == 1
    for body in ["LOGICAL_AND", "LOGICAL_OR"]:
        yield case(flags, np.array(body == "LOGICAL_AND"), body, [2, 2], [1, 2], [1, 1], [1, 1], [0, 0, 1, 0])

    def plain(x, start, function, sizes, strides, dilations):
        lists = [const(v, "i8") for v in [sizes, strides, dilations]]
        return Case("REDUCE_WINDOW", [x, Const(start), *lists], [x.dtype.name],
                    options("ReduceWindowOptions", reduceFunction=function), f"{function} {x.dtype} {sizes}")
    for function, dtype in itertools.product(range(1, 5), ["f4", "i4", "i8", "i1", "u1", "i2"]):
        x = rng.integers(0, 5, [3, 6]).astype(dtype)
        yield plain(x, np.array(1, dtype), function, [2, 2], [1, 2], [1, 1])
        yield plain(x, np.array(0, dtype), function, [2, 3], [1, 1], [2, 2])
    for function in [5, 6]:
        yield plain(flags, np.array(function == 5), function, [2, 2], [1, 2], [1, 1])


def reduced():
    functions = {"ADD": np.add, "MUL": np.multiply, "STABLEHLO_MAXIMUM": np.maximum, "MINIMUM": np.minimum}
    for (body, function), dtype in itertools.product(functions.items(), ["f4", "i4", "i8"]):
        x = rng.integers(1, 5, [2, 3, 4]).astype(dtype)
        for axes in [[0], [1, 2], [2], [0, 1, 2], [], [0, 2]]:
            for start in [np.array(2, dtype), Const(np.array(0, dtype))]:
                first = start.value if isinstance(start, Const) else start
                result = function(function.reduce(x, tuple(axes)), first).astype(dtype)
                yield whole("REDUCE", [x, start], [(dtype, result.shape)], options(
                    "StablehloReduceOptions", dimensions=axes, bodySubgraphIndex=1), body,
                    f"{body} {dtype} {axes}", [result])


def products():
    def case(left, right, batch, contracted):
        array = right.value if isinstance(right, Const) else right
        names = [list("abcdefgh"[:left.ndim]), [None] * array.ndim]
        for mine, other in list(zip(*batch)) + list(zip(*contracted)):
            names[1][other] = names[0][mine]
        rest = iter("ijklmn")
        names[1] = [n or next(rest) for n in names[1]]
        result = [names[0][i] for i in batch[0]]
        result += [n for i, n in enumerate(names[0]) if i not in batch[0] + contracted[0]]
        result += [n for i, n in enumerate(names[1]) if i not in batch[1] + contracted[1]]
        text = f"{''.join(names[0])},{''.join(names[1])}->{''.join(result)}"
        chosen = options("StablehloDotGeneralOptions", lhsBatchingDimensions=batch[0],
                         rhsBatchingDimensions=batch[1], lhsContractingDimensions=contracted[0],
                         rhsContractingDimensions=contracted[1])
        return referenced("DOT_GENERAL", [left, right], lambda x, y: np.einsum(text, x, y), chosen, "f4", text,
                          tolerance=(1e-5, 1e-5))
    for wrap in [lambda x: x, Const]:
        yield case(floats(3, 20), wrap(floats(20, 5)), ([], []), ([1], [0]))
        yield case(floats(3, 20), wrap(floats(5, 20)), ([], []), ([1], [1]))
        yield case(floats(20, 3), wrap(floats(20, 5)), ([], []), ([0], [0]))
        yield case(floats(20), wrap(floats(20)), ([], []), ([0], [0]))
        yield case(floats(3), wrap(floats(4)), ([], []), ([], []))
        yield case(floats(2, 3, 4), wrap(floats(2, 4, 5)), ([0], [0]), ([2], [1]))
        yield case(floats(2, 3, 4, 5), wrap(floats(4, 2, 5, 6)), ([0, 2], [1, 0]), ([3], [2]))
        yield case(floats(2, 3, 4, 5), wrap(floats(5, 6, 3)), ([], []), ([1, 3], [2, 0]))
        yield case(floats(2, 3), wrap(floats(2, 3)), ([0], [0]), ([1], [1]))


def convolved(x, w, strides, padding, steps, dilations, groups):
    """`[n, spatial, c]` by `[o, spatial, i]`, in double."""
    rank = x.ndim - 2
    size = [(n - 1) * step + 1 + sum(pad) for n, step, pad in zip(x.shape[1:-1], steps, padding)]
    padded = np.zeros([x.shape[0], *size, x.shape[-1]])
    places = [pad[0] + step * np.arange(n) for n, step, pad in zip(x.shape[1:-1], steps, padding)]
    for index in np.ndindex(*x.shape[1:-1]):
        at = [places[i][k] for i, k in enumerate(index)]
        if all(0 <= a < n for a, n in zip(at, size)):
            padded[(slice(None), *at)] = x[(slice(None), *index)]
    taps = w.shape[1:-1]
    out = [(n - (k - 1) * d - 1) // s + 1 for n, k, d, s in zip(size, taps, dilations, strides)]
    result = np.zeros([x.shape[0], *out, w.shape[0]])
    i, o = w.shape[-1], w.shape[0] // groups
    for group in range(groups):
        for tap in np.ndindex(*taps):
            part = tuple(slice(t * d, t * d + (n - 1) * s + 1, s)
                         for t, d, n, s in zip(tap, dilations, out, strides))
            part = padded[(slice(None), *part)][..., group * i:(group + 1) * i]
            weights = w[group * o:(group + 1) * o][(slice(None), *tap)]
            result[..., group * o:(group + 1) * o] += part @ weights.T.astype("f8")
    assert rank == len(taps)
    return result


def convolutions():
    def case(x, w, strides, padding, steps, dilations, groups, orders):
        """`orders`: the axes of the operands and the result, in the order of `convolved`."""
        result = convolved(x, w, strides, padding, steps, dilations, groups).astype("f4")
        names = {}
        for what, (first, last), order in [("input", ("Batch", "Feature"), orders[0]),
                                           ("kernel", ("OutputFeature", "InputFeature"), orders[1]),
                                           ("output", ("Batch", "Feature"), orders[2])]:
            names[f"{what}{first}Dimension"] = order[0]
            names[f"{what}{last}Dimension"] = order[-1]
            names[f"{what}SpatialDimensions"] = list(order[1:-1])
        placed = [np.transpose(a, np.argsort(order)) for a, order in zip([x, w, result], orders)]
        chosen = options("StablehloConvolutionOptions", windowStrides=strides,
                         padding=[p for pad in padding for p in pad], lhsDilation=steps, rhsDilation=dilations,
                         featureGroupCount=groups, batchGroupCount=1, **names)
        for filters in [placed[1], Const(placed[1])]:
            yield Case("STABLEHLO_CONVOLUTION", [np.ascontiguousarray(placed[0]), filters], ["f4"], chosen,
                       f"{x.shape} {w.shape} {strides} {padding} {steps} {dilations} {groups} {orders}",
                       tolerance=(1e-5, 1e-5), reference=lambda *_, result=placed[2]: [result])
    last = [[0, 1, 2, 3], [3, 0, 1, 2], [0, 1, 2, 3]]
    first = [[0, 2, 3, 1], [0, 2, 3, 1], [0, 2, 3, 1]]
    for orders in [last, first]:
        x, w = floats(2, 7, 6, 4), floats(8, 3, 2, 4)
        yield from case(x, w, [1, 1], [(0, 0), (0, 0)], [1, 1], [1, 1], 1, orders)
        yield from case(x, w, [2, 1], [(1, 1), (0, 1)], [1, 1], [1, 1], 1, orders)
        yield from case(x, w, [1, 2], [(2, 0), (-1, 3)], [2, 1], [1, 2], 1, orders)
        yield from case(x, floats(8, 3, 2, 2), [1, 1], [(1, 1), (1, 0)], [1, 1], [1, 1], 2, orders)
        yield from case(x, floats(4, 3, 3, 1), [1, 1], [(1, 1), (1, 1)], [1, 1], [1, 1], 4, orders)
        yield from case(x, floats(8, 3, 3, 1), [2, 2], [(0, 0), (0, 0)], [1, 1], [1, 1], 4, orders)
    for orders in [[[0, 1, 2], [2, 0, 1], [0, 1, 2]], [[0, 2, 1], [0, 2, 1], [0, 2, 1]]]:
        yield from case(floats(2, 9, 4), floats(6, 3, 4), [2], [(1, 1)], [1], [1], 1, orders)
        yield from case(floats(1, 9, 4), floats(4, 3, 1), [1], [(2, 0)], [1], [1], 4, orders)
        yield from case(floats(1, 5, 2), floats(3, 2, 2), [1], [(1, 0)], [3], [2], 1, orders)


def random_bits():
    for algorithm, states in [(0, [2, 3]), (1, [2, 3]), (2, [2])]:
        for length, dtype, shape in itertools.product(states, ["i4", "u4", "i8", "u8"], [[1], [7], [2, 3, 5]]):
            for state in [rng.integers(0, 2 ** 63, [length], "u8"), np.full([length], 2 ** 64 - 1, "u8")]:
                yield whole("RNG_BIT_GENERATOR", [state], [("u8", [length]), (dtype, shape)], options(
                    "StablehloRngBitGeneratorOptions", algorithm=algorithm), what=f"{algorithm} {dtype} {shape}")


def cases():
    for some in [elementwise, comparisons, moved, padded, gathered, scattered, windows, reduced, products,
                 convolutions, random_bits]:
        yield from some()
