#!/usr/bin/env python3
"""Makes the benchmark's models: float32, batch 1, random weights; as TFLite and as ONNX.

Run: python make_models.py FOLDER NAME...

What is there already is left alone. Any other TFLite model put into the folder as NAME.tflite is
only converted to ONNX.
"""
import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

SEED = 20261123
OPSET = 18
# The first version of ONNX with an operator GELU.
OPSET_WITH_GELU = 20


def application(name: str, size: int, **options: Any) -> Any:
    """A network of keras.applications whose activations stay near 1 in all layers."""
    import keras

    build = getattr(keras.applications, name)
    model = build(weights=None, input_shape=(size, size, 3), **options)
    normalizations = [
        layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0  # the statistics become those of the batch
    model(keras.random.uniform((8, size, size, 3), seed=SEED), training=True)
    for layer, momentum in zip(normalizations, momenta):
        layer.momentum = momentum
    return model


def encoder(sequence: int = 128, hidden: int = 384, layers: int = 6, heads: int = 12) -> Any:
    """A transformer encoder like BERT's, behind the embedding."""
    import keras
    from keras.layers import Add, Dense, LayerNormalization, MultiHeadAttention

    x = first = keras.Input((sequence, hidden))
    for _ in range(layers):
        attended = MultiHeadAttention(heads, hidden // heads, flash_attention=False)(x, x)
        x = LayerNormalization(epsilon=1e-6)(Add()([x, attended]))
        wide = Dense(4 * hidden, activation="gelu")(x)
        x = LayerNormalization(epsilon=1e-6)(Add()([x, Dense(hidden)(wide)]))
    return keras.Model(first, x)


def mlp(width: int = 2048, layers: int = 4) -> Any:
    """Nothing but weights: every record reads all of them once."""
    import keras

    dense = [keras.layers.Dense(width, activation="relu") for _ in range(layers)]
    return keras.Sequential([keras.Input((width,)), *dense])


BUILDERS: dict[str, Callable[[], Any]] = {
    "resnet50": lambda: application("ResNet50", 224),
    "inceptionv3": lambda: application("InceptionV3", 299),
    "mobilenetv2": lambda: application("MobileNetV2", 224),
    "mobilenetv3small": lambda: application("MobileNetV3Small", 224, include_preprocessing=False),
    "efficientnetb0": lambda: application("EfficientNetB0", 224),
    "densenet121": lambda: application("DenseNet121", 224),
    "encoder": encoder,
    "mlp": mlp,
}


def write_tflite(name: str, path: Path) -> None:
    if name not in BUILDERS:
        raise ValueError(f"{path} is missing, and only {', '.join(BUILDERS)} can be made")
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    keras.utils.clear_session()
    keras.utils.set_random_seed(SEED)
    model = BUILDERS[name]()
    record = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32, name="input")
    run = tf.function(lambda x: model(x, training=False)).get_concrete_function(record)
    # Otherwise the converter writes weights as variables, which few runtimes read.
    frozen = convert_variables_to_constants_v2(run)
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([frozen]).convert())


def write_onnx(tflite: Path, path: Path) -> None:
    import onnx
    import tf2onnx

    # It complains about what is replaced below; the checker finds what is not.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    model, _ = tf2onnx.convert.from_tflite(str(tflite), opset=OPSET)
    for node in model.graph.node:
        if node.op_type == "TFL_GELU":  # unknown to tf2onnx
            node.op_type = "Gelu"
            approximate = any(it.name == "approximate" and it.i for it in node.attribute)
            del node.attribute[:]
            if approximate:
                node.attribute.append(onnx.helper.make_attribute("approximate", "tanh"))
            model.opset_import[0].version = OPSET_WITH_GELU
    onnx.checker.check_model(model)
    onnx.save(model, path)


def make(folder: Path, name: str) -> None:
    tflite, onnx_model = folder / f"{name}.tflite", folder / f"{name}.onnx"
    if not tflite.exists():
        print(f"making {tflite}", file=sys.stderr)
        write_tflite(name, tflite)
    if not onnx_model.exists():
        print(f"making {onnx_model}", file=sys.stderr)
        write_onnx(tflite, onnx_model)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    status = 0
    for name in arguments.names:
        try:
            make(arguments.folder, name)
        except Exception as error:  # whatever a converter throws: the other models can be made
            print(f"warning: {name} cannot be made: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
