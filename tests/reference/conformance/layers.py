"""Layers with weights, and pooling, over floats.

Values are multiples of 1/4, so that sums are the same in any order. A fused TANH is not here: LiteRT does
not apply it in most of these operators, the recorder does.
"""
import itertools

import numpy as np

from suite import Case, Const, given, litert, model_of, options

rng = np.random.default_rng(21)

SAME, VALID = 0, 1
ACTIVATIONS = {"relu": 1, "relu_n1_to_1": 2, "relu6": 3}


def values(*shape):
    return rng.integers(-4, 5, shape).astype("f4") / 4


def sliding(table, padding, strides=(1, 1), dilations=(1, 1), activation=0, **more):
    return options(f"{table}Options", padding=padding, strideH=strides[0], strideW=strides[1],
                   dilationHFactor=dilations[0], dilationWFactor=dilations[1],
                   fusedActivationFunction=activation, **more)


# Convolutions of 3x3 with stride 1 may be computed with fewer multiplications, which round.
ROUNDED = (1e-5, 2e-5)


def without_bias(operator, attributes, channels):
    """LiteRT's result for a bias of zeros, as it does not take convolutions without."""
    def reference(image, weights, _):
        operands = [image, Const(weights), Const(np.zeros(channels, "f4"))]
        case = Case(operator, operands, ["f4"], attributes)
        return litert(model_of(case, [[]]), given(case))
    return reference


def convolution(image, filters, padding, name, bias=True, constant=True, **how):
    weights, biases = values(*filters), values(filters[0])
    kept = Const if constant else np.asarray
    operands = [values(*image), kept(weights), kept(biases) if bias else None]
    attributes = sliding("Conv2D", padding, **how)
    tolerance = ROUNDED if filters[1:3] == (3, 3) else (1e-5, 1e-6)
    reference = None if bias else without_bias("CONV_2D", attributes, filters[0])
    return Case("CONV_2D", operands, ["f4"], attributes, name=name, tolerance=tolerance, reference=reference)


