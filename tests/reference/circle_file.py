"""What the scripts here share: model files through the circle-schema package."""

import struct

from circle_schema import circle


def class_of(name):
    """The class of a table or enumeration; the package has one module for each."""
    found = getattr(circle, name)
    return getattr(found, name, found)


def object_class_of(name):
    """The class with plain attributes for a table."""
    return getattr(getattr(circle, name), name + "T")


def load(path):
    """The bytes of a file, and the model as plain objects."""
    with open(path, "rb") as file:
        data = file.read()
    if data[4:8] not in (b"CIR0", b"TFL3"):
        raise SystemExit(f"{path}: neither circle nor TFLite")
    model = object_class_of("Model").InitFromObj(class_of("Model").GetRootAs(data, 0))
    return data, model


def buffer_bytes(data, buffer):
    """The bytes of a buffer, wherever they stand."""
    if buffer.offset > 1:
        return data[buffer.offset : buffer.offset + buffer.size]
    return bytes(bytearray(buffer.data)) if buffer.data is not None else b""


def scalar_at(data, table, slot, form):
    """Reads a field by slot, which the generated classes may not have; None if it is not there."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, vtable)
    if 4 + 2 * slot >= size:
        return None
    (offset,) = struct.unpack_from("<H", data, vtable + 4 + 2 * slot)
    return struct.unpack_from(form, data, table + offset)[0] if offset else None
