"""Elements over a norm of their row, of their neighbours, of their channel; windows of squares."""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(11)
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
SAME, VALID = 0, 1


def values(*shape, low=-3.0, high=3.0):
    return rng.uniform(low, high, shape).astype("f4")


def l2():
    for shape in [(1,), (9,), (3, 5), (2, 3, 17), (1, 4, 5, 3), (2, 0), (0, 3)]:
        yield Case("L2_NORMALIZATION", [values(*shape)], ["f4"], options("L2NormOptions"), name=f"{shape}")
    small = np.array([[0, 0, 0], [1e-7, 0, 1e-8], [1e-30, 1e-30, 0], [3e4, -4e4, 0]], "f4")
    yield Case("L2_NORMALIZATION", [small], ["f4"], options("L2NormOptions"), name="small")


def local_response():
    for shape, radius, bias, alpha, beta in [
        ((1, 4, 5, 3), 1, 1.0, 1.0, 0.5), ((2, 3, 2, 20), 5, 1.0, 1e-4, 0.75), ((1, 1, 1, 40), 2, 2.0, 0.3, 1.0),
        ((1, 2, 2, 7), 0, 0.5, 2.0, 0.25), ((1, 2, 1, 6), 9, 1.0, 0.1, 1.5), ((1, 1, 3, 1), 3, 1.0, 1.0, -0.5),
        ((2, 0, 2, 3), 1, 1.0, 1.0, 0.5),
    ]:
        opts = options("LocalResponseNormalizationOptions", radius=radius, bias=bias, alpha=alpha, beta=beta)
        yield Case("LOCAL_RESPONSE_NORMALIZATION", [values(*shape)], ["f4"], opts, name=f"{shape} {radius} {beta}")


def pools():
    for padding in [SAME, VALID]:
        for activation in [NONE, RELU, RELU6, RELU_N1_TO_1]:
            for window, stride in [((2, 2), (2, 2)), ((3, 1), (1, 2))]:
                opts = options("Pool2DOptions", padding=padding, strideH=stride[0], strideW=stride[1],
                               filterHeight=window[0], filterWidth=window[1],
                               fusedActivationFunction=activation)
                yield Case("L2_POOL_2D", [values(2, 5, 6, 3)], ["f4"], opts,
                           name=f"{padding} {activation} {window} {stride}")


def wide(array):
    return np.asarray(array, "f8")


def rms_norm(epsilon):
    def reference(x, gamma, beta=0.0):
        mean = np.mean(wide(x) ** 2, -1, keepdims=True) + np.float32(epsilon)
        return [wide(gamma) * wide(x) / np.sqrt(mean) + wide(beta)]
    return reference


def instance_norm(epsilon, low, high):
    def reference(x, gamma, beta):
        axes, shape = ((1, 2), (-1,)) if x.ndim == 4 else ((2,), (-1, 1))
        x = wide(x)
        variance = x.var(axes, keepdims=True) + np.float32(epsilon)
        gamma, beta = wide(gamma).reshape(shape), wide(beta).reshape(shape)
        return [np.clip(gamma * (x - x.mean(axes, keepdims=True)) / np.sqrt(variance) + beta, low, high)]
    return reference


def circle():
    for shape in [(9,), (3, 5), (2, 3, 17), (1, 4, 5, 3), (2, 1, 3, 2, 8)]:
        for count in {1, shape[-1]}:
            opts = options("RmsNormOptions", epsilon=1e-3)
            x, gamma, beta = values(*shape), values(count), values(count)
            yield Case("RMS_NORM", [x, Const(gamma)], ["f4"], opts, reference=rms_norm(1e-3), name=f"{shape} {count}")
            yield Case("RMS_NORM", [x, gamma, Const(beta)], ["f4"], opts, reference=rms_norm(1e-3),
                       name=f"{shape} {count} with summands")
    bounds = {NONE: (-np.inf, np.inf), RELU: (0, np.inf), RELU6: (0, 6), RELU_N1_TO_1: (-1, 1)}
    for shape in [(1, 4, 5, 3), (2, 3, 3, 20), (1, 1, 1, 2), (2, 3, 7), (1, 17, 1)]:
        channels = shape[-1] if len(shape) == 4 else shape[1]
        for activation, (low, high) in bounds.items():
            count = 1 if activation == RELU6 else channels
            opts = options("InstanceNormOptions", epsilon=1e-2, fusedActivationFunction=activation)
            # A mean that is large beside the deviation.
            x, gamma, beta = 40 + values(*shape), values(count), values(count)
            yield Case("INSTANCE_NORM", [x, Const(gamma), Const(beta)], ["f4"], opts,
                       reference=instance_norm(1e-2, low, high), name=f"{shape} {activation}")


def cases():
    yield from l2()
    yield from local_response()
    yield from pools()
    yield from circle()
