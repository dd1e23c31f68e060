"""Moves the buffers of a small model behind its FlatBuffer, as in models that are larger than 2 GB:
`make_external_buffers.py IN OUT`. Needs `circle-schema`, `flatbuffers` and `numpy`.
"""

import sys

import flatbuffers

from circle_file import buffer_bytes, load

ALIGNMENT = 64


def pack(model, identifier):
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), identifier)
    data = bytes(builder.Output())
    return data + bytes(-len(data) % ALIGNMENT)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    data, model = load(sys.argv[1])
    contents = [buffer_bytes(data, buffer) for buffer in model.buffers]
    # The first pass only tells the length; no position may be 0, which would not be stored.
    start = 1 << 40
    for _ in range(2):
        behind = b""
        for buffer, content in zip(model.buffers, contents):
            if content:
                behind += bytes(-len(behind) % ALIGNMENT)
                buffer.data, buffer.offset, buffer.size = None, start + len(behind), len(content)
                behind += content
        flatbuffer = pack(model, data[4:8])
        start = len(flatbuffer)
    with open(sys.argv[2], "wb") as file:
        file.write(flatbuffer + behind)


main()
