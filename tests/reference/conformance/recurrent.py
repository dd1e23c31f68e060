"""Recurrent layers. States are variables, which LiteRT sets to zeros."""
from functools import partial

import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(11)

# Activations of the schema.
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)


def values(*shape, scale=1.0):
    """Of few digits, so that the file is small."""
    return (np.round(rng.uniform(-64, 64, shape)) / 64 * scale).astype("f4")


def zeros(*shape):
    return np.zeros(shape, "f4")


def lstm_weights(inputs, units, outputs, coupled=False, peephole=False, projection=False, bias=False,
                 diagonal=False, wrap=Const):
    """The operands between the input and the states."""
    def gates(*shape):
        made = [wrap(values(*shape)) for _ in range(4)]
        if coupled:
            made[0] = None
        return made

    operands = gates(units, inputs) + (gates(units) if diagonal else gates(units, outputs))
    if peephole:
        first, *others = [wrap(values(units)) for _ in range(3)]
        operands += [None if coupled else first, *others]
    else:
        operands += [None] * 3
    operands += gates(units)
    operands.append(wrap(values(outputs, units)) if projection else None)
    operands.append(wrap(values(outputs)) if bias else None)
    return operands


def norm_weights(units, coupled):
    made = [Const(values(units)) for _ in range(4)]
    if coupled:
        made[0] = None
    return made


def sequence_lstm(batch, time, inputs, units, outputs=None, time_major=False, norm=False,
                  activation=TANH, cell_clip=0.0, proj_clip=0.0, scale=1.0, name="", **kinds):
    outputs = outputs or units
    shape = (time, batch, inputs) if time_major else (batch, time, inputs)
    operands = [values(*shape, scale=scale)]
    operands += lstm_weights(inputs, units, outputs, **kinds)
    operands += [zeros(batch, outputs), zeros(batch, units)]
    operands += norm_weights(units, kinds.get("coupled")) if norm else [None] * 4
    given = options("UnidirectionalSequenceLSTMOptions", fusedActivationFunction=activation,
                    cellClip=cell_clip, projClip=proj_clip, timeMajor=time_major,
                    diagonalRecurrentTensors=kinds.get("diagonal", False))
    text = f"{shape} {units} {outputs} {sorted(k for k in kinds if kinds[k] is True)} {name}"
    return Case("UNIDIRECTIONAL_SEQUENCE_LSTM", operands, ["f4"], given, name=text,
                version=4 if norm or kinds.get("diagonal") else 1, variables=[18, 19])


def sequence_lstms():
    for time_major in [False, True]:
        for batch, time in [(1, 1), (1, 5), (3, 1), (2, 4)]:
            yield sequence_lstm(batch, time, 3, 5, time_major=time_major)
        for kinds in [
            {"coupled": True},
            {"peephole": True},
            {"coupled": True, "peephole": True},
            {"projection": True},
            {"projection": True, "bias": True},
            {"projection": True, "bias": True, "peephole": True, "coupled": True},
            {"diagonal": True},
            {"diagonal": True, "peephole": True},
        ]:
            outputs = 4 if "projection" in kinds else 7
            yield sequence_lstm(2, 3, 3, 7, outputs, time_major=time_major, **kinds)
            if "diagonal" not in kinds:
                yield sequence_lstm(2, 3, 3, 7, outputs, time_major=time_major, norm=True,
                                    name="norm", **kinds)
    # Vectors, whole and not, and more steps than products are made for at once.
    yield sequence_lstm(1, 6, 17, 16, name="one vector")
    yield sequence_lstm(2, 3, 33, 35, name="three vectors", peephole=True)
    yield sequence_lstm(1, 3, 20, 33, norm=True, name="normalised vectors")
    for time_major in [False, True]:
        yield sequence_lstm(2, 400, 1, 64, 1, time_major=time_major, name="blocks", projection=True,
                            coupled=True)
    yield sequence_lstm(1, 4, 3, 5, scale=1e4, name="saturated")
    yield sequence_lstm(1, 4, 3, 5, cell_clip=0.25, name="cell clip")
    yield sequence_lstm(1, 4, 3, 5, 4, cell_clip=0.25, proj_clip=0.125, name="clips", projection=True)
    # Without an activation, LiteRT gates the new value in place of the state.
    for activation in [RELU, RELU_N1_TO_1, RELU6]:
        yield sequence_lstm(1, 4, 3, 5, activation=activation, name=f"activation {activation}")
    yield sequence_lstm(2, 4, 3, 5, name="given weights", wrap=lambda x: x)


def step_lstm(batch, inputs, units, outputs=None, norm=False, cell_clip=0.0, proj_clip=0.0, name="",
              count=24, **kinds):
    outputs = outputs or units
    operands = [values(batch, inputs)] + lstm_weights(inputs, units, outputs, **kinds)
    operands += [zeros(batch, outputs), zeros(batch, units)]
    operands += norm_weights(units, kinds.get("coupled")) if norm else [None] * 4
    given = options("LSTMOptions", fusedActivationFunction=TANH, cellClip=cell_clip, projClip=proj_clip)
    text = f"{batch} {inputs} {units} {outputs} {sorted(kinds)} {name}"
    return Case("LSTM", operands[:count], ["f4"], given, name=text, variables=[18, 19])