def convolutions():
    for taps in [(1, 1), (1, 3), (3, 3), (2, 2), (5, 5), (7, 1), (11, 11)]:
        for padding, strides in itertools.product([SAME, VALID], [(1, 1), (2, 2), (3, 1)]):
            name = f"{taps} padding {padding} strides {strides}"
            yield convolution((1, 11, 12, 2), (3, *taps, 2), padding, name, strides=strides)
    for taps, dilations in [((3, 3), (2, 2)), ((3, 3), (1, 3)), ((2, 3), (4, 2)), ((1, 1), (5, 5))]:
        for padding in [SAME, VALID]:
            name = f"{taps} padding {padding} dilations {dilations}"
            yield convolution((1, 12, 11, 4), (6, *taps, 4), padding, name, dilations=dilations)
    yield convolution((1, 12, 11, 4), (6, 3, 3, 4), SAME, "strides and dilations", strides=(2, 1), dilations=(2, 3))
    for channels, filters in [(1, 1), (1, 17), (8, 16), (19, 33), (40, 1)]:
        for taps in [(1, 1), (3, 3)]:
            name = f"{taps} channels {channels} to {filters}"
            yield convolution((1, 6, 7, channels), (filters, *taps, channels), SAME, name)
    for groups, channels, filters in [(2, 4, 6), (4, 8, 4), (3, 9, 15), (6, 6, 6), (5, 5, 10), (2, 32, 16)]:
        for taps, strides in [((1, 1), (1, 1)), ((3, 3), (1, 1)), ((3, 2), (2, 1))]:
            name = f"{groups} groups, channels {channels} to {filters}, {taps} strides {strides}"
            filters_shape = (filters, *taps, channels // groups)
            yield convolution((2, 6, 5, channels), filters_shape, SAME, name, strides=strides)
    for batch in [2, 3, 5]:
        yield convolution((batch, 5, 4, 3), (4, 3, 3, 3), SAME, f"batch {batch}")
    for image, taps, padding in [((1, 1, 1, 1), (1, 1), VALID), ((1, 1, 1, 3), (3, 3), SAME), ((1, 1, 9, 2), (1, 4), VALID),
                                 ((1, 9, 1, 2), (4, 1), VALID), ((1, 3, 3, 2), (3, 3), VALID), ((1, 2, 2, 2), (5, 5), SAME)]:
        yield convolution(image, (3, *taps, image[3]), padding, f"{image} {taps}")
    for title, activation in ACTIVATIONS.items():
        for taps, groups in [((1, 1), 1), ((3, 3), 1), ((3, 3), 2)]:
            filters = (6, *taps, 4 // groups)
            yield convolution((2, 5, 6, 4), filters, SAME, f"{title} {taps} {groups} groups", activation=activation)
    for taps, groups in [((1, 1), 1), ((3, 3), 1), ((5, 5), 1), ((3, 3), 2), ((3, 3), 4)]:
        filters = (8, *taps, 4 // groups)
        yield convolution((1, 6, 6, 4), filters, SAME, f"{taps} {groups} groups, no bias", bias=False)
        yield convolution((1, 6, 6, 4), filters, SAME, f"{taps} {groups} groups, of the record", constant=False)
    weights, biases = values(8, 3, 3, 4), values(8)
    operands = [values(1, 6, 6, 4), Const(weights), biases]
    yield Case("CONV_2D", operands, ["f4"], sliding("Conv2D", SAME), name="bias of the record", tolerance=ROUNDED)


def depthwise(image, taps, multiplier, padding, name, bias=True, constant=True, **how):
    outputs = image[3] * multiplier
    kept = Const if constant else np.asarray
    operands = [values(*image), kept(values(1, *taps, outputs)), kept(values(outputs)) if bias else None]
    attributes = sliding("DepthwiseConv2D", padding, depthMultiplier=multiplier, **how)
    reference = None if bias else without_bias("DEPTHWISE_CONV_2D", attributes, outputs)
    return Case("DEPTHWISE_CONV_2D", operands, ["f4"], attributes, name=name, reference=reference)


def depthwise_convolutions():
    for taps in [(1, 1), (3, 3), (2, 3), (5, 5), (1, 7)]:
        for padding, strides, multiplier in itertools.product([SAME, VALID], [(1, 1), (2, 2)], [1, 3]):
            name = f"{taps} padding {padding} strides {strides} multiplier {multiplier}"
            yield depthwise((1, 9, 10, 5), taps, multiplier, padding, name, strides=strides)
    for dilations in [(2, 2), (1, 3), (4, 1)]:
        for multiplier, padding in itertools.product([1, 2], [SAME, VALID]):
            name = f"dilations {dilations} multiplier {multiplier} padding {padding}"
            yield depthwise((1, 11, 12, 4), (3, 3), multiplier, padding, name, dilations=dilations)
    for channels in [1, 3, 8, 16, 33]:
        yield depthwise((1, 5, 6, channels), (3, 3), 1, SAME, f"channels {channels}")
    yield depthwise((1, 5, 6, 1), (3, 3), 20, SAME, "one channel, multiplier 20")
    for batch in [2, 5]:
        yield depthwise((batch, 5, 6, 7), (3, 3), 1, SAME, f"batch {batch}")
        yield depthwise((batch, 5, 6, 3), (3, 3), 2, VALID, f"batch {batch} multiplier 2")
    for title, activation in ACTIVATIONS.items():
        yield depthwise((1, 5, 6, 7), (3, 3), 1, SAME, title, activation=activation)
        yield depthwise((1, 5, 6, 3), (3, 3), 2, SAME, f"{title} multiplier 2", activation=activation)
    for multiplier in [1, 2]:
        yield depthwise((1, 5, 6, 4), (3, 3), multiplier, SAME, f"no bias, multiplier {multiplier}", bias=False)
        yield depthwise((1, 5, 6, 4), (3, 3), multiplier, SAME, f"of the record, multiplier {multiplier}", constant=False)
    for image, taps, padding in [((1, 1, 1, 1), (1, 1), VALID), ((1, 1, 1, 3), (3, 3), SAME), ((1, 2, 2, 2), (5, 5), SAME)]:
        yield depthwise(image, taps, 1, padding, f"{image} {taps}")


def pooling():
    for name in ["MAX_POOL_2D", "AVERAGE_POOL_2D"]:
        def pool(image, taps, padding, title, strides=(1, 1), activation=0):
            attributes = options("Pool2DOptions", padding=padding, strideH=strides[0], strideW=strides[1],
                                 filterHeight=taps[0], filterWidth=taps[1], fusedActivationFunction=activation)
            return Case(name, [values(*image)], ["f4"], attributes, name=title)

        for taps, strides in [((1, 1), (1, 1)), ((2, 2), (2, 2)), ((3, 3), (2, 2)), ((3, 2), (1, 3)), ((5, 5), (1, 1)), ((7, 7), (7, 7)),
                              ((1, 1), (2, 3)), ((2, 2), (3, 3))]:
            for padding in [SAME, VALID]:
                yield pool((1, 9, 8, 5), taps, padding, f"{taps} strides {strides} padding {padding}", strides)
        for channels in [1, 3, 16, 33]:
            yield pool((1, 6, 5, channels), (3, 3), SAME, f"channels {channels}")
        for batch in [2, 5]:
            yield pool((batch, 6, 5, 4), (2, 2), VALID, f"batch {batch}", (2, 2))
        for image, taps in [((1, 1, 1, 1), (1, 1)), ((1, 1, 1, 3), (4, 4)), ((1, 2, 3, 2), (9, 9)), ((1, 1, 7, 2), (1, 3))]:
            yield pool(image, taps, SAME, f"{image} {taps}")
        for title, activation in ACTIVATIONS.items():
            yield pool((1, 6, 5, 4), (2, 2), SAME, title, (2, 2), activation)


def fully_connected():
    def case(shape, n, name, k=None, bias=True, constant=True, **how):
        k = k or shape[-1]
        kept = Const if constant else np.asarray
        operands = [values(*shape), kept(values(n, k)), kept(values(n)) if bias else None]
        return Case("FULLY_CONNECTED", operands, ["f4"], options("FullyConnectedOptions", **how), name=name)

    for shape in [(7,), (1, 7), (5, 7), (2, 3, 7), (2, 1, 3, 7), (1, 2, 1, 3, 7)]:
        yield case(shape, 9, f"{shape}")
        yield case(shape, 9, f"{shape} kept", keepNumDims=True)
    for shape, k in [((2, 3, 4), 12), ((4, 6), 12), ((2, 2, 2, 3), 6)]:
        yield case(shape, 5, f"{shape} as rows of {k}", k)
    for shape, n in [((1, 1), 1), ((1, 65), 1), ((3, 1), 70), ((17, 33), 40), ((1, 128), 16)]:
        yield case(shape, n, f"{shape} to {n}")
    for title, activation in ACTIVATIONS.items():
        yield case((3, 7), 9, title, fusedActivationFunction=activation)
        yield case((3, 7), 9, f"{title} of the record", constant=False, fusedActivationFunction=activation)
    yield case((3, 7), 9, "no bias", bias=False)
    yield case((3, 7), 9, "no bias, of the record", bias=False, constant=False)
    yield case((3, 7), 9, "of the record", constant=False)
    yield case((3, 7), 9, "asymmetric", asymmetricQuantizeInputs=True)
    operands = [values(3, 7), Const(values(9, 7)), values(9)]
    yield Case("FULLY_CONNECTED", operands, ["f4"], options("FullyConnectedOptions"), name="bias of the record")
    operands = [values(3, 7), Const(values(9, 7))]
    yield Case("FULLY_CONNECTED", operands, ["f4"], options("FullyConnectedOptions"), name="two operands")


def batch_matmul():
    batches = [((), ()), ((2, 3), (2, 3)), ((6,), (1,)), ((6,), ()), ((1,), (6,)), ((), (4,)), ((2, 1), (3,)),
               ((2, 1, 3), (2, 2, 1)), ((1, 1), (2, 3)), ((1, 3), (2, 1))]
    for (left, right), (x, y) in itertools.product(batches, itertools.product([False, True], repeat=2)):
        m, k, n = 3, 7, 5
        a = values(*left, *((k, m) if x else (m, k)))
        b = values(*right, *((n, k) if y else (k, n)))
        attributes = options("BatchMatMulOptions", adjX=x, adjY=y)
        yield Case("BATCH_MATMUL", [a, b], ["f4"], attributes, name=f"{a.shape} {b.shape} adj {x} {y}")
        if len(left) < 2:
            name = f"{a.shape} constant {b.shape} adj {x} {y}"
            yield Case("BATCH_MATMUL", [a, Const(b)], ["f4"], attributes, name=name)
    for m, k, n in [(1, 1, 1), (1, 33, 1), (17, 1, 18), (1, 20, 40), (40, 20, 1)]:
        for x, y in itertools.product([False, True], repeat=2):
            a, b = values(2, *((k, m) if x else (m, k))), values(2, *((n, k) if y else (k, n)))
            attributes = options("BatchMatMulOptions", adjX=x, adjY=y)
            yield Case("BATCH_MATMUL", [a, b], ["f4"], attributes, name=f"{m} {k} {n} adj {x} {y}")


def cases():
    yield from convolutions()
    yield from depthwise_convolutions()
    yield from pooling()
    yield from fully_connected()
    yield from batch_matmul()
