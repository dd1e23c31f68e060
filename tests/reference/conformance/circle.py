"""Operators that only circle has, against NumPy.

BCQ_FULLY_CONNECTED, BCQ_GATHER and RUN_MODEL are not supported; those of other families are there.
"""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(15)


def values(*shape):
    """Few bits, so that the file is small."""
    return (rng.integers(-16, 17, shape) / 8).astype("f4")


def rope(x, sin, cos):
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], -1)
    return [x * cos + turned * sin]


def attention(x, wq, wk, wv, wo, cos, sin, mask, keys, values, position):
    """One token, with the caches' place at its position taken by its own key and value; in double."""
    _, size, heads, head = keys.shape
    doubles = [a.astype("f8") for a in (x.ravel(), wq, wk, wv, wo, cos.ravel(), sin.ravel())]
    x, wq, wk, wv, wo, cos, sin = doubles
    turn = lambda v: rope(v.reshape(heads, head), sin, cos)[0]
    query, key, value = turn(wq @ x), turn(wk @ x), (wv @ x).reshape(heads, head)
    at = int(position.ravel()[0])
    count = min(-(-(at + 2) // 32) * 32, size, mask.size if mask is not None else size)
    keys, values = keys[0, :count].astype("f8"), values[0, :count].astype("f8")
    keys[at], values[at] = key, value
    scores = np.einsum("hi,thi->ht", query, keys) / np.sqrt(head)
    if mask is not None:
        scores = scores + mask.ravel()[:count]
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    shares /= shares.sum(-1, keepdims=True)
    return [(wo @ np.einsum("ht,thi->hi", shares, values).ravel()).reshape(1, 1, -1)]


def attention_case(heads, head, size, at, late, masked, dtype="i8"):
    d = heads * head
    weights = [values(d, d) / np.sqrt(d).astype("f4") for _ in range(4)]
    mask = np.where(np.arange(size) <= at, 0, -np.inf).astype("f4").reshape(1, 1, 1, size) if masked else None
    angles = rng.uniform(0, 3, head // 2).astype("f4")
    tables = [np.tile(f(angles), 2).reshape(1, 1, head) for f in (np.cos, np.sin)]
    inputs = [values(1, 1, d), *(weights if late else map(Const, weights)), *tables, mask,
              values(1, size, heads, head), values(1, size, heads, head), np.array([at], dtype)]

    def reference(*given):
        return attention(*given[:7], mask, *given[-3:])
    return Case("ATTENTION", inputs, ["f4"],
                name=f"{heads} {head} {size} {at} {late} {masked} {dtype}", reference=reference,
                tolerance=(1e-5, 1e-5))


def cases():
    out = [attention_case(*sizes, late, masked) for late in [False, True] for masked in [False, True]
           for sizes in [(1, 2, 1, 0), (2, 8, 40, 0), (4, 6, 40, 30), (2, 16, 40, 31), (3, 10, 64, 39), (1, 34, 8, 7)]]
    out.append(attention_case(2, 8, 40, 5, False, True, "i4"))
    for shape, table in [((1, 1, 1, 8), (1, 1, 1, 8)), ((1, 4, 3, 64), (1, 1, 3, 64)), ((2, 3, 5, 6), (1, 1, 1, 6)),
                         ((2, 3, 4, 34), (2, 1, 4, 34)), ((3, 2), (2,)), ((4,), (4,)), ((2, 3, 1, 2, 10), (3, 1, 1, 10))]:
        for late in [False, True]:
            tables = [values(*table), values(*table)]
            inputs = [values(*shape), *(tables if late else map(Const, tables))]
            out.append(Case("ROPE", inputs, ["f4"], options("RoPEOptions"), name=f"{shape} {table} {late}",
                            reference=rope))
    return out
