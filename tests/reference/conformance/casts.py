"""CAST of every pair of types, and BITCAST."""
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from suite import SPECIAL, Case, Const, Graph, Whole, new_model, options, pack

rng = np.random.default_rng(3)
INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"]
TYPES = ["float32", "float16", "float64", *INTEGERS, "bool", "complex64"]


def values(dtype):
    """What is interesting about a type."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS or dtype == "uint64":
        info = np.iinfo(dtype)
        near = [0, 1, 2, 100, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24 + 1, 2**31 - 1, 2**31,
                2**32 - 1, 2**32, 2**53 + 1, -1, -2, -128, -129, -32768, -32769, -2**31, -2**31 - 1]
        return np.array([info.min, info.max, info.max - 1, *(v for v in near if info.min <= v <= info.max)],
                        dtype)
    edges = [0.0, -0.0, 0.4, 0.99, -0.5, -0.99, 1.5, -1.5, 2.5, 127.9, 128.0, -128.9, -129.0, 255.9, 256.0, 1e3,
             32767.5, 65503.0, 65504.0, 65519.0, 65520.0, 7e4, -7e4, 2147483520.0, 2147483648.0, 2.5e9, -2.5e9,
             4294967040.0, 5e9, 9.2e18, -9.3e18, 2e19, 1e30, 5.9e-8, 2.9e-8, 6.1e-5, 1.0009765, 1.0004883]
    with np.errstate(over="ignore"):
        edges = np.concatenate([SPECIAL.astype("float64"), edges]).astype(dtype)
        if dtype == "float64":
            edges = np.concatenate([edges, [1e300, -1e300, 1e-300, 16777217.0, 2.0**63, 2.0**53 + 2]])
    return edges


def case(shape, a, b, x, name):
    kinds = options("CastOptions")
    return Case("CAST", [x.reshape(shape)], [b], kinds, name=f"{a} to {b} {name}")


def cases():
    for a in TYPES:
        for b in TYPES:
            x = values(a)
            if b == "float16" or (a, b) == ("float16", "float64"):
                # Which bits of NaN are kept is not told.
                x = x[~np.isnan(x)]
            yield case(x.shape, a, b, x, "special")
    # LiteRT has no unsigned integers of 64 bits.
    for b in [*TYPES, "uint64"]:
        x = values("uint64")
        with np.errstate(over="ignore"):
            yield Case("CAST", [x], [b], options("CastOptions"), name=f"uint64 to {b}",
                       reference=lambda x, b=b: [to_half(x) if b == "float16" else x.astype(b)])
    for a in ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "bool"]:
        x = values(a)
        yield Case("CAST", [x], ["uint64"], options("CastOptions"), name=f"{a} to uint64",
                   reference=lambda x: [x.astype("uint64")])
    yield Case("CAST", [np.array([np.nan, 3e19, -1, 1.8e19, 1.5, np.inf], "f4")], ["uint64"],
               options("CastOptions"), name="float32 to uint64",
               reference=lambda x: [np.array([2**64 - 1, 2**64 - 1, 0, int(x[3]), 1, 2**64 - 1], "u8")])
    for shape in [(), (1,), (0,), (2, 0, 3), (3, 5), (1, 2, 3, 4), (2, 1, 3, 1, 2), (1, 1, 2, 1, 3, 1)]:
        x = np.arange(np.prod(shape, dtype=int)).astype("int32")
        if 0 in shape:  # Of floats, there would be nothing to observe.
            yield case(shape, "int32", "int8", x, shape)
            continue
        yield case(shape, "int32", "float32", x, shape)
        yield case(shape, "float32", "int8", x.astype("float32"), shape)
        yield case(shape, "float32", "float32", x.astype("float32"), shape)
    yield from halves()
    yield from bitcasts()


def halves():
    """Integers of four bits are constants only, and become floats only."""
    for name in ["INT4", "UINT4"]:
        for n in [1, 7, 16]:
            model = new_model()
            graph = Graph(model)
            packed = rng.integers(0, 256, (n + 1) // 2, "u1")
            constant = graph.tensor("uint8", [n], packed)
            graph.graph.tensors[constant].type = getattr(schema.TensorType, name)
            wide = graph.op("CAST", [constant], [("float32", [n])], options("CastOptions"))
            x = graph.input("float32", [n])
            graph.results(graph.op("ADD", [wide, x], [("float32", [n])], options("AddOptions")))
            yield Whole("CAST", pack(model), [np.zeros(n, "f4")], f"{name} {n}")


def to_half(x):
    """As LiteRT: by way of float32."""
    return x.astype("float32").astype("float16")


def bitcasts():
    sized = {1: ["int8", "uint8"], 2: ["int16", "uint16"], 4: ["int32", "uint32", "float32"],
             8: ["int64", "uint64"]}
    kinds = options("BitcastOptions")
    for from_len, sources in sized.items():
        for to_len, targets in sized.items():
            for a, b in zip(sources, targets[::-1]):
                for outer in [(), (3,), (2, 1, 4)]:
                    shape = outer + ((to_len // from_len,) if to_len > from_len else ())
                    raw = rng.integers(0, 120, int(np.prod(shape)) * from_len, "u1")
                    x = np.frombuffer(raw.tobytes(), a).reshape(shape)
                    yield Case("BITCAST", [x], [b], kinds, name=f"{a} to {b} {outer}")
    yield Case("BITCAST", [np.array([1.5, -2, np.inf], "f4")], ["int32"], kinds, name="to int32")
    yield Case("BITCAST", [Const(np.array([0x3fc00000, 0x7f800000], "i4"))], ["float32"], kinds,
               name="of a constant")
