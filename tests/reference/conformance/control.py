"""IF, WHILE, CALL_ONCE and variables, and shapes that depend on the record."""
import numpy as np
from flatbuffers import flexbuffers

from suite import Graph, Whole, new_model, options, pack

F = np.float32
I = np.int32
NO_ATTRIBUTES = np.frombuffer(flexbuffers.Dumps({}), "u1")


def arithmetic(activation=0):
    return options("AddOptions", fusedActivationFunction=activation)


def branch(condition, nested):
    """Of two branches, perhaps with another one in the first."""
    model = new_model()
    main = Graph(model)
    then, otherwise = Graph(model, "then"), Graph(model, "else")
    flag, x = main.input(bool, []), main.input(F, [2, 3])
    main.results(main.op("IF", [flag, x], [(F, [2, 3])], options(
        "IfOptions", thenSubgraphIndex=then.index, elseSubgraphIndex=otherwise.index)))
    x = then.input(F, [2, 3])
    total = then.op("ADD", [x, then.const(F([1, 2, 3]))], [(F, [2, 3])], arithmetic())
    if nested:
        inner = [Graph(model, "inner_then"), Graph(model, "inner_else")]
        for graph, factor in zip(inner, [2, 3]):
            y = graph.input(F, [2, 3])
            graph.results(graph.op("MUL", [y, graph.const(F(factor))], [(F, [2, 3])],
                                   options("MulOptions")))
        biggest = then.op("REDUCE_MAX", [total, then.const(I([0, 1]))], [(F, [])],
                          options("ReducerOptions"))
        above = then.op("GREATER", [biggest, then.const(F(5))], [(bool, [])],
                        options("GreaterOptions"))
        total = then.op("IF", [above, total], [(F, [2, 3])], options(
            "IfOptions", thenSubgraphIndex=inner[0].index, elseSubgraphIndex=inner[1].index))
    then.results(total)
    x = otherwise.input(F, [2, 3])
    otherwise.results(otherwise.op("MUL", [x, x], [(F, [2, 3])], options("MulOptions")))
    value = F([[-1, 0, 1], [2, 3, 4]])
    return Whole("IF", pack(model), [np.array(condition), value], f"{condition} {nested}")


def loop(rounds, bound_given, dtype):
    """`while i < n: i, x = i + 1, x * 0.5 + i`."""
    model = new_model()
    main, cond, body = Graph(model), Graph(model, "cond"), Graph(model, "body")
    i, n, x = main.input(dtype, [1]), main.input(dtype, [1]), main.input(F, [1, 4])
    states = [(dtype, [1]), (dtype, [1]), (F, [1, 4])]
    main.results(*main.op("WHILE", [i, n, x], states, options(
        "WhileOptions", condSubgraphIndex=cond.index, bodySubgraphIndex=body.index)))
    i, n, x = [cond.input(*state) for state in states]
    bound = n if bound_given else cond.const(dtype([rounds]))
    cond.results(cond.op("LESS", [i, bound], [(bool, [1])], options("LessOptions")))
    i, n, x = [body.input(*state) for state in states]
    half = body.op("MUL", [x, body.const(F(0.5))], [(F, [1, 4])], options("MulOptions"))
    real = i if dtype == F else body.op("CAST", [i], [(F, [1])], options("CastOptions"))
    x = body.op("ADD", [half, real], [(F, [1, 4])], arithmetic())
    i = body.op("ADD", [i, body.const(dtype([1]))], [(dtype, [1])], arithmetic())
    body.results(i, n, x)
    given = [dtype([0]), dtype([rounds]), F([[1, -2, 3, 1e30]])]
    return Whole("WHILE", pack(model), given, f"{rounds} {bound_given} {dtype.__name__}")


def growing(rounds, dtype):
    """A state that is longer in every round."""
    model = new_model()
    main, cond, body = Graph(model), Graph(model, "cond"), Graph(model, "body")
    i, x = main.input(dtype, [1]), main.input(F, [1, 2])
    states = [(dtype, [1]), (F, [-1, 2])]
    i, x = main.op("WHILE", [i, x], states, options(
        "WhileOptions", condSubgraphIndex=cond.index, bodySubgraphIndex=body.index))
    total = main.op("SUM", [x, main.const(I([0]))], [(F, [2])], options("ReducerOptions"))
    main.results(i, x, total)
    i, x = [cond.input(*state) for state in states]
    cond.results(cond.op("LESS", [i, cond.const(dtype([rounds]))], [(bool, [1])],
                         options("LessOptions")))
    i, x = [body.input(*state) for state in states]
    again = body.op("ADD", [x, body.const(F(1))], [(F, [-1, 2])], arithmetic())
    x = body.op("CONCATENATION", [x, again], [(F, [-1, 2])],
                options("ConcatenationOptions", axis=0))
    i = body.op("ADD", [i, body.const(dtype([1]))], [(dtype, [1])], arithmetic())
    body.results(i, x)
    return Whole("WHILE", pack(model), [dtype([0]), F([[1, -2]])], f"growing {rounds} {dtype.__name__}")


