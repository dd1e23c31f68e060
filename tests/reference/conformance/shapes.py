"""Shapes changed, tensors turned, joined, bordered and cut: RESHAPE, SQUEEZE, EXPAND_DIMS, TRANSPOSE,
CONCATENATION, PAD, PADV2, MIRROR_PAD, SLICE, STRIDED_SLICE, GATHER, EMBEDDING_LOOKUP."""
import itertools

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from suite import SPECIAL, Case, Const, Graph, Whole, new_model, options, pack, tensor_type

F, I, L = np.float32, np.int32, np.int64
rng = np.random.default_rng(11)


def values(dtype, *shape):
    if np.dtype(dtype) == bool:
        return rng.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(max(info.min, -2**31), min(info.max, 2**31 - 1), shape, dtype="int64").astype(dtype)


def numbers(shape, *more):
    """Floats, unless there are no elements: without one, nothing would be observed, which is an error."""
    return values("int32" if 0 in [*shape, *more] else "float32", *shape)


def special(*shape):
    return np.resize(SPECIAL, int(np.prod(shape))).reshape(shape).astype(F)


def operands(x, indices, dtype=I):
    """Indices as a constant, and from the record."""
    indices = np.array(indices, dtype)
    return [([x, Const(indices)], ""), ([x, indices], ", from the record")]


def reshapes():
    def table(shape):
        return options("ReshapeOptions", newShape=np.array(shape, I)) if shape is not None else None

    for shape, to in [((), []), ((), [1]), ((), [1, 1]), ((1,), []), ((6,), [2, 3]), ((6,), [2, -1]),
                      ((2, 3), [-1]), ((2, 3, 4), [4, -1, 2]), ((2, 3, 4), [1, 2, 1, 3, 1, 4]), ((2, 3, 4), [24]),
                      ((1, 1, 1), []), ((2, 1, 3, 1, 2), [2, 6]), ((0, 3), [3, 0]), ((0, 3), [0]),
                      ((2, 0), [4, 0, 1]), ((1, 2, 1, 2, 1, 2), [2, 2, 2])]:
        x = numbers(shape)
        if to and to != [0]:  # A lone zero by the option is a scalar.
            yield Case("RESHAPE", [x], [x.dtype.name], table(to), name=f"{shape} to {to} by the option")
        yield Case("RESHAPE", [x, Const(np.array(to, I))], [x.dtype.name], table(to), name=f"{shape} to {to}")
        yield Case("RESHAPE", [x, np.array(to, I)], [x.dtype.name], name=f"{shape} to {to}, from the record")
    # Where both say something else, the input counts.
    yield Case("RESHAPE", [values("float32", 6), Const(I([3, 2]))], ["float32"], table([2, 3]), name="both")
    for dtype in ["int8", "uint8", "int16", "int32", "uint32", "int64", "bool", "float16", "float64"]:
        yield Case("RESHAPE", [values(dtype, 2, 3), Const(I([3, 2]))], [dtype], name=dtype)
    yield Case("RESHAPE", [special(2, 5), Const(I([10]))], ["float32"], name="special")


def squeezes():
    for shape, axes in [((1,), []), ((1,), [0]), ((1, 2, 1, 3), []), ((1, 2, 1, 3), [0]), ((1, 2, 1, 3), [-2]),
                        ((1, 2, 1, 3), [0, 2]), ((1, 2, 1, 3), [2, 0]), ((1, 2, 1, 3), [2, 2]), ((1, 1, 1), [1]),
                        ((1, 1, 1), []), ((2, 3), []), ((1, 2, 1, 1, 2, 1), [0, 3, 5]), ((1, 0, 1), [0])]:
        table = options("SqueezeOptions", squeezeDims=np.array(axes, I) if axes else None)
        x = numbers(shape)
        yield Case("SQUEEZE", [x], [x.dtype.name], table, name=f"{shape} {axes}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool"]:
        yield Case("SQUEEZE", [values(dtype, 1, 3)], [dtype], options("SqueezeOptions"), name=dtype)


def expansions():
    for shape in [(), (3,), (2, 3), (2, 1, 3), (2, 0), (1, 2, 1, 3, 2)]:
        for axis in range(-len(shape) - 1, len(shape) + 1):
            for dtype in [I, L]:
                x = numbers(shape)
                for inputs, how in operands(x, axis, dtype):
                    yield Case("EXPAND_DIMS", inputs, [x.dtype.name], options("ExpandDimsOptions"),
                               name=f"{shape} {axis} {np.dtype(dtype).name}{how}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool"]:
        yield Case("EXPAND_DIMS", [values(dtype, 2, 3), Const(I([1]))], [dtype], options("ExpandDimsOptions"),
                   name=dtype)


