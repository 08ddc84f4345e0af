"""Checkpoints that would do harm if they were loaded as Python loads pickles; each harm would leave a file behind."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile

import torch

MARK = "touched"
"""Name of the file, in the working folder, that tells that code was run."""


class Calls:
    """Pickled as a call."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def by_text(module, name, argument=MARK):
    """A protocol 0 pickle that calls ``module.name(argument)``, whether or not it is there."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def archive(path, pickled, storages=(), **changed):
    """A file in the format of PyTorch 1.6 and later around the pickle ``pickled``."""
    with zipfile.ZipFile(path, "w", changed.get("compression", zipfile.ZIP_STORED)) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/byteorder", changed.get("byteorder", "little"))
        for key, content in storages:
            file.writestr(f"archive/data/{key}", content)
        file.writestr("archive/version", "3\n")
    return path


def sequence(path, pickled, keys=(), raw=b""):
    """The same in the format before PyTorch 1.6."""
    head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
    parts = [pickle.dumps(part, 2) for part in head]
    path.write_bytes(b"".join([*parts, pickled, pickle.dumps(list(keys), 2), raw]))
    return path


def tensor(count=4, offset=0, size=(4,), stride=(1,), key="0", kind=torch.FloatStorage):
    """A pickle of a tensor that says these things of itself."""

    class Persistent(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", kind, key, "cpu", count) if value is storage else None

    storage = object()
    buffer = io.BytesIO()
    made = Calls(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {})
    Persistent(buffer, 2).dump({"state_dict": {"w": made}})
    return buffer.getvalue()


def raw(count, content):
    return struct.pack("<q", count) + content
