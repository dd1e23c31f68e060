"""Quantized numbers, and weights of them beside activations that are floats."""
import numpy as np

from suite import Case, Const, Scales, given, litert, model_of, options

rng = np.random.default_rng(22)

DEQUANTIZE, QUANTIZE = options("DequantizeOptions"), options("QuantizeOptions")


def numbers(dtype, *shape):
    """Any of a type; those of INT4 in bytes."""
    low, high = (-8, 7) if dtype == "INT4" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return rng.integers(low, high, shape, "i8", endpoint=True).astype("i1" if dtype == "INT4" else dtype)


def meaning(values, scales):
    """The floats that numbers stand for."""
    values = np.asarray(values)
    shape = [1] * values.ndim
    if np.size(scales.scale) > 1:
        shape[scales.axis] = -1
    zero_point = scales.zero_point if scales.zero_point is not None else 0
    offsets = values.astype("i8") - np.reshape(zero_point, shape if np.size(zero_point) > 1 else [])
    return np.reshape(np.array(scales.scale, "f4"), shape if np.size(scales.scale) > 1 else []) * offsets.astype("f4")


def dequantized():
    def case(values, scales, name, reference=None):
        return Case("DEQUANTIZE", [values], ["f4"], DEQUANTIZE, name=name, scales={0: scales}, reference=reference)

    single = {"i1": Scales(0.5, [3]), "u1": Scales(0.037, [128]), "i2": Scales(0.001), "INT4": Scales(0.3, [-2])}
    for dtype, scales in single.items():
        for shape in [(), (1,), (9,), (2, 3), (2, 1, 3, 2, 5)]:
            # Values of half a byte are always constants.
            values = Const(numbers(dtype, *shape), dtype) if dtype == "INT4" else numbers(dtype, *shape)
            yield case(values, scales, f"{dtype} {shape}")
        if dtype != "INT4":
            yield case(Const(numbers(dtype, 2, 5)), scales, f"{dtype} constant")
    for dtype in ["i1", "u1", "INT4"]:
        for axis, shape in [(0, (3, 4)), (1, (3, 4)), (1, (2, 3, 5)), (2, (2, 3, 4)), (3, (1, 2, 2, 6)), (0, (3,))]:
            n = shape[axis]
            scales = Scales(rng.uniform(0.01, 2, n), rng.integers(-5, 6, n), axis)
            values = numbers(dtype, *shape)
            yield case(Const(values, dtype if dtype == "INT4" else ""), scales, f"{dtype} {shape} along {axis}")
            if dtype != "INT4":
                yield case(values, scales, f"{dtype} {shape} along {axis} of the record")
    # LiteRT has neither INT32 nor slices of INT16.
    for dtype, scales in [("i4", Scales(0.001, [7])), ("i2", Scales([0.5, 0.25], [0, 0]))]:
        yield case(numbers(dtype, 2, 5), scales, f"{dtype} {scales.axis}", lambda v, s=scales: [meaning(v, s)])
    halves = np.array([0, -0.0, 1.5, -0.1, 65504, 6e-8, -6e-5, np.inf, -np.inf, np.nan], "f2")
    for values, name in [(halves, "of the record"), (Const(halves), "constant"), (np.array(0.5, "f2"), "scalar"),
                         (np.arange(60, dtype="f2").reshape(1, 2, 3, 2, 5), "rank 5")]:
        yield Case("DEQUANTIZE", [values], ["f4"], DEQUANTIZE, name=f"f2 {name}")