def transpositions():
    def case(x, order, name, given=False):
        order = np.array(order, I)
        return Case("TRANSPOSE", [x, order if given else Const(order)], [x.dtype.name],
                    options("TransposeOptions"), name=name)

    # LiteRT crashes.
    yield Case("TRANSPOSE", [values("float32").reshape(()), Const(np.zeros(0, I))], ["float32"], name="scalar",
               reference=lambda x, order: [x])
    shapes = {1: [(5,)], 2: [(3, 5), (1, 4), (17, 9)], 3: [(2, 3, 4), (2, 1, 3)], 4: [(2, 3, 1, 4), (2, 3, 4, 5)]}
    for rank, of_rank in shapes.items():
        for shape in of_rank:
            for order in itertools.permutations(range(rank)):
                yield case(values("float32", *shape), order, f"{shape} {order}")
    for order in [(1, 0, 2), (0, -1, 1), (-1, -2, -3)]:
        yield case(values("float32", 2, 3, 4), order, f"{order} from the record", True)
        yield case(values("float32", 2, 3, 4), order, f"{order}")
    for order in [(4, 3, 2, 1, 0), (0, 2, 1, 4, 3), (1, 0, 2, 3, 4), (0, 1, 3, 4, 2), (2, 0, 3, 1, 4)]:
        yield case(values("float32", 2, 3, 2, 4, 3), order, f"5 {order}")
        yield case(values("float32", 2, 1, 2, 4, 3, 2), (*order, 5), f"6 {order}")
        yield case(values("float32", 2, 3, 2, 2, 3, 2), (5, *order), f"6 last first {order}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool"]:
        for order in [(1, 0, 2), (2, 0, 1), (0, 2, 1), (2, 1, 0)]:
            yield case(values(dtype, 3, 17, 5), order, f"{dtype} {order}")
    yield case(special(4, 5), (1, 0), "special")
    yield case(values("int32", 2, 0, 3), (2, 0, 1), "empty")