def variables():
    """A variable that CALL_ONCE sets, an operator reads, and another sets again."""
    model = new_model()
    main, init = Graph(model), Graph(model, "init")
    name = options("VarHandleOptions", container="", sharedName="total")
    main.op("CALL_ONCE", [], [], options("CallOnceOptions", initSubgraphIndex=init.index))
    x = main.input(F, [2])
    handle = main.op("VAR_HANDLE", [], [("resource", [1])], name)
    before = main.op("READ_VARIABLE", [handle], [(F, [2])], options("ReadVariableOptions"))
    total = main.op("ADD", [before, x], [(F, [2])], arithmetic())
    main.op("ASSIGN_VARIABLE", [handle, total], [], options("AssignVariableOptions"))
    after = main.op("READ_VARIABLE", [handle], [(F, [2])], options("ReadVariableOptions"))
    main.results(main.op("MUL", [after, after], [(F, [2])], options("MulOptions")))
    handle = init.op("VAR_HANDLE", [], [("resource", [1])], name)
    init.op("ASSIGN_VARIABLE", [handle, init.const(F([10, 20]))], [],
            options("AssignVariableOptions"))
    return Whole("READ_VARIABLE", pack(model), [F([1, 2])], "set once, read, set, read")


def counted(dtype, rounds):
    """Two variables: the body of a loop adds to one of them what is in the other."""
    model = new_model()
    main, init, cond, body = (Graph(model, name) for name in ["main", "init", "cond", "body"])
    names = [options("VarHandleOptions", container="", sharedName=name) for name in ["step", "sum"]]
    handle = lambda graph, k: graph.op("VAR_HANDLE", [], [("resource", [1])], names[k])
    read = lambda graph, k: graph.op("READ_VARIABLE", [handle(graph, k)], [(dtype, [3])],
                                     options("ReadVariableOptions"))
    assign = lambda graph, k, value: graph.op("ASSIGN_VARIABLE", [handle(graph, k), value], [],
                                              options("AssignVariableOptions"))
    main.op("CALL_ONCE", [], [], options("CallOnceOptions", initSubgraphIndex=init.index))
    i, step = main.input(I, [1]), main.input(dtype, [3])
    assign(main, 0, step)
    i = main.op("WHILE", [i], [(I, [1])], options(
        "WhileOptions", condSubgraphIndex=cond.index, bodySubgraphIndex=body.index))
    main.results(i, read(main, 1))
    assign(init, 1, init.const(dtype([10, 20, 30])))
    i = cond.input(I, [1])
    cond.results(cond.op("LESS", [i, cond.const(I([rounds]))], [(bool, [1])], options("LessOptions")))
    i = body.input(I, [1])
    assign(body, 1, body.op("ADD", [read(body, 1), read(body, 0)], [(dtype, [3])], arithmetic()))
    body.results(body.op("ADD", [i, body.const(I([1]))], [(I, [1])], arithmetic()))
    return Whole("ASSIGN_VARIABLE", pack(model), [I([0]), dtype([1, -2, 3])],
                 f"{rounds} rounds {dtype.__name__}")


def different_shapes(condition):
    """Branches whose results differ in shape, and an operator behind them."""
    model = new_model()
    main = Graph(model)
    then, otherwise = Graph(model, "then"), Graph(model, "else")
    flag, x = main.input(bool, []), main.input(F, [2, 3])
    joined = main.op("IF", [flag, x], [(F, [-1, 3])], options(
        "IfOptions", thenSubgraphIndex=then.index, elseSubgraphIndex=otherwise.index))
    total = main.op("SUM", [joined, main.const(I([0]))], [(F, [3])], options("ReducerOptions"))
    main.results(joined, total)
    x = then.input(F, [2, 3])
    then.results(then.op("CONCATENATION", [x, x, x], [(F, [6, 3])],
                         options("ConcatenationOptions", axis=0)))
    x = otherwise.input(F, [2, 3])
    otherwise.results(otherwise.op("NEG", [x], [(F, [2, 3])]))
    return Whole("IF", pack(model), [np.array(condition), F([[-1, 0, 1], [2, 3, 4]])],
                 f"different shapes {condition}")


