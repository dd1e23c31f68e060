"""LiteRT: plain inference, its own kernels, and recording of every activation."""
import warnings

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from runner import Job, OneByOne, Record, Runner
from tflite_model import activations


def interpreter(job: Job, resolver: OpResolverType, keep_tensors: bool) -> Interpreter:
    # That keeping tensors takes memory is known.
    warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
    made = Interpreter(
        model_path=str(job.tflite),
        num_threads=job.threads,
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=keep_tensors,
    )
    made.allocate_tensors()
    return made


def runner(job: Job, model: Interpreter, observed: list[int]) -> Runner:
    inputs = [detail["index"] for detail in model.get_input_details()]

    def run(record: Record) -> list[tuple[float, float]]:
        for index, value in zip(inputs, record):
            model.set_tensor(index, value)
        model.invoke()
        # Views of the tensors, so that nothing is copied.
        tensors = [model.tensor(index)() for index in observed]
        return [(tensor.min(), tensor.max()) for tensor in tensors]

    return OneByOne(job.records, run)


def infer(job: Job) -> Runner:
    return runner(job, interpreter(job, OpResolverType.AUTO, False), [])


def infer_without_delegates(job: Job) -> Runner:
    """LiteRT's own kernels with every tensor kept, as an observer would need it; none observes."""
    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return runner(job, interpreter(job, resolver, True), [])


def record(job: Job) -> Runner:
    """XNNPACK writes every tensor that is kept, and NumPy finds the extremes."""
    model = interpreter(job, OpResolverType.AUTO, True)
    return runner(job, model, list(activations(job.tflite)))
