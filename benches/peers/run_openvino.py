"""OpenVINO in throughput mode: plain inference, and recording of every activation."""
import time
from itertools import cycle

import openvino
from openvino import Model, opset13

from runner import Job, Runner
from tflite_model import activations


class Queue:
    """Keeps as many records under way as OpenVINO finds best."""

    def __init__(self, job: Job, model: Model) -> None:
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": job.threads,
        }
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        self.requests = openvino.AsyncInferQueue(compiled)
        self.records = cycle(job.records)

    def run_until(self, deadline: float) -> int:
        count = 0
        while time.monotonic() < deadline:
            self.requests.start_async(next(self.records), share_inputs=True)
            count += 1
        self.requests.wait_all()
        return count


def infer(job: Job) -> Runner:
    return Queue(job, openvino.Core().read_model(job.tflite))


def record(job: Job) -> Runner:
    """ReduceMin and ReduceMax behind every activation. The model is read from ONNX, which keeps the
    names of tensors."""
    model = openvino.Core().read_model(job.onnx)
    names = set(activations(job.tflite).values())
    reduced = []
    for node in model.get_ordered_ops():
        if node.get_type_name() in ("Constant", "Parameter", "Result"):
            continue
        for output in node.outputs():
            if output.get_names() & names:
                axes = list(range(len(output.partial_shape)))
                reduced.append(opset13.reduce_min(output, axes, keep_dims=False))
                reduced.append(opset13.reduce_max(output, axes, keep_dims=False))
    model.add_outputs([node.output(0) for node in reduced])
    return Queue(job, model)
