#!/usr/bin/env python3
"""Makes testdata/models/families.tflite: operators with many of their attributes, for LiteRT's goldens.

Needs: pip install tensorflow-cpu==2.21.0
Run:   python make_families.py families.tflite
The dataset is made by the program, the golden by compare_litert.py:
  record-minmax dataset random --input-model families.tflite -o families.h5 -n 4 --seed 3
  compare_litert.py --golden families.litert.json families.tflite --data families.h5
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(11)


def weights(*shape):
    fan_in = np.prod(shape[:-1])
    return tf.constant((rng.standard_normal(shape) / np.sqrt(fan_in)).astype("f4"))


class Families(tf.Module):
    def __init__(self):
        super().__init__()
        self.stem = weights(5, 3, 6, 16)
        self.dilated = weights(3, 3, 16, 20)
        self.grouped = weights(3, 3, 4, 24)
        self.depthwise = weights(3, 5, 16, 1)
        self.multiplied = weights(3, 3, 16, 2)
        self.dilated_depthwise = weights(3, 3, 16, 1)
        self.pointwise = weights(1, 1, 32, 18)
        self.dense = weights(18, 10)
        self.bias = weights(16)

    @tf.function(input_signature=[tf.TensorSpec((1, 13, 15, 6), tf.float32, name="image")])
    def __call__(self, image):
        x = tf.nn.conv2d(image, self.stem, [1, 2, 1, 1], "SAME") + self.bias     # [1, 7, 15, 16]
        x = tf.nn.relu6(x)
        dilated = tf.nn.conv2d(x, self.dilated, 1, "SAME", dilations=2)           # [1, 7, 15, 20]
        depthwise = tf.nn.relu(tf.nn.depthwise_conv2d(x, self.depthwise, [1, 1, 1, 1], "SAME"))
        wide = tf.nn.depthwise_conv2d(x, self.multiplied, [1, 2, 2, 1], "VALID")  # [1, 3, 7, 32]
        far = tf.nn.depthwise_conv2d(x, self.dilated_depthwise, [1, 1, 1, 1], "SAME",
                                     dilations=[2, 2])
        grouped = tf.nn.conv2d(x, self.grouped, 1, "VALID")                       # 4 groups
        y = tf.concat([dilated, depthwise, far], -1)                              # [1, 7, 15, 52]
        y = tf.pad(y, [[0, 0], [1, 0], [0, 2], [0, 0]])
        z = tf.pad(y, [[0, 0], [0, 0], [1, 1], [0, 0]], constant_values=-2.5)
        z = tf.pad(z, [[0, 0], [2, 1], [0, 0], [0, 0]], mode="REFLECT")
        pooled = tf.nn.max_pool2d(z, 3, 2, "SAME"), tf.nn.avg_pool2d(z, [2, 3], [2, 1], "VALID")
        swish = wide * tf.nn.relu6(wide + 3.0) * np.float32(1 / 6)
        gate = tf.nn.sigmoid(tf.reduce_mean(swish, [1, 2], keepdims=True))
        s = swish * gate - tf.tanh(wide) / (1.0 + tf.square(wide))
        s = tf.nn.leaky_relu(tf.nn.conv2d(s, self.pointwise, 1, "SAME"), 0.3)     # [1, 3, 7, 18]
        s = tf.maximum(s, -tf.abs(s) * 0.5) + tf.minimum(s, 0.25)
        s = s + tf.sqrt(tf.abs(s) + 0.1) * tf.math.rsqrt(tf.exp(s) + 1.0)
        flat = tf.squeeze(tf.reduce_max(s, [1], keepdims=True), [1])              # [1, 7, 18]
        flat = tf.math.squared_difference(flat, tf.reduce_min(s, 1))
        logits = tf.matmul(tf.reshape(flat, [7, 18]), self.dense)
        probabilities = tf.nn.softmax(logits)
        total = tf.reduce_sum(tf.expand_dims(probabilities, 0), [0, 2])
        return [total, grouped, *pooled]


def main():
    model = Families()
    concrete = model.__call__.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], model)
    with open(sys.argv[1], "wb") as file:
        file.write(converter.convert())


main()