def computed_shape(shape):
    """A RESHAPE whose shape comes with the record, and what follows."""
    model = new_model()
    main = Graph(model)
    x, to = main.input(F, [2, 6]), main.input(I, [len(shape)])
    reshaped = main.op("RESHAPE", [x, to], [(F, [-1] * len(shape))])
    total = main.op("ADD", [reshaped, main.const(F(1))], [(F, [-1] * len(shape))], arithmetic())
    main.results(reshaped, total)
    given = [np.arange(12, dtype=F).reshape(2, 6), I(shape)]
    return Whole("RESHAPE", pack(model), given, f"to {shape}")


def moving_part(strided, dtype, at):
    """A part of constant size that begins where the record says."""
    model = new_model()
    main = Graph(model)
    x, begin = main.input(F, [2, 6, 3]), main.input(dtype, [3])
    if strided:
        end, steps = main.input(dtype, [3]), main.const(dtype([1, 1, -1]))
        part = main.op("STRIDED_SLICE", [x, begin, end, steps], [(F, [2, 3])], options(
            "StridedSliceOptions", beginMask=0b101, endMask=0b101, shrinkAxisMask=0b010))
    else:
        part = main.op("SLICE", [x, begin, main.const(dtype([1, 3, 2]))], [(F, [1, 3, 2])])
    main.results(main.op("NEG", [part], [(F, [2, 3] if strided else [1, 3, 2])]))
    given = [np.arange(36, dtype=F).reshape(2, 6, 3), dtype(at)]
    given += [dtype(at) + dtype(1)] if strided else []
    return Whole("STRIDED_SLICE" if strided else "SLICE", pack(model), given, f"at {at} {dtype.__name__}")


def composite(calls, shared, nested):
    """Composites of constants and values, one decomposition for all or one each, perhaps with another
    composite in it."""
    model = new_model()
    main = Graph(model)
    decompositions = []
    for number in range(1 if shared else calls):
        body = Graph(model, f"body{number}")
        x, scale = body.input(F, [2, 3]), body.input(F, [3])
        y = body.op("MUL", [x, scale], [(F, [2, 3])], options("MulOptions"))
        if nested:
            inner = Graph(model, f"inner{number}")
            z = inner.input(F, [2, 3])
            inner.results(inner.op("TANH", [z], [(F, [2, 3])]))
            y = body.op("STABLEHLO_COMPOSITE", [y], [(F, [2, 3])], options(
                "StableHLOCompositeOptions", name="tanh", compositeAttributes=NO_ATTRIBUTES,
                decompositionSubgraphIndex=inner.index))
        body.results(body.op("ADD", [y, body.const(F(0.5))], [(F, [2, 3])], arithmetic()), x)
        decompositions.append(body)
    x = main.input(F, [2, 3])
    for call in range(calls):
        body = decompositions[0 if shared else call]
        x, _ = main.op("STABLEHLO_COMPOSITE", [x, main.const(F([1, -2, 0.25]) * (call + 1))],
                       [(F, [2, 3])] * 2, options("StableHLOCompositeOptions", name="scaled",
                                                  compositeAttributes=NO_ATTRIBUTES,
                                                  decompositionSubgraphIndex=body.index))
    main.results(x)
    given = [F([[-1, 0, 1], [2, 3, 4]])]
    return Whole("STABLEHLO_COMPOSITE", pack(model), given, f"{calls} {shared} {nested}")


def cases():
    yield from (branch(c, n) for c in [True, False] for n in [True, False])
    yield from (loop(n, given, dtype) for n in [0, 1, 5] for given in [True, False] for dtype in [F, I])
    yield from (growing(n, dtype) for n in [0, 1, 4] for dtype in [F, I])
    yield variables()
    yield from (counted(dtype, rounds) for dtype in [F, I, np.int64] for rounds in [0, 1, 3])
    yield from (different_shapes(c) for c in [True, False])
    yield from (composite(calls, shared, nested) for calls, shared, nested in [
        (1, False, False), (3, False, False), (3, True, False), (1, False, True), (2, True, True),
        (2, False, True)])
    yield from (moving_part(False, dtype, at) for dtype in [I, np.int64] for at in [[0, 0, 0], [1, 3, 1]])
    yield from (moving_part(True, I, at) for at in [[0, 0, 0], [1, 5, 2], [0, -2, 0]])
    yield from (computed_shape(shape) for shape in [[12], [3, -1], [1, 2, 3, 2]])
