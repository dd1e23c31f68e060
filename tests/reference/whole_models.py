#!/usr/bin/env python3
"""Makes float models of the kinds that are calibrated most, with random but sane weights.

Set up: python3 -m venv .venv && .venv/bin/pip install tensorflow==2.21.0
Run:    .venv/bin/python tests/reference/whole_models.py FOLDER [NAME ...]

  convnext   ConvNeXt-Tiny of Keras
  vit        a vision transformer: patches, 12 layers of attention, a class token
  bert       an encoder over INT32 tokens, their segments and a mask
  gpt        a decoder step: one token, its position, and caches of keys and values that are updated
  detector   a single-shot detector with decoded boxes and non-maximum suppression
  speech     a recogniser for features of any length: convolutions, attention, a recurrent layer
  spectrum   a keyword spotter on raw audio: windows, RFFT, mel filters, log
  segments   padded sequences: boolean masks, UNIQUE, segment sums, RANGE, TILE

With each model NAME.tflite comes a dataset NAME.h5 that suits it. `compare_litert.py --data NAME.h5
NAME.tflite` compares ranges with LiteRT's.
"""
import os
import sys
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import h5py
import numpy as np
import tensorflow as tf

F, I = tf.float32, tf.int32


class Weights:
    """Random constants that keep activations at the order of one."""

    def __init__(self, name):
        self.rng = np.random.default_rng(zlib.crc32(name.encode()))

    def dense(self, *shape):
        fan = np.prod(shape[:-1])
        return tf.constant((self.rng.standard_normal(shape) / np.sqrt(fan)).astype("f4"))

    def table(self, *shape):
        return tf.constant(self.rng.standard_normal(shape).astype("f4"))

    def bias(self, n):
        return tf.constant(self.rng.uniform(-0.1, 0.1, n).astype("f4"))

    def gain(self, n):
        return tf.constant(self.rng.uniform(0.8, 1.2, n).astype("f4"))


def layer_norm(weights, width):
    gain, bias = weights.gain(width), weights.bias(width)

    def apply(x):
        mean = tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-6) * gain + bias
    return apply


def linear(weights, inputs, outputs):
    kernel, bias = weights.dense(inputs, outputs), weights.bias(outputs)
    return lambda x: tf.matmul(x, kernel) + bias


