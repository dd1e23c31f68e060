"""The models and the runtimes that are compared."""
from dataclasses import dataclass
from typing import Literal

MODELS = [
    "resnet50",
    "inceptionv3",
    "mobilenetv2",
    "mobilenetv3small",
    "efficientnetb0",
    "densenet121",
    "encoder",
    "mlp",
]


@dataclass(frozen=True)
class Peer:
    """A runtime and how it is used."""

    name: str
    title: str
    package: str
    # Module and function that make its `runner.Runner`; imported by the peer's own processes.
    module: str
    function: str
    # A single-threaded process for every core, or one process with a thread for every core.
    processes: Literal["per core", "one"]


PEERS = [
    Peer("litert", "LiteRT + XNNPACK", "ai-edge-litert", "run_litert", "infer", "per core"),
    Peer("onnxruntime", "ONNX Runtime", "onnxruntime", "run_onnxruntime", "infer", "per core"),
    Peer("onnxruntime-threads", "ONNX Runtime, threads in operators", "onnxruntime",
         "run_onnxruntime", "infer", "one"),
    Peer("openvino", "OpenVINO, throughput mode", "openvino", "run_openvino", "infer", "one"),
    Peer("litert-builtin", "LiteRT, own kernels, tensors kept", "ai-edge-litert", "run_litert",
         "infer_without_delegates", "per core"),
    Peer("litert-record", "LiteRT + XNNPACK, recording", "ai-edge-litert", "run_litert", "record",
         "per core"),
    Peer("onnxruntime-record", "ONNX Runtime, recording", "onnxruntime", "run_onnxruntime",
         "record", "per core"),
    Peer("openvino-record", "OpenVINO, recording", "openvino", "run_openvino", "record", "one"),
]