def quantized():
    # Within the range of LiteRT's conversion to an integer: it makes the lowest number of larger ones, of
    # infinity as of NaN.
    floats = np.array([np.nan, 0, -0.0, 1e-40, 1e6, -1e6, 0.25, 0.75, -0.25, -0.75, 1.25], "f4")
    for dtype, span, zero_point in [("int8", 140, 3), ("uint8", 140, 130), ("int16", 33000, 0), ("int16", 33000, 5)]:
        for scale in [0.5, 0.1, 0.037]:
            values = np.concatenate([floats, rng.uniform(-span, span, 60).astype("f4") * np.float32(scale)])
            scales = {-1: Scales(scale, [zero_point])}
            yield Case("QUANTIZE", [values], [dtype], QUANTIZE, name=f"{dtype} {scale} {zero_point}", scales=scales)
        for shape, axis in [((2, 9), 0), ((2, 3), 1), ((3, 2, 4), 1), ((1, 2, 2, 5), 3)]:
            n = shape[axis]
            values = rng.integers(-9, 10, shape).astype("f4") / 4
            scales = {-1: Scales(rng.choice([0.5, 0.25, 0.1, 0.037], n), [zero_point] * n, axis)}
            name = f"{dtype} {zero_point} {shape} along {axis}"
            yield Case("QUANTIZE", [values], [dtype], QUANTIZE, name=name, scales=scales)
        for shape in [(), (1,), (2, 3, 1, 2, 2)]:
            values = rng.uniform(-9, 9, shape).astype("f4")
            scales = {-1: Scales(0.5, [zero_point])}
            yield Case("QUANTIZE", [values], [dtype], QUANTIZE, name=f"{dtype} {zero_point} {shape}", scales=scales)
    values = Const(rng.uniform(-9, 9, 9).astype("f4"))
    yield Case("QUANTIZE", [values], ["int8"], QUANTIZE, name="constant", scales={-1: Scales(0.1, [1])})


def requantized():
    pairs = [("i1", "int8"), ("u1", "int8"), ("i1", "uint8"), ("u1", "uint8"), ("i1", "int16"), ("i2", "int8"),
             ("i2", "int16"), ("i2", "int32"), ("i4", "int8"), ("i4", "int16")]
    for dtype, other in pairs:
        # LiteRT's loops over 16 bytes round shifted products in another way than its other loops.
        is_bytes = dtype[1] == "1" and other.endswith("8")
        for scale, other_scale in [(0.5, 0.3), (0.037, 0.01), (0.5, 0.5), (1e-5, 3.0)] + [(0.1, 0.71)] * (not is_bytes):
            zero_point = {"i1": -7, "u1": 121}.get(dtype, 0)
            other_zero_point = {"int8": 3, "uint8": 131, "int16": 0, "int32": 0}[other]
            values = numbers("i2", 60).astype("i4") * 9 if dtype == "i4" else numbers(dtype, 60)
            scales = {0: Scales(scale, [zero_point]), -1: Scales(other_scale, [other_zero_point])}
            name = f"{dtype} {other} {scale} {other_scale}"
            yield Case("QUANTIZE", [values], [other], QUANTIZE, name=name, scales=scales)
    for dtype, other in [("u1", "int8"), ("i1", "uint8")]:
        # A change of type only.
        scales = {0: Scales(0.5, [5 if dtype == "i1" else 133]), -1: Scales(0.5, [5 if other == "int8" else 133])}
        yield Case("QUANTIZE", [numbers(dtype, 60)], [other], QUANTIZE, name=f"{dtype} as {other}", scales=scales)


def rounded():
    """FAKE_QUANT."""
    values = np.concatenate([np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1e-40], "f4"), rng.uniform(-8, 8, 60).astype("f4")])
    for bits in [1, 2, 4, 8, 12, 16]:
        for low, high in [(-1, 1), (-6, 6), (0, 6), (-0.1, 5.3), (-7, 0), (1, 3), (-3, -1)]:
            attributes = options("FakeQuantOptions", min=low, max=high, numBits=bits)
            yield Case("FAKE_QUANT", [values], ["f4"], attributes, name=f"{bits} bits {low} {high}")
    for shape in [(), (1,), (2, 1, 3, 2, 5)]:
        attributes = options("FakeQuantOptions", min=-3, max=4, numBits=8)
        yield Case("FAKE_QUANT", [rng.uniform(-5, 5, shape).astype("f4")], ["f4"], attributes, name=f"{shape}")
    # LiteRT refuses a narrow range: TensorFlow's formula.
    for bits, low, high in [(2, -1, 1), (8, -6, 6), (8, -0.1, 5.3), (16, -3, 2)]:
        attributes = options("FakeQuantOptions", min=low, max=high, numBits=bits, narrowRange=True)
        scale = np.float32(high - low) / np.float32(2**bits - 2)
        zero = np.float32(np.round(1 - np.float32(low) / scale))

        def narrow(x, first=(1 - zero) * scale, last=(2**bits - 1 - zero) * scale, scale=scale):
            clamped = np.fmin(np.fmax(x, first), last)
            return [np.floor((clamped - first) * (np.float32(1) / scale) + np.float32(0.5)) * scale + first]

        name = f"{bits} bits {low} {high} narrow"
        yield Case("FAKE_QUANT", [values], ["f4"], attributes, name=name, reference=narrow)


