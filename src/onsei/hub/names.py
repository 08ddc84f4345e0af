"""Which names in a pickle stand for code that must not run, and which for mere kinds of data."""

from __future__ import annotations

import sys

_HARMLESS = {
    "__builtin__", "_codecs", "_collections", "_operator", "argparse", "array", "builtins", "collections", "copy_reg",
    "copyreg", "dataclasses", "datetime", "decimal", "enum", "fractions", "numbers", "operator", "pathlib", "types",
    "typing", "uuid",
}  # fmt: skip
"""Modules of Python that hold kinds of data (and of these, only what ``_DATA`` does not leave out)."""
_DATA = {
    "builtins": {
        "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "object", "range", "set",
        "slice", "str", "tuple", "getattr", "type", "NoneType", "long", "unicode",
    },
    "operator": {"getitem", "or_"},
    "types": {"GenericAlias", "SimpleNamespace", "UnionType", "NoneType"},
    "copyreg": {"_reconstructor", "__newobj__", "__newobj_ex__"},
    "_codecs": {"encode"},
}  # fmt: skip
ALIASES = {"__builtin__": "builtins", "copy_reg": "copyreg", "_operator": "operator"}
_RUNNERS = (
    "IPython", "cloudpickle", "commands", "dill", "execnet", "joblib", "jsonpickle", "nt", "numba", "numpy.f2py",
    "numpy.load", "numpy.testing", "pexpect", "pip", "pkg_resources", "posix", "setuptools", "torch.classes",
    "torch.compile", "torch.hub", "torch.jit", "torch.load", "torch.multiprocessing", "torch.ops", "torch.package",
    "torch.serialization.load", "torch.storage._load_from_bytes", "torch.utils.cpp_extension",
)  # fmt: skip
"""What outside Python itself can load or run code: modules, and single functions."""
_SMUGGLED = {"__builtins__", "__import__", "builtins", "importlib", "os", "pty", "shutil", "subprocess", "sys"}
"""Names by which a path through another module (``torch.os.system``) reaches what runs code."""


def runs_code(module: str, name: str) -> bool:
    """Whether ``module.name`` is of Python's own library and no kind of data, or a known loader or runner of code."""
    top = module.partition(".")[0]
    plain = ALIASES.get(module, module)
    if plain in _DATA:
        return name not in _DATA[plain]
    full = f"{module}.{name}"
    if any(full == runner or full.startswith(f"{runner}.") for runner in _RUNNERS):
        return True
    if top in sys.stdlib_module_names:
        return top not in _HARMLESS or "." in name
    return not _SMUGGLED.isdisjoint(full.split("."))