def heads(x, count):
    """[1, T, D] as [1, count, T, D / count]."""
    shape = tf.shape(x)
    return tf.transpose(tf.reshape(x, [1, shape[1], count, x.shape[-1] // count]), [0, 2, 1, 3])


def attention(weights, width, count):
    query, key, value, out = [linear(weights, width, width) for _ in range(4)]

    def apply(x, mask=None):
        q, k, v = heads(query(x), count), heads(key(x), count), heads(value(x), count)
        scores = tf.matmul(q, k, transpose_b=True) / np.sqrt(width / count).astype("f4")
        if mask is not None:
            scores += mask
        mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), [0, 2, 1, 3])
        return out(tf.reshape(mixed, [1, tf.shape(x)[1], width]))
    return apply


def block(weights, width, count, approximate=False):
    """A layer of a transformer, normalised first."""
    first, second = layer_norm(weights, width), layer_norm(weights, width)
    mix = attention(weights, width, count)
    up, down = linear(weights, width, 4 * width), linear(weights, 4 * width, width)

    def apply(x, mask=None):
        x += mix(first(x), mask)
        return x + down(tf.nn.gelu(up(second(x)), approximate=approximate))
    return apply


def convnext(weights):
    model = tf.keras.applications.ConvNeXtTiny(weights=None, include_preprocessing=False)
    for variable in model.weights:
        shape = tuple(variable.shape)
        if "gamma" in variable.name or "layer_scale" in variable.path:
            variable.assign(weights.gain(shape))
        elif len(shape) < 2:
            variable.assign(weights.bias(shape))
        else:
            # Of a depthwise convolution, every channel has terms of its own.
            fan = np.prod(shape[:2]) if "depthwise" in variable.path else np.prod(shape[:-1])
            variable.assign((weights.rng.standard_normal(shape) / np.sqrt(fan)).astype("f4"))
    return lambda image: model(image, training=False), [tf.TensorSpec([1, 224, 224, 3], F, "image")]


def vit(weights, size=224, patch=16, width=192, count=3):
    kernel, bias = weights.dense(patch, patch, 3, width), weights.bias(width)
    tokens = (size // patch) ** 2 + 1
    first, positions = weights.table(1, 1, width), weights.table(1, tokens, width)
    blocks = [block(weights, width, count) for _ in range(12)]
    norm, head = layer_norm(weights, width), linear(weights, width, 1000)

    def apply(image):
        x = tf.nn.conv2d(image, kernel, patch, "VALID") + bias
        x = tf.concat([first, tf.reshape(x, [1, tokens - 1, width])], 1) + positions
        for layer in blocks:
            x = layer(x)
        return tf.nn.softmax(head(norm(x)[:, 0]))
    return apply, [tf.TensorSpec([1, size, size, 3], F, "image")]


def bert(weights, length=128, width=256, count=4, layers=4):
    tables = [weights.table(2000, width), weights.table(2, width), weights.table(length, width)]
    norm = layer_norm(weights, width)
    blocks = [block(weights, width, count, approximate=i % 2 == 1) for i in range(layers)]
    pool = linear(weights, width, width)

    def apply(tokens, segments, mask):
        x = tf.gather(tables[0], tokens) + tf.gather(tables[1], segments) + tables[2]
        bias = (1.0 - tf.cast(mask, F))[:, None, None, :] * -10000.0
        x = norm(x)
        for layer in blocks:
            x = layer(x, bias)
        return tf.tanh(pool(x[:, 0])), x
    return apply, [tf.TensorSpec([1, length], I, name) for name in ["tokens", "segments", "mask"]]


def gpt(weights, room=64, width=128, count=4, layers=3):
    table, positions = weights.table(500, width), weights.table(room, width)
    parts = [dict(norms=[layer_norm(weights, width) for _ in range(2)],
                  qkv=linear(weights, width, 3 * width), out=linear(weights, width, width),
                  up=linear(weights, width, 4 * width), down=linear(weights, 4 * width, width))
             for _ in range(layers)]
    last = layer_norm(weights, width)

    def apply(token, position, keys, values):
        x = tf.gather(table, token) + tf.gather(positions, position)
        causal = tf.where(tf.range(room) <= position, 0.0, -1e9)
        new_keys, new_values = [], []
        for i, part in enumerate(parts):
            q, k, v = tf.split(part["qkv"](part["norms"][0](x)), 3, -1)
            at = position[:, None]
            all_keys = tf.tensor_scatter_nd_update(keys[i], at, k)
            all_values = tf.tensor_scatter_nd_update(values[i], at, v)
            new_keys.append(all_keys)
            new_values.append(all_values)

            def split(t):
                return tf.transpose(tf.reshape(t, [-1, count, width // count]), [1, 0, 2])
            scores = tf.matmul(split(q), split(all_keys), transpose_b=True)
            share = tf.nn.softmax(scores / np.sqrt(width / count).astype("f4") + causal)
            mixed = tf.reshape(tf.transpose(tf.matmul(share, split(all_values)), [1, 0, 2]), [1, width])
            x += part["out"](mixed)
            x += part["down"](tf.nn.gelu(part["up"](part["norms"][1](x)), approximate=True))
        logits = tf.matmul(last(x), table, transpose_b=True)
        return logits, tf.math.top_k(logits, 5)[1], tf.stack(new_keys), tf.stack(new_values)
    cache = [layers, room, width]
    return apply, [tf.TensorSpec([1], I, "token"), tf.TensorSpec([1], I, "position"),
                   tf.TensorSpec(cache, F, "keys"), tf.TensorSpec(cache, F, "values")]


def detector(weights, size=160, classes=6):
    def conv(inputs, outputs, stride=1, kernel=3):
        k, b = weights.dense(kernel, kernel, inputs, outputs) * 1.4, weights.bias(outputs)
        return lambda x: tf.nn.conv2d(x, k, stride, "SAME") + b
    stem = [conv(3, 16, 2), conv(16, 32, 2), conv(32, 64, 2), conv(64, 96, 2)]
    deeper = conv(96, 128, 2)
    sizes = [size // 16, size // 32]
    box_heads = [conv(96, 4 * 3), conv(128, 4 * 3)]
    class_heads = [conv(96, classes * 3), conv(128, classes * 3)]
    count = sum(3 * n * n for n in sizes)
    anchors = tf.constant(weights.rng.uniform(0.2, 0.8, (count, 4)).astype("f4"))

    def apply(image):
        x = image * 2.0 - 1.0
        for layer in stem:
            x = tf.nn.relu6(layer(x))
        maps = [x, tf.nn.relu6(deeper(x))]
        boxes = tf.concat([tf.reshape(h(m), [-1, 4]) for h, m in zip(box_heads, maps)], 0)
        scores = tf.concat([tf.reshape(h(m), [-1, classes]) for h, m in zip(class_heads, maps)], 0)
        scores = tf.sigmoid(scores)
        centre = boxes[:, :2] * 0.1 * anchors[:, 2:] + anchors[:, :2]
        half = tf.exp(boxes[:, 2:] * 0.2) * anchors[:, 2:] / 2.0
        corners = tf.concat([centre - half, centre + half], 1)
        best = tf.reduce_max(scores, 1)
        label = tf.argmax(scores, 1, output_type=I)
        kept, valid = tf.image.non_max_suppression_padded(
            corners, best, 20, iou_threshold=0.5, score_threshold=0.3, pad_to_max_output_size=True)
        soft, soft_scores = tf.image.non_max_suppression_with_scores(
            corners, best, 10, iou_threshold=0.6, score_threshold=0.2, soft_nms_sigma=0.5)
        return (tf.gather(corners, kept), tf.gather(label, kept), valid,
                tf.gather(corners, soft), soft_scores)
    return apply, [tf.TensorSpec([1, size, size, 3], F, "image")]


def speech(weights, width=96, count=4, letters=30):
    convs = [(weights.dense(3, 3, 1, 16) * 1.4, weights.bias(16)),
             (weights.dense(3, 3, 16, 16) * 1.4, weights.bias(16))]
    enter = linear(weights, 16 * 20, width)
    blocks = [block(weights, width, count) for _ in range(2)]
    cell = [weights.dense(width, 4 * width), weights.dense(width, 4 * width), weights.bias(4 * width)]
    out = linear(weights, width, letters)

    def apply(features):
        x = features[..., None]
        for kernel, bias in convs:
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME") + bias)
        steps = tf.shape(x)[1]
        x = enter(tf.reshape(x, [1, steps, 16 * 20]))
        for layer in blocks:
            x = layer(x)

        # A recurrent layer over as many steps as there are.
        def step(t, h, c, all_h):
            z = tf.matmul(x[:, t], cell[0]) + tf.matmul(h, cell[1]) + cell[2]
            i, f, g, o = tf.split(z, 4, 1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
            return t + 1, h, c, tf.concat([all_h, h[:, None]], 1)
        zero = tf.zeros([1, width])
        none = tf.zeros([1, 0, width])
        shapes = [tf.TensorShape([]), zero.shape, zero.shape, tf.TensorShape([1, None, width])]
        *_, states = tf.while_loop(lambda t, *_: t < steps, step, [0, zero, zero, none], shapes)
        return tf.nn.log_softmax(out(states))
    return apply, [tf.TensorSpec([1, None, 80], F, "features")]


def spectrum(weights, mels=40, words=12):
    mel = tf.constant(np.abs(weights.rng.standard_normal((257, mels)) / 16).astype("f4"))
    window = tf.constant(np.hanning(400).astype("f4"))
    kernel, bias = weights.dense(8, mels, 1, 32), weights.bias(32)
    head = linear(weights, 32, words)

    def apply(audio):
        frames = tf.stack([audio[0, i * 160:i * 160 + 400] for i in range(48)])
        power = tf.abs(tf.signal.rfft(frames * window, [512])) ** 2
        energy = tf.math.log(tf.matmul(power, mel) + 1e-6)
        x = tf.nn.relu(tf.nn.conv2d(energy[None, :, :, None], kernel, [1, 2, 1, 1], "VALID") + bias)
        return tf.nn.softmax(head(tf.reduce_mean(x, [1, 2])))
    return apply, [tf.TensorSpec([1, 8000], F, "audio")]


def segments(weights, width=16):
    table = weights.table(100, width)
    out = linear(weights, width, 4)

    def apply(ids, lengths):
        mask = tf.sequence_mask(lengths, 8)
        flat = tf.boolean_mask(ids, mask)
        rows = tf.cast(tf.where(mask)[:, 0], I)
        found, place = tf.unique(flat)
        x = tf.gather(tf.gather(table, found), place)
        sums = tf.math.unsorted_segment_sum(x, rows, 4)
        counts = tf.cast(tf.maximum(lengths, 1), F)[:, None]
        ranks = tf.cast(tf.range(tf.shape(flat)[0]), F)
        tiled = tf.tile(ranks[:, None], [1, width]) * x
        highest = tf.math.cumsum(tiled, 0)
        return out(sums / counts), highest, tf.reverse_sequence(sums[None] * tf.ones([4, 1, 1]),
                                                               tf.minimum(lengths, 4), 1, 0)
    return apply, [tf.TensorSpec([4, 8], I, "ids"), tf.TensorSpec([4], I, "lengths")]


def integers(rng, *shape, below):
    return rng.integers(0, below, shape, dtype="i4")


def record(name, rng, number):
    """The inputs of one record, in the order of the signature."""
    if name == "bert":
        length = int(rng.integers(10, 129))
        mask = (np.arange(128) < length).astype("i4")[None]
        return [integers(rng, 1, 128, below=2000), integers(rng, 1, 128, below=2), mask]
    if name == "gpt":
        caches = rng.standard_normal((2, 3, 64, 128)).astype("f4")
        return [integers(rng, 1, below=500), np.array([number * 4], "i4"), *caches]
    if name == "speech":
        return [rng.standard_normal((1, int(rng.integers(9, 90)), 80)).astype("f4")]
    if name == "segments":
        return [integers(rng, 4, 8, below=100), integers(rng, 4, below=9)]
    if name == "spectrum":
        return [rng.uniform(-1, 1, (1, 8000)).astype("f4")]
    size = 160 if name == "detector" else 224
    return [rng.random((1, size, size, 3), "f4")]


def write_dataset(path, name, records=16):
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for number in range(records):
            for position, value in enumerate(record(name, rng, number)):
                file[f"value/{number}/{position}"] = value


MODELS = {f.__name__: f for f in [convnext, vit, bert, gpt, detector, speech, spectrum, segments]}


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[2:] or MODELS:
        function, signature = MODELS[name](Weights(name))
        concrete = tf.function(function).get_concrete_function(*signature)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
        path = folder / f"{name}.tflite"
        path.write_bytes(converter.convert())
        write_dataset(folder / f"{name}.h5", name)
        print(f"{path}: {path.stat().st_size} bytes", flush=True)


main()
