#!/usr/bin/env python3
"""Turns a small model into one whose buffers stand after the FlatBuffer, as in files over 2 GB.

Needs: pip install circle-schema==0.10.1
Run:   python make_external_buffers.py IN OUT

IN is a circle model, or a TFLite model that uses nothing circle does not have; OUT keeps its
format. Custom operators' options move as well.
"""
import sys
from pathlib import Path

import flatbuffers
from circle_schema.v0_10.circle.Model import ModelT

ALIGNMENT = 64
UNKNOWN = 2**63


def external_parts(model):
    """What has been taken out of the model: bytes, and how to say where they are."""
    for buffer in model.buffers or []:
        if buffer.data is not None and len(buffer.data) > 0:
            data, buffer.data = bytes(bytearray(buffer.data)), None
            buffer.size = len(data)
            yield data, lambda at, buffer=buffer: setattr(buffer, "offset", at)
    for subgraph in model.subgraphs:
        for operator in subgraph.operators or []:
            if operator.customOptions is not None and len(operator.customOptions) > 0:
                data, operator.customOptions = bytes(bytearray(operator.customOptions)), None
                operator.largeCustomOptionsSize = len(data)
                yield data, lambda at, it=operator: setattr(it, "largeCustomOptionsOffset", at)


def packed(model, identifier):
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(model.Pack(builder), file_identifier=identifier)
    return padded(bytes(builder.Output()))


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def main():
    source, target = map(Path, sys.argv[1:])
    data = source.read_bytes()
    identifier = data[4:8]
    model = ModelT.InitFromPackedBuf(data)
    parts = list(external_parts(model))
    # The FlatBuffer's length does not depend on the positions, as long as none is the default.
    for _, place in parts:
        place(UNKNOWN)
    at = len(packed(model, identifier))
    behind = b""
    for part, place in parts:
        place(at + len(behind))
        behind += padded(part)
    target.write_bytes(packed(model, identifier) + behind)
    print(f"{target}: {len(parts)} parts behind a FlatBuffer of {at} bytes")


main()