def weight_only(operator, inputs, at, scales, attributes, name):
    """LiteRT quantizes the other operand as well; here, its result for the floats that the weights stand for."""
    def reference(*_):
        operands = list(inputs)
        operands[at] = Const(meaning(inputs[at].value, scales))
        case = Case(operator, operands, ["f4"], attributes)
        return litert(model_of(case, [[]]), given(case))

    return Case(operator, inputs, ["f4"], attributes, name=name, scales={at: scales}, reference=reference)


def weights(dtype, *shape):
    return Const(numbers(dtype, *shape), dtype if dtype == "INT4" else "")


def floats(*shape):
    return rng.integers(-4, 5, shape).astype("f4") / 4


def layers():
    # Scales are powers of two, so that sums are the same in any order.
    for dtype in ["i1", "INT4"]:
        for title, scales in [("one", lambda n, axis: Scales(0.25)),
                              ("each", lambda n, axis: Scales(2.0 ** rng.integers(-4, 1, n), [0] * n, axis))]:
            name = f"{dtype} {title}"
            attributes = options("FullyConnectedOptions", fusedActivationFunction=1)
            operands = [floats(3, 7), weights(dtype, 9, 7), Const(floats(9))]
            yield weight_only("FULLY_CONNECTED", operands, 1, scales(9, 0), attributes, name)
            operands = [floats(3, 7), weights(dtype, 9, 7), floats(9)]
            yield weight_only("FULLY_CONNECTED", operands, 1, scales(9, 0), attributes, f"{name}, bias of the record")
            attributes = options("FullyConnectedOptions", keepNumDims=True, asymmetricQuantizeInputs=True)
            operands = [floats(2, 3, 7), weights(dtype, 9, 7), None]
            yield weight_only("FULLY_CONNECTED", operands, 1, scales(9, 0), attributes, f"{name}, no bias")
            for taps, channels, stride in [((1, 1), 4, 1), ((3, 3), 4, 1), ((5, 5), 4, 2), ((3, 3), 2, 1), ((3, 3), 1, 1)]:
                attributes = options("Conv2DOptions", padding=0, strideH=stride, strideW=stride, dilationHFactor=1,
                                     dilationWFactor=1, fusedActivationFunction=3)
                operands = [floats(1, 6, 5, 4), weights(dtype, 8, *taps, channels), Const(floats(8))]
                title = f"{name} {taps} of {channels} channels"
                case = weight_only("CONV_2D", operands, 1, scales(8, 0), attributes, title)
                # With fewer multiplications, which round.
                case.tolerance = (1e-5, 1e-4)
                yield case
            attributes = options("Conv2DOptions", strideH=1, strideW=1, dilationHFactor=1, dilationWFactor=1)
            operands = [floats(1, 6, 5, 4), weights(dtype, 8, 2, 2, 4), floats(8)]
            yield weight_only("CONV_2D", operands, 1, scales(8, 0), attributes, f"{name}, bias of the record")
            for multiplier in [1, 2]:
                attributes = options("DepthwiseConv2DOptions", padding=0, strideH=1, strideW=1, dilationHFactor=1,
                                     dilationWFactor=1, depthMultiplier=multiplier)
                n = 4 * multiplier
                operands = [floats(1, 6, 5, 4), weights(dtype, 1, 3, 3, n), Const(floats(n))]
                title = f"{name} multiplier {multiplier}"
                yield weight_only("DEPTHWISE_CONV_2D", operands, 1, scales(n, 3), attributes, title)
            for turned in [False, True]:
                attributes = options("BatchMatMulOptions", adjY=turned)
                shape = (2, 5, 7) if turned else (2, 7, 5)
                operands = [floats(2, 3, 7), weights(dtype, *shape)]
                title = f"{name} adj {turned}"
                yield weight_only("BATCH_MATMUL", operands, 1, scales(5, 1 if turned else 2), attributes, title)
    # Old converters wrote signed weights as UINT8, without a zero point.
    attributes = options("FullyConnectedOptions")
    case = weight_only("FULLY_CONNECTED", [floats(3, 7), weights("i1", 9, 7), Const(floats(9))], 1, Scales(0.25),
                       attributes, "signed u1")
    signed = case.inputs[1].value
    case.inputs = [case.inputs[0], Const(signed.view("u1")), case.inputs[2]]
    yield case
    # Others have one.
    scales = Scales(0.25, [128])
    operands = [floats(3, 7), weights("u1", 9, 7), Const(floats(9))]
    yield weight_only("FULLY_CONNECTED", operands, 1, scales, attributes, "u1")