def joins():
    def case(arrays, axis, name, activation=0, **more):
        table = options("ConcatenationOptions", axis=axis, fusedActivationFunction=activation)
        dtype = np.asarray(getattr(arrays[0], "value", arrays[0])).dtype.name
        return Case("CONCATENATION", arrays, [dtype], table, name=name, **more)

    for shape in [(3,), (2, 3), (2, 1, 3), (1, 2, 2, 3), (2, 1, 2, 1, 3), (1, 2, 1, 2, 1, 2)]:
        for axis in range(-len(shape), len(shape)):
            other = list(shape)
            other[axis] += 2
            yield case([values("float32", *shape), values("float32", *other)], axis, f"{shape} {axis}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "uint32", "bool"]:
        yield case([values(dtype, 2, 3), values(dtype, 2, 1)], 1, dtype)
    x = values("float32", 2, 3)
    yield case([x], 0, "one")
    yield case([values("float32", 2, n, 3) for n in [1, 2, 3, 1, 1, 5, 1]], 1, "seven")
    yield case([values("float32", 2, n % 3 + 1) for n in range(17)], 1, "seventeen")
    yield case([x, Const(values("float32", 1, 3)), x, Const(special(1, 3))], 0, "constants")
    yield case([values("int32", 2, n) for n in [3, 0, 1]], 1, "an empty one")
    yield case([special(2, 5), special(2, 5)], 1, "special")
    # LiteRT has no activations here, circle has.
    relu, relu_n1_to_1, relu6 = 1, 2, 3
    for activation, low, high in [(relu, 0, np.inf), (relu_n1_to_1, -1, 1), (relu6, 0, 6)]:
        y = F([[-3, 0.5, 7]])
        yield case([x, y], 0, f"activation {activation}", activation,
                   reference=lambda a, b, low=low, high=high: [np.clip(np.concatenate([a, b]), low, high)])


def borders():
    every = [((3,), [[1, 2]]), ((3,), [[0, 0]]), ((2, 3), [[0, 0], [1, 2]]), ((2, 3), [[2, 1], [0, 0]]),
             ((2, 1, 3), [[1, 0], [2, 1], [0, 1]]), ((1, 2, 3, 2), [[0, 0], [1, 1], [2, 2], [0, 0]]),
             ((1, 2, 3, 2), [[0, 1], [1, 0], [0, 0], [3, 0]]), ((2, 1, 2, 2, 2), [[1, 0], [0, 1], [0, 0], [1, 1], [2, 0]]),
             ((1, 2, 2, 2, 3), [[0, 0], [0, 0], [1, 1], [2, 0], [0, 0]])]
    for shape, paddings in every:
        x, value = values("float32", *shape), F(-2.5)
        for dtype in [I, L]:
            for inputs, how in operands(x, paddings, dtype):
                name = f"{shape} {paddings} {np.dtype(dtype).name}{how}"
                yield Case("PAD", inputs, ["float32"], options("PadOptions"), name=name, version=2)
                if dtype == I:
                    yield Case("PADV2", [*inputs, Const(value)], ["float32"], options("PadV2Options"), name=name,
                               version=2)
                    yield Case("PADV2", [*inputs, value], ["float32"], options("PadV2Options"),
                               name=f"{name}, value from the record", version=2)
    shape, paddings = (2, 3), I([[1, 0], [2, 1]])
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool"]:
        x = values(dtype, *shape)
        yield Case("PAD", [x, Const(paddings)], [dtype], options("PadOptions"), name=dtype, version=2)
        if dtype not in ["bool", "int16"]:
            value = np.array(3, dtype)
            yield Case("PADV2", [x, Const(paddings), Const(value)], [dtype], options("PadV2Options"), name=dtype,
                       version=2)
    for value in SPECIAL:
        yield Case("PADV2", [special(2, 5), Const(paddings), Const(F(value))], ["float32"],
                   options("PadV2Options"), name=f"special {value}", version=2)
    # LiteRT goes up to five dimensions.
    shape, paddings = (1, 2, 1, 2, 1, 2), I([[0, 1], [1, 0], [0, 0], [0, 2], [1, 1], [0, 1]])
    yield Case("PAD", [values("float32", *shape), Const(paddings)], ["float32"], options("PadOptions"),
               name="6 dimensions", reference=lambda x, p: [np.pad(x, p)])


def quantized_borders():
    """Zeros of quantized bytes are their zero point."""
    for dtype, zero_point in [("int8", -7), ("uint8", 130)]:
        model = new_model()
        graph = Graph(model)
        x = graph.input(dtype, [1, 2, 2, 1])
        bordered = graph.op("PAD", [x, graph.const(I([[0, 0], [1, 1], [2, 0], [0, 0]]))],
                            [(dtype, [1, 4, 4, 1])], options("PadOptions"))
        packed = graph.op("SPACE_TO_BATCH_ND", [x, graph.const(I([2, 2])), graph.const(I([[1, 1], [0, 2]]))],
                          [(dtype, [4, 2, 2, 1])], options("SpaceToBatchNDOptions"))
        graph.results(bordered, packed)
        for tensor in graph.graph.tensors:
            if tensor.type == tensor_type(dtype):
                tensor.quantization = schema.QuantizationParametersT()
                tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [zero_point]
        yield Whole("PAD", pack(model), [values(dtype, 1, 2, 2, 1)], f"quantized {dtype}")


def mirrors():
    modes = [("REFLECT", "reflect"), ("SYMMETRIC", "symmetric")]
    for mode, _ in modes:
        table = options("MirrorPadOptions", mode=getattr(schema.MirrorPadMode, mode))
        every = [((3,), [[1, 2]]), ((3,), [[0, 0]]), ((2, 3), [[0, 0], [2, 2]]), ((3, 3), [[2, 1], [0, 2]]),
                 ((2, 2, 3), [[1, 0], [1, 1], [0, 1]]), ((1, 3, 3, 2), [[0, 0], [1, 2], [2, 1], [0, 0]]),
                 ((2, 2, 2, 2, 3), [[1, 0], [0, 1], [0, 0], [1, 1], [2, 0]])]
        if mode == "SYMMETRIC":
            every += [((3,), [[3, 3]]), ((1, 2), [[1, 1], [2, 2]])]
        for shape, paddings in every:
            x = values("float32", *shape)
            for dtype in [I, L]:
                for inputs, how in operands(x, paddings, dtype):
                    yield Case("MIRROR_PAD", inputs, ["float32"], table,
                               name=f"{mode} {shape} {paddings} {np.dtype(dtype).name}{how}")
        for dtype in ["int8", "uint8", "int16", "int32", "int64"]:
            yield Case("MIRROR_PAD", [values(dtype, 3, 3), Const(I([[2, 1], [1, 2]]))], [dtype], table,
                       name=f"{mode} {dtype}")
        yield Case("MIRROR_PAD", [special(2, 5), Const(I([[1, 1], [1, 2]]))], ["float32"], table,
                   name=f"{mode} special")


def slices():
    def case(x, begin, size, dtype, given, name):
        arrays = [np.array(begin, dtype), np.array(size, dtype)]
        arrays = [a if kept else Const(a) for a, kept in zip(arrays, given)]
        return Case("SLICE", [x, *arrays], [x.dtype.name], options("SliceOptions"), name=name)

    for shape, begin, size in [
            ((5,), [1], [3]), ((5,), [0], [-1]), ((5,), [4], [1]), ((5,), [2], [-1]), ((4, 5), [1, 2], [2, 3]),
            ((4, 5), [0, 2], [-1, 2]), ((4, 5), [3, 0], [1, 5]), ((2, 3, 4), [1, 0, 2], [1, 2, -1]),
            ((2, 3, 4), [0, 0, 0], [2, 3, 4]), ((2, 3, 4, 2), [0, 1, 1, 0], [2, 1, 3, 1]),
            ((2, 3, 2, 4, 2), [1, 0, 0, 3, 0], [-1, 2, 2, 1, 2]), ((5,), [5], [0]), ((5,), [2], [0]),
            ((4, 5), [0, 5], [4, 0])]:
        for dtype in [I, L]:
            for given in itertools.product([False, True], repeat=2):
                if dtype == L and given[0] != given[1]:
                    continue
                yield case(numbers(shape, *size), begin, size, dtype, given,
                           f"{shape} {begin} {size} {np.dtype(dtype).name} {given}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool", "uint32"]:
        yield case(values(dtype, 3, 4), [1, 1], [2, 2], I, (False, False), dtype)
    yield case(special(4, 5), [1, 1], [2, 3], I, (False, False), "special")


def strided():
    def case(x, begin, end, steps, name, given=(False,) * 3, **masks):
        arrays = [np.array(v, I) for v in [begin, end, steps]]
        arrays = [a if kept else Const(a) for a, kept in zip(arrays, given)]
        return Case("STRIDED_SLICE", [x, *arrays], [x.dtype.name], options("StridedSliceOptions", **masks),
                    name=f"{name} {masks} {given}", version=8 if masks.get("offset") else 1)

    # Some of these are empty; of floats, there would be nothing to observe.
    x = values("int32", 5)
    for begin, end, step in itertools.product([-7, -2, 0, 1, 4, 6], [-7, -2, 0, 3, 5, 8], [1, 2, -1, -3]):
        yield case(x, [begin], [end], [step], f"{begin} {end} {step}")
    for begin, end, step, masks in itertools.product([-2, 1, 4], [-2, 3], [1, 2, -1, -2], range(1, 4)):
        yield case(x, [begin], [end], [step], f"{begin} {end} {step}", beginMask=masks & 1, endMask=masks >> 1)
    for begin, end, step in itertools.product([-3, 0, 2], [1, 2, 5], [1, 2]):
        if begin % 5 + end <= 5:  # Beyond the end, LiteRT reads what is not there.
            yield case(x, [begin], [end], [step], f"offset {begin} {end} {step}", offset=True)
    for begin in [-5, -1, 0, 4]:
        yield case(x, [begin], [begin + 1], [1], f"shrunk {begin}", shrinkAxisMask=1)
    y = values("float32", 3, 4, 5)
    for given in [(False,) * 3, (True,) * 3, (False, True, False)]:
        yield case(y, [0, 1, 2], [3, 4, 5], [1, 2, 1], "plain", given)
        yield case(y, [2, -1, 0], [0, 0, 5], [-1, -2, 2], "backwards", given)
        yield case(y, [1, 1, 1], [2, 3, 4], [1, 1, 1], "shrunk", given, shrinkAxisMask=0b101)
        yield case(y, [1, 1, 1], [2, 3, 4], [1, 1, 1], "open", given, beginMask=0b010, endMask=0b101)
        yield case(y, [1, 1, 0], [2, 3, 4], [1, 1, 1], "mixed", given, beginMask=0b100, endMask=0b010,
                   shrinkAxisMask=0b001)
        yield case(y, [1, 0], [2, 4], [1, 2], "fewer entries", given)
        yield case(y, [1], [2], [1], "one entry", given, shrinkAxisMask=1)
        yield case(y, [0, 1], [0, 3], [1, 1], "ellipsis first", given, ellipsisMask=0b01)
        yield case(y, [1, 0], [3, 0], [1, 1], "ellipsis last", given, ellipsisMask=0b10)
        yield case(y, [1, 0, 1], [3, 0, 4], [1, 1, 2], "ellipsis", given, ellipsisMask=0b010)
        # An ellipsis that stands for no axis takes one in LiteRT, and shifts the entries behind it.
        yield case(y, [0, 1, 0], [0, 3, 0], [1, 1, 1], "new axes", given, newAxisMask=0b101)
        yield case(y, [1, 0, 2], [2, 0, 4], [1, 1, 1], "new and shrunk", given, newAxisMask=0b010,
                   shrinkAxisMask=0b001)
        yield case(y, [0, 0, 2, 0], [0, 0, 4, 0], [1] * 4, "ellipsis and new", given, ellipsisMask=0b0001,
                   newAxisMask=0b1010, endMask=0)
    z = values("float32", 2, 3, 2, 4, 3)
    yield case(z, [0, 1, 0, 1, 0], [2, 3, 1, 4, 3], [1, 1, 1, 2, 1], "5 dimensions")
    yield case(z, [1, 2, 1, 3, 2], [-9, -9, -9, -9, -9], [-1, -1, -1, -2, -1], "5 dimensions backwards")
    yield case(z, [0, 1, 0, 1, 0], [2, 3, 1, 4, 3], [1] * 5, "5 dimensions shrunk", shrinkAxisMask=0b10100)
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool", "uint32"]:
        yield case(values(dtype, 3, 4), [0, 3], [3, 0], [2, -1], dtype)
    yield case(special(4, 5), [0, 4], [4, -6], [1, -1], "special")


def gathers():
    def case(x, indices, axis, batch_dims, name):
        dtype = np.asarray(getattr(x, "value", x)).dtype.name
        return Case("GATHER", [x, indices], [dtype], options("GatherOptions", axis=axis, batchDims=batch_dims),
                    name=name, version=7)

    for shape in [(5,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (2, 2, 3, 1, 2)]:
        for axis in range(-len(shape), len(shape)):
            for to in [(), (1,), (3,), (2, 2), (1, 2, 1)]:
                indices = rng.integers(0, shape[axis], to)
                dtype = [I, L][len(to) % 2]
                yield case(values("float32", *shape), indices.astype(dtype), axis, 0, f"{shape} {axis} {to}")
    for shape, axis, batch_dims, to in [((2, 3), 1, 1, (2, 2)), ((2, 3, 4), 1, 1, (2, 2)), ((2, 3, 4), 2, 1, (2, 3)),
                                        ((2, 3, 4), 2, 2, (2, 3, 2)), ((2, 3, 4), -1, -1, (2, 3, 2)),
                                        ((2, 3, 4, 2), 2, 1, (2, 1, 2)), ((2, 3, 4), 1, 1, (2,))]:
        indices = rng.integers(0, shape[axis], to).astype(I)
        yield case(values("float32", *shape), indices, axis, batch_dims, f"{shape} {axis} {batch_dims} {to}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool"]:
        yield case(values(dtype, 4, 3), I([2, 0, 3]), 0, 0, dtype)
        yield case(Const(values(dtype, 4, 3)), I([2, 0, 1]), 1, 0, f"constant {dtype}")
    yield case(values("float32", 4, 3), np.array([2, 0, 3], "int16"), 0, 0, "int16 indices")
    yield case(values("float32", 4, 3), Const(I([2, 0, 3])), 0, 0, "constant indices")
    yield case(values("int32", 4, 3), np.zeros(0, I), 0, 0, "no indices")
    yield case(special(2, 5), I([4, 0, 2, 2]), 1, 0, "special")
    for dtype in ["float32", "int8", "uint8", "int32", "int64"]:
        for shape, to in [((5, 3), (4,)), ((4, 2, 3), (2,)), ((3, 2, 1, 2, 2), (5,))]:
            indices = rng.integers(0, shape[0], to).astype(I)
            for table in [values(dtype, *shape), Const(values(dtype, *shape))]:
                yield Case("EMBEDDING_LOOKUP", [indices, table], [dtype], name=f"{shape} {to} {dtype}")


def cases():
    yield from reshapes()
    yield from squeezes()
    yield from expansions()
    yield from transpositions()
    yield from joins()
    yield from borders()
    yield from quantized_borders()
    yield from mirrors()
    yield from slices()
    yield from strided()
    yield from gathers()