def basic_lstm(batch, inputs, units, wrap=Const):
    operands = [values(batch, inputs), zeros(batch, units), wrap(values(4 * units, inputs + units)),
                wrap(values(4 * units)), zeros(batch, units)]
    given = options("LSTMOptions", fusedActivationFunction=TANH, kernelType=1)
    return Case("LSTM", operands, ["f4"] * 4, given, name=f"basic {batch} {inputs} {units} {wrap.__name__}",
                version=2, variables=[1, 4])


def step_lstms():
    yield step_lstm(1, 3, 5)
    yield step_lstm(3, 3, 5)
    yield step_lstm(3, 3, 5, count=20, name="deprecated")
    yield step_lstm(2, 4, 17, coupled=True)
    yield step_lstm(2, 4, 17, peephole=True)
    yield step_lstm(2, 4, 7, 3, projection=True, bias=True, cell_clip=0.5, proj_clip=0.25)
    yield step_lstm(2, 4, 17, norm=True, coupled=True, peephole=True, name="norm")
    yield step_lstm(2, 4, 17, norm=True, name="norm")
    for batch, inputs, units in [(1, 3, 4), (3, 5, 17), (2, 1, 1)]:
        yield basic_lstm(batch, inputs, units)
    yield basic_lstm(2, 3, 5, wrap=np.array)


def bidirectional_lstm(batch, time, inputs, units, outputs=None, time_major=True, merge=False,
                       aux=None, aux_weights=False, cell_clip=0.0, proj_clip=0.0,
                       **kinds):
    """`aux` are the values of a step of a second input."""
    outputs = outputs or units

    def sequence(values_of_step):
        shape = (time, batch) if time_major else (batch, time)
        return values(*shape, values_of_step)

    operands = [sequence(inputs)]
    for _ in range(2):
        operands += lstm_weights(inputs, units, outputs, **kinds)
    for _ in range(2):
        operands += [zeros(batch, outputs), zeros(batch, units)]
    operands.append(sequence(aux) if aux else None)
    for _ in range(2):
        more = [Const(values(units, aux)) if aux_weights else None for _ in range(4)]
        operands += [None if kinds.get("coupled") else more[0], *more[1:]]
    given = options("BidirectionalSequenceLSTMOptions", fusedActivationFunction=TANH,
                    cellClip=cell_clip, projClip=proj_clip, mergeOutputs=merge, timeMajor=time_major)
    text = f"{operands[0].shape} {units} {outputs} {merge} {aux} {aux_weights} {sorted(kinds)}"
    return Case("BIDIRECTIONAL_SEQUENCE_LSTM", operands, ["f4"] * (1 if merge else 2), given, name=text,
                variables=[35, 36, 37, 38])


def bidirectional_lstms():
    for time_major in [False, True]:
        for merge in [False, True]:
            both = {"time_major": time_major, "merge": merge}
            # With one output and the batch first, LiteRT takes the states of all sequences but the first
            # from the wrong places.
            n = 1 if merge and not time_major else 2
            yield bidirectional_lstm(1, 1, 3, 5, **both)
            yield bidirectional_lstm(n, 4, 3, 5, **both)
            yield bidirectional_lstm(n, 4, 3, 5, aux=3, **both)
            yield bidirectional_lstm(n, 4, 3, 5, aux=4, aux_weights=True, **both)
            yield bidirectional_lstm(n, 3, 3, 7, 4, projection=True, bias=True, cell_clip=0.5,
                                     proj_clip=0.25, **both)
            yield bidirectional_lstm(n, 3, 3, 7, coupled=True, peephole=True, aux=2, aux_weights=True,
                                     **both)


def rnn_weights(inputs, units, wrap=Const):
    return [wrap(values(units, inputs)), wrap(values(units, units)), wrap(values(units))]


def rnns():
    for batch, inputs, units in [(1, 3, 4), (3, 5, 17), (2, 1, 1)]:
        operands = [values(batch, inputs), *rnn_weights(inputs, units), zeros(batch, units)]
        for activation in [NONE, RELU, RELU_N1_TO_1, RELU6, TANH]:
            given = options("RNNOptions", fusedActivationFunction=activation)
            yield Case("RNN", operands, ["f4"], given, name=f"{batch} {inputs} {units} {activation}",
                       variables=[4])
    for time_major in [False, True]:
        for batch, time, inputs, units in [(1, 1, 3, 4), (1, 5, 3, 4), (3, 1, 3, 4), (2, 4, 5, 17)]:
            shape = (time, batch, inputs) if time_major else (batch, time, inputs)
            for activation in [RELU, TANH]:
                operands = [values(*shape), *rnn_weights(inputs, units), zeros(batch, units)]
                given = options("SequenceRNNOptions", fusedActivationFunction=activation,
                                timeMajor=time_major)
                yield Case("UNIDIRECTIONAL_SEQUENCE_RNN", operands, ["f4"], given,
                           name=f"{shape} {units} {activation}", variables=[4])
    operands = [values(2, 3, 4), *rnn_weights(4, 5, lambda x: x), zeros(2, 5)]
    given = options("SequenceRNNOptions", fusedActivationFunction=TANH)
    yield Case("UNIDIRECTIONAL_SEQUENCE_RNN", operands, ["f4"], given, name="given weights",
               variables=[4])


