"""Convolutions of volumes."""
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from suite import Case, Const, options

rng = np.random.default_rng(12)
ACTIVATIONS = ["NONE", "RELU", "RELU_N1_TO_1", "RELU6"]


def values(*shape):
    """Few bits, so that the file is small."""
    return (rng.integers(-16, 17, shape) / 8).astype("f4")


def volume(size, channels, taps, stride, padding, name, batch=1, bias=True, fused="NONE", dilation=(1, 1, 1),
           wrap=(True, True)):
    kept = [values(*taps, *channels), values(channels[1])]
    kept = [Const(value) if const else value for value, const in zip(kept, wrap)]
    inputs = [values(batch, *size, channels[0]), kept[0]] + ([kept[1]] if bias else [])
    attributes = options(
        "Conv3DOptions", padding=padding, strideD=stride[0], strideH=stride[1], strideW=stride[2],
        dilationDFactor=dilation[0], dilationHFactor=dilation[1], dilationWFactor=dilation[2],
        fusedActivationFunction=getattr(schema.ActivationFunctionType, fused))
    return Case("CONV_3D", inputs, ["f4"], attributes, name=name)


def cases():
    out = []
    number = 0
    for padding, text in [(schema.Padding.SAME, "same"), (schema.Padding.VALID, "valid")]:
        for taps, stride, dilation in [
                ((3, 3, 3), (1, 1, 1), (1, 1, 1)), ((2, 2, 2), (2, 2, 2), (1, 1, 1)),
                ((3, 2, 1), (1, 2, 3), (1, 1, 1)), ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
                ((1, 3, 3), (1, 1, 1), (1, 1, 1)), ((2, 2, 2), (1, 1, 1), (3, 1, 2)),
                ((2, 3, 2), (1, 1, 1), (2, 2, 1)), ((4, 1, 4), (3, 1, 2), (1, 1, 1))]:
            for size, channels in [((5, 6, 7), (3, 4)), ((4, 5, 5), (17, 2)), ((6, 5, 8), (1, 5))]:
                number += 1
                name = f"{text} {taps} stride {stride} dilation {dilation} of {size} channels {channels}"
                out.append(volume(size, channels, taps, stride, padding, name, batch=1 + number % 2,
                                  bias=number % 3 > 0, fused=ACTIVATIONS[number % 4], dilation=dilation))
    for name, wrap in [("filter", (False, True)), ("bias", (True, False)), ("both", (False, False))]:
        out.append(volume((4, 5, 6), (3, 5), (3, 3, 3), (2, 2, 2), schema.Padding.SAME, f"record: {name}",
                          batch=2, wrap=wrap))
    special = volume((3, 4, 5), (2, 3), (2, 2, 2), (1, 1, 1), schema.Padding.VALID, "special")
    # Neither infinities nor NaN: LiteRT bounds results to the largest floats even without an activation.
    lowest = np.finfo("f4").min
    special.inputs[0][0, 0, 0, 0], special.inputs[0][0, 2, 3, 4] = (1e-40, -0.0), (lowest / 8, 0.0)
    out.append(special)
    return out
