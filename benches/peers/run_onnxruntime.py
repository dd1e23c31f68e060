"""ONNX Runtime: plain inference, and recording of every activation."""
import onnx
import onnxruntime
from onnx import TensorProto, helper

from runner import Job, OneByOne, Record, Runner
from tflite_model import activations


def runner(job: Job, model: str | bytes) -> Runner:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(record: Record) -> list:
        return session.run(None, dict(zip(names, record)))

    return OneByOne(job.records, run)


def infer(job: Job) -> Runner:
    return runner(job, str(job.onnx))


def record(job: Job) -> Runner:
    """ReduceMin and ReduceMax behind every activation, as its own MinMax calibrator has them, but
    with all optimizations of the graph."""
    model = onnx.load(job.onnx)
    observed = set(activations(job.tflite).values())
    names = [name for node in model.graph.node for name in node.output if name in observed]
    for position, name in enumerate(names):
        for operator in ("ReduceMin", "ReduceMax"):
            output = f"{operator}/{position}"
            model.graph.node.append(helper.make_node(operator, [name], [output], keepdims=0))
            model.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, []))
    return runner(job, model.SerializeToString())
