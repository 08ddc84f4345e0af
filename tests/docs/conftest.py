import functools
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(name="reference", scope="session")
def fixture_reference():
    """The script; it makes its pages once for all tests."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.pages = functools.cache(module.pages)
    return module