def shuffled():
    """Circle's weights in blocks of 16 rows, each column by column."""
    for n, k in [(16, 1), (16, 5), (48, 7)]:
        rows = floats(n, k)
        blocks = rows.reshape(n // 16, 16, k).transpose(0, 2, 1).reshape(n, k)
        attributes = options("FullyConnectedOptions", fusedActivationFunction=1, weightsFormat=127)

        def reference(x, _, bias, rows=rows):
            plain = options("FullyConnectedOptions", fusedActivationFunction=1)
            case = Case("FULLY_CONNECTED", [x, Const(rows), Const(bias)], ["f4"], plain)
            return litert(model_of(case, [[]]), given(case))

        for bias, title in [(Const(floats(n)), ""), (floats(n), ", bias of the record")]:
            operands, name = [floats(3, k), Const(blocks), bias], f"shuffled {n} {k}{title}"
            yield Case("FULLY_CONNECTED", operands, ["f4"], attributes, name=name, reference=reference)


def tables():
    indices = np.array([2, 0, 2, 1], "i4")
    for dtype in ["i1", "u1", "INT4"]:
        for shape in [(3, 6), (3, 5), (3, 2, 3), (3, 1)]:
            for title, scales in [("one", Scales(0.3)), ("each", Scales([0.3, 0.2, 0.7], [0, 0, 0]))]:
                table = weights(dtype, *shape)
                # LiteRT loses the second half of a byte between rows.
                is_lost = dtype == "INT4" and np.prod(shape[1:]) % 2 == 1
                reference = (lambda i, t, s=scales: [meaning(t, s)[i]]) if is_lost else None
                yield Case("EMBEDDING_LOOKUP", [indices, table], ["f4"], name=f"{dtype} {shape} {title}",
                           scales={1: scales}, reference=reference)
    for dtype in ["f4", "i1", "u1", "i4"]:
        table = numbers(dtype, 3, 4) if dtype != "f4" else floats(3, 4)
        for kept in [Const, np.asarray]:
            name = f"{dtype} as it is {kept.__name__}"
            yield Case("EMBEDDING_LOOKUP", [indices, kept(table)], [np.dtype(dtype).name], name=name)
    for axis, shape, of in [(0, (3, 5), (4,)), (1, (2, 3, 3), (2, 2)), (-1, (2, 3), (3,))]:
        picks = rng.integers(0, shape[axis], of).astype("i4")
        attributes = options("GatherOptions", axis=axis)
        for dtype in ["i1", "INT4"]:
            # As above.
            take = lambda values, picks, axis=axis: [np.take(values, picks, axis)]
            yield Case("GATHER", [weights(dtype, *shape), picks], ["int8"], attributes, name=f"{dtype} {shape} along {axis}",
                       scales={0: Scales(0.5)}, reference=take if dtype == "INT4" else None)


def cases():
    yield from dequantized()
    yield from quantized()
    yield from requantized()
    yield from rounded()
    yield from layers()
    yield from shuffled()
    yield from tables()
