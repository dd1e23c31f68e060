#!/usr/bin/env python3
"""Makes testdata/models/attention.tflite: what transformers are made of, for LiteRT's goldens.

Needs: pip install tensorflow-cpu==2.21.0
Run:   python make_attention.py attention.tflite
The dataset is made by the program, the golden by compare_litert.py:
  record-minmax dataset random --input-model attention.tflite -o attention.h5 -n 4 --seed 5
  compare_litert.py --golden attention.litert.json attention.tflite --data attention.h5
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(12)
TOKENS, WIDTH, HEADS, VOCABULARY = 9, 24, 3, 128


def weights(*shape):
    return tf.constant((rng.standard_normal(shape) / np.sqrt(shape[0])).astype("f4"))


class Attention(tf.Module):
    def __init__(self):
        super().__init__()
        self.table = weights(VOCABULARY, WIDTH)
        self.projections = [weights(WIDTH, WIDTH) for _ in range(4)]
        self.wide, self.narrow = weights(WIDTH, 40), weights(40, WIDTH)
        self.scale, self.shift = weights(WIDTH), weights(WIDTH)
        self.right = weights(1, 2, TOKENS, 5)
        self.kept = tf.constant(np.tril(np.ones((TOKENS, TOKENS), bool))[None, None])

    def normalized(self, x):
        mean = tf.reduce_mean(x, -1, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), -1, keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-6) * self.scale + self.shift

    def heads(self, x, kernel):
        x = tf.reshape(tf.matmul(x, kernel), [1, TOKENS, HEADS, WIDTH // HEADS])
        return tf.transpose(x, [0, 2, 1, 3])

    @tf.function(input_signature=[tf.TensorSpec((1, TOKENS), tf.int32, name="ids"),
                                  tf.TensorSpec((2, 3, 4, 5), tf.float32, name="x")])
    def __call__(self, ids, x):
        # Positions from the end, as a Python index has them.
        ids = tf.minimum(ids * 3 - 150, VOCABULARY - 1)
        ids = tf.maximum(tf.where(ids < 0, ids + VOCABULARY, ids), 0)
        embedded = self.normalized(tf.gather(self.table, ids))
        query, key, value = (self.heads(embedded, it) for it in self.projections[:3])
        scores = tf.matmul(query, key, transpose_b=True) * np.float32(1 / np.sqrt(WIDTH // HEADS))
        scores = tf.where(self.kept, scores, np.float32(np.finfo(np.float32).min))
        mixed = tf.matmul(tf.nn.softmax(scores), value)
        mixed = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), [1, TOKENS, WIDTH])
        hidden = self.normalized(embedded + tf.matmul(mixed, self.projections[3]))
        wide = tf.matmul(hidden, self.wide)
        wide = tf.nn.gelu(wide) + tf.nn.gelu(wide * 3.0, approximate=True)
        hidden = self.normalized(hidden + tf.matmul(wide, self.narrow))
        first = hidden[:, 0] * tf.slice(hidden, [0, 2, 0], [-1, 1, -1])[:, 0]
        backwards = hidden[:, ::-2, 1::3, tf.newaxis]
        # Products of batches that broadcast, of a turned operand and of a constant one.
        pairs = tf.matmul(x, x[:, :1], transpose_a=True)                      # [2, 3, 5, 5]
        crossed = tf.matmul(x[:1, :, tf.newaxis], x[:, 0], transpose_b=True)  # [1, 3, 2, 4, 4]
        by_constant = tf.matmul(tf.transpose(hidden[:, tf.newaxis], [0, 1, 3, 2]), self.right)
        turned = tf.transpose(tf.reshape(x, [2, 3, 2, 2, 5]), [4, 2, 0, 3, 1])
        rows = tf.gather(x, tf.constant([[2, 0], [1, 1]]), axis=1, batch_dims=1)
        larger = tf.where(x[0] >= x[1], x[0], tf.where(x[1] > 0.5, x[1], [0.25]))
        outputs = [first, backwards, pairs, crossed, by_constant, turned, rows, larger]
        return [tf.abs(output) + 0.5 for output in outputs]


def main():
    model = Attention()
    concrete = model.__call__.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    with open(sys.argv[1], "wb") as file:
        file.write(converter.convert())


main()