def bidirectional_rnn(batch, time, inputs, units, backward_units, time_major, merge, aux=None,
                      aux_weights=False):
    def sequence(values_of_step):
        shape = (time, batch) if time_major else (batch, time)
        return values(*shape, values_of_step)

    operands = [sequence(inputs)]
    for n in [units, backward_units]:
        operands += [*rnn_weights(inputs, n), zeros(batch, n)]
    operands.append(sequence(aux) if aux else None)
    operands += [Const(values(n, aux)) if aux_weights else None for n in [units, backward_units]]
    given = options("BidirectionalSequenceRNNOptions", fusedActivationFunction=TANH,
                    timeMajor=time_major, mergeOutputs=merge)
    text = f"{operands[0].shape} {units} {backward_units} {merge} {aux} {aux_weights}"
    return Case("BIDIRECTIONAL_SEQUENCE_RNN", operands, ["f4"] * (1 if merge else 2), given, name=text,
                variables=[4, 8])


def bidirectional_rnns():
    for time_major in [False, True]:
        for merge in [False, True]:
            # LiteRT gives the second output the shape [batch, time, units] even if the time comes first.
            time = 4 if merge or not time_major else 2
            yield bidirectional_rnn(1, 1, 3, 5, 4, time_major, merge)
            yield bidirectional_rnn(2, time, 3, 5, 17, time_major, merge)
            if time_major:
                # If the batch comes first, LiteRT lets both layers read the first input.
                yield bidirectional_rnn(2, time, 3, 5, 17, time_major, merge, aux=3)
            # If the time comes first, LiteRT takes the second input to be as long as the first.
            yield bidirectional_rnn(2, time, 3, 5, 4, time_major, merge, aux=3 if time_major else 2,
                                    aux_weights=True)


def svdfs():
    for batch, inputs, units, rank, memory in [(1, 3, 4, 1, 5), (2, 5, 17, 2, 10), (3, 1, 1, 3, 1)]:
        for bias in [False, True]:
            for activation in [NONE, RELU, TANH]:
                filters = units * rank
                operands = [values(batch, inputs), Const(values(filters, inputs)),
                            Const(values(filters, memory)), Const(values(units)) if bias else None,
                            zeros(batch, memory * filters)]
                given = options("SVDFOptions", rank=rank, fusedActivationFunction=activation)
                yield Case("SVDF", operands, ["f4"], given, variables=[4],
                           name=f"{batch} {inputs} {units} {rank} {memory} {bias} {activation}")
    operands = [values(2, 3), values(8, 3), values(8, 4), values(4), zeros(2, 32)]
    yield Case("SVDF", operands, ["f4"], options("SVDFOptions", rank=2), name="given weights",
               variables=[4])


def gru(x, input_weights, input_bias, weights, bias, state, swapped, sequences):
    """The kernel of luci-interpreter, for several sequences."""
    def logistic(v):
        return 1 / (1 + np.exp(-v))

    if swapped:
        input_weights, input_bias, weights, bias = weights, bias, input_weights, input_bias
    h, steps = np.float64(state), []
    none = np.zeros(len(weights))
    for step in np.float64(x):
        a = step @ np.float64(input_weights).T + (none if input_bias is None else input_bias)
        b = h @ np.float64(weights).T + (none if bias is None else bias)
        (a_update, a_reset, a_new), (b_update, b_reset, b_new) = np.split(a, 3, 1), np.split(b, 3, 1)
        update, reset = logistic(a_update + b_update), logistic(a_reset + b_reset)
        h = update * h + (1 - update) * np.tanh(a_new + reset * b_new)
        steps.append(h)
    return [np.stack(steps) if sequences else h]


def grus():
    for batch, time, inputs, units in [(1, 1, 3, 4), (1, 5, 3, 4), (3, 4, 5, 17), (2, 3, 4, 4)]:
        for sequences in [False, True]:
            for biased in [False, True]:
                for swapped in {False, inputs != units}:
                    sides = [inputs, units]
                    operands = [values(time, batch, inputs)]
                    for n in reversed(sides) if swapped else sides:
                        operands += [Const(values(3 * units, n)),
                                     Const(values(3 * units)) if biased else None]
                    operands.append(Const(values(batch, units)))
                    given = options("GRUOptions", returnSequences=sequences)
                    yield Case("GRU", operands, ["f4"], given,
                               name=f"{batch} {time} {inputs} {units} {sequences} {biased} {swapped}",
                               reference=partial(gru, swapped=swapped, sequences=sequences))


def cases():
    yield from grus()
    yield from sequence_lstms()
    yield from step_lstms()
    yield from bidirectional_lstms()
    yield from rnns()
    yield from bidirectional_rnns()
    yield from svdfs()
