#!/usr/bin/env python3
"""Makes sample.tflite, the small image classifier of `make demo` and the command line's tests.

Needs: pip install tensorflow-cpu==2.21.0
Run:   python make_model.py sample.tflite
The dataset beside it is made by the program itself:
  record-minmax dataset random --input-model sample.tflite -o sample.h5 -n 40 --seed 1
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def build():
    image = keras.Input((24, 24, 3), batch_size=1, name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu6", name="stem")(image)
    shortcut = x
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu6", name="depthwise")(x)
    x = layers.Conv2D(8, 1, name="project")(x)
    x = layers.Add(name="add")([x, shortcut])
    x = layers.Conv2D(16, 3, strides=2, padding="valid", activation="relu", name="reduce")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="classify")(x))


def main():
    model = build()
    rng = np.random.default_rng(7)
    model.set_weights([
        (rng.standard_normal(w.shape) * 0.6 / np.sqrt(np.prod(w.shape[:-1]))).astype("f4") * 3
        if w.ndim > 1 else rng.uniform(-0.1, 0.1, w.shape).astype("f4")
        for w in model.get_weights()
    ])
    converted = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    with open(sys.argv[1], "wb") as file:
        file.write(converted)


main()
