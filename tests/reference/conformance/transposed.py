"""Transposed convolutions of planes and volumes.

Left out: shapes of the output from which a convolution would not give the input (LiteRT reads and writes
outside its buffers), and CONV_3D_TRANSPOSE with another number of output channels than the filter's, which
LiteRT leaves uninitialised.
"""
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from suite import Case, Const, options

rng = np.random.default_rng(11)
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
ACTIVATIONS = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6"]


def values(*shape):
    """Few bits, so that the file is small."""
    return (rng.integers(-16, 17, shape) / 8).astype("f4")


def activation(name):
    return getattr(schema.ActivationFunctionType, name)


def inner(padding, out, taps, stride, dilation=1):
    """Positions of the input."""
    reach = (taps - 1) * dilation + 1
    return -(-out // stride) if padding == SAME else -(-(out + 1 - reach) // stride)


def plane(out, channels, taps, stride, padding, name, batch=1, bias=True, fused="NONE", wrap=(True,) * 3,
          special=False):
    shape = [batch, *out, channels[1]]
    size = [inner(padding, o, t, s) for o, t, s in zip(out, taps, stride)]
    data = values(batch, *size, channels[0])
    if special:
        # Not infinities: LiteRT bounds results to the largest floats even without an activation.
        data[0, 1, 1, 0], data[0, 2, 2, 1], data[0, 0, 2, 0] = 1e-40, np.nan, np.finfo("f4").min / 8
    kept = [np.array(shape, "i4"), values(channels[1], *taps, channels[0]), values(channels[1])]
    kept = [Const(value) if const else value for value, const in zip(kept, wrap)]
    inputs = [kept[0], kept[1], data] + ([kept[2]] if bias else [])
    attributes = options("TransposeConvOptions", padding=padding, strideH=stride[0], strideW=stride[1],
                         fusedActivationFunction=activation(fused))
    version = 4 if fused != "NONE" else 3 if bias else 1
    return Case("TRANSPOSE_CONV", inputs, ["f4"], attributes, name=name, version=version)


def volume(out, channels, taps, stride, padding, name, batch=1, bias=True, fused="NONE", dilation=(1, 1, 1),
           wrap=(True,) * 3):
    shape = [batch, *out, channels[1]]
    size = [inner(padding, o, t, s, d) for o, t, s, d in zip(out, taps, stride, dilation)]
    kept = [np.array(shape, "i4"), values(*taps, channels[1], channels[0]), values(channels[1])]
    kept = [Const(value) if const else value for value, const in zip(kept, wrap)]
    inputs = [kept[0], kept[1], values(batch, *size, channels[0])] + ([kept[2]] if bias else [])
    attributes = options(
        "Conv3DOptions", padding=padding, strideD=stride[0], strideH=stride[1], strideW=stride[2],
        dilationDFactor=dilation[0], dilationHFactor=dilation[1], dilationWFactor=dilation[2],
        fusedActivationFunction=activation(fused))
    return Case("CONV_3D_TRANSPOSE", inputs, ["f4"], attributes, name=name)


def cases():
    out = []
    number = 0
    for padding, text in [(SAME, "same"), (VALID, "valid")]:
        for taps, stride in [((2, 2), (2, 2)), ((4, 4), (2, 2)), ((3, 3), (2, 2)), ((3, 3), (1, 1)),
                             ((1, 1), (1, 1)), ((5, 3), (1, 2)), ((2, 3), (3, 2)), ((1, 2), (2, 3)),
                             ((7, 7), (4, 4))]:
            for size, channels in [((8, 8), (3, 4)), ((9, 7), (5, 17)), ((10, 8), (2, 1))]:
                number += 1
                name = f"{text} {taps} stride {stride} to {size} channels {channels}"
                out.append(plane(size, channels, taps, stride, padding, name, batch=1 + number % 2,
                                 bias=number % 3 > 0, fused=ACTIVATIONS[number % 4]))
    for name, wrap in [("shape of the record", (False, True, True)), ("filter", (True, False, True)),
                       ("bias", (True, True, False)), ("all", (False, False, False))]:
        out.append(plane((7, 6), (3, 5), (3, 3), (2, 2), SAME, f"record: {name}", batch=2, wrap=wrap))
    out.append(plane((8, 8), (2, 3), (2, 2), (2, 2), SAME, "special tiles", special=True))
    out.append(plane((7, 7), (2, 3), (3, 3), (2, 2), SAME, "special", special=True))

    number = 0
    for padding, text in [(SAME, "same"), (VALID, "valid")]:
        for taps, stride, dilation in [
                ((2, 2, 2), (2, 2, 2), (1, 1, 1)), ((3, 3, 3), (2, 2, 2), (1, 1, 1)),
                ((3, 2, 1), (1, 2, 1), (1, 1, 1)), ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
                ((2, 2, 2), (1, 1, 1), (2, 1, 2)), ((2, 3, 2), (1, 1, 2), (1, 2, 3))]:
            for size, channels in [((4, 5, 6), (3, 4)), ((5, 6, 7), (2, 7))]:
                number += 1
                fused = ACTIVATIONS[number % 4]
                name = f"{text} {taps} stride {stride} dilation {dilation} to {size}"
                out.append(volume(size, channels, taps, stride, padding, name, batch=1 + number % 2,
                                  bias=number % 3 > 0, fused=fused, dilation=dilation))
    for name, wrap in [("shape of the record", (False, True, True)), ("filter", (True, False, True)),
                       ("all", (False, False, False))]:
        out.append(volume((4, 5, 6), (3, 5), (3, 3, 3), (2, 2, 2), SAME, f"record: {name}", wrap=wrap))
    return out
