"""The house stands by its laws: floors, doors, sizes, names."""

import ast
import re
import subprocess
import sys
import time
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "onsei"
FLOORS = (
    "errors paths former config hooks",
    "audio text vision nn",
    "data units vocoder decoding metrics plots hub",
    "training",
    "system",
    "systems",
    "serve demo",
    "cli __main__",
)
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names.split()}
DOORS = {  # heavy library → the only places that may import it
    "soundfile": ("audio.io",),
    "av": ("audio.io", "vision"),
    "soxr": ("audio.resample",),
    "matplotlib": ("plots",),
    "accelerate": ("training",),
    "huggingface_hub": ("hub.remote",),
    "httpx2": ("data.download",),
    "safetensors": ("hub.weights", "data.features"),
    "rapidfuzz": ("metrics.wer",),
    "fastapi": ("serve",),
    "uvicorn": ("serve",),
    "tensorboard": ("training.tracking",),
    "wandb": ("training.tracking",),
    "pydantic": ("config",),
    "tyro": ("config", "cli"),
    "ruamel": ("config",),
    "PIL": ("plots", "vision", "demo.world.pictures"),
    "librosa": (),
    "jiwer": (),
    "espeakng_loader": ("demo",),
    "transformers": (
        "units.ssl",
        "units.whisper",
        "units.pretraining",
        "units.classifiers",
        "systems.classification.stock",
        "systems.translation.stock",
    ),
    "peft": ("systems.classification.stock.lora", "systems.song.lora"),
    "diffusers": ("systems.song.model.autoencoder",),
    "pyopenjtalk": ("text.japanese",),
    "gruut_lang_en": ("text.english",),
    "defusedxml": ("data.musicxml",),
    "sentencepiece": ("text.pieces",),
    "pickle": (),
    "tokenizers": ("systems.translation.stock.bart",),
    "sklearn": ("units.kmeans",),
    "optuna": ("training.study",),
    "sacrebleu": ("metrics.bleu",),
    "pesq": ("metrics.speech",),
    "pystoi": ("metrics.speech",),
    "onnx": ("hub.tracing",),
    "onnxruntime": ("hub.tracing",),
}
FILES = {
    path: ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__") for path in SRC.rglob("*.py")
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for path, name in FILES.items()}


@cache
def imports(name):
    """Full names that module ``name`` imports, also inside functions, and whether at import time."""
    return tuple(_imports(name))


def _imports(name):
    tree = TREES[name]
    typing_only = {id(c) for n in ast.walk(tree) if _is_typing_only(n) for c in ast.walk(n)}
    inside = {id(c) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for c in ast.walk(f) if c is not f}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            yield from ((f"{node.module}.{alias.name}", id(node) not in inside) for alias in node.names)


def _is_typing_only(node):
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def own(name):
    """Modules of onsei that ``name`` imports: (module, at import time)."""
    for target, early in imports(name):
        target = target.removeprefix("onsei.")
        while target and target not in TREES:
            target = target.rpartition(".")[0]
        if target and target != name:
            yield target, early


@pytest.mark.parametrize("name", sorted(n for n in TREES if n and n != "__init__"))
def test_arrows_run_down_and_no_system_imports_another(name):
    floor = FLOOR[name.split(".")[0]]
    for target, _ in own(name):
        assert FLOOR.get(target.split(".")[0], 0) <= floor, f"{name} imports {target} from a higher floor"
        both_systems = name.startswith("systems.") and target.startswith("systems.")
        assert not both_systems or name.split(".")[1] == target.split(".")[1], f"{name} imports {target}"


def test_there_is_no_import_circle():
    edges = {name: {t for t, early in own(name) if early} for name in TREES}
    state = {}

    def visit(name, path):
        if state.get(name) == "open":
            pytest.fail(f"circle: {' -> '.join([*path[path.index(name) :], name])}")
        if name not in state:
            state[name] = "open"
            for target in edges[name]:
                visit(target, [*path, name])
            state[name] = "done"

    for name in edges:
        visit(name, [])


@pytest.mark.parametrize(("library", "doors"), DOORS.items())
def test_each_heavy_library_has_one_door(library, doors):
    for name in TREES:
        if any(target.split(".")[0] == library for target, _ in imports(name)):
            assert any(name == door or name.startswith(f"{door}.") for door in doors), f"{name} imports {library}"


@pytest.mark.parametrize("path", sorted(FILES), ids=str)
def test_rooms_are_small(path):
    name = path.relative_to(SRC)
    assert path.stem not in {"utils", "helpers", "common", "misc"}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, f"{name} is too long"
    for node in ast.walk(TREES[FILES[path]]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 80, f"{name}:{node.name} is too long"


def test_every_system_has_the_same_rooms():
    training = {"model", "training", "evaluation", "inference", "plots"}
    for folder in (p for p in (SRC / "systems").iterdir() if (p / "__init__.py").exists()):
        there = {p.stem for p in folder.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
        trains = import_module(f"onsei.systems.{folder.name}").SYSTEM.stages
        rooms = {"__init__", "config", "data"} | (training if trains else set())
        assert rooms <= there, f"{folder.name} lacks {sorted(rooms - there)}"
        assert {"tiny", "base", "paper"} <= {p.stem for p in (folder / "recipes").glob("*.yaml")}
        assert (folder / "README.md").exists()


def run(*words):
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT, check=False)
    return done, time.perf_counter() - began


def test_help_answers_without_torch():
    code = "import sys, onsei.cli as c; c.main(['--help']); assert 'torch' not in sys.modules, 'torch was imported'"
    done, _ = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert "recognition" in done.stdout


def test_help_of_every_verb_answers_without_torch():
    code = """
import sys
from onsei import systems
from onsei.system import resolve
for system in systems():
    for verb in system.verbs:
        resolve(verb.options)
    for path in (system.request, system.result, *system.stages.values()):
        resolve(path)
assert 'torch' not in sys.modules, 'torch was imported'
"""
    done, _ = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_help_is_quick_beside_starting_python():
    run("-m", "onsei", "--help")  # compiled files are written
    best = min(run("-m", "onsei", "--help")[1] for _ in range(3))
    bare = min(run("-c", "pass")[1] for _ in range(3))
    assert best - bare < 0.5 * max(1.0, bare / 0.02), f"--help took {best:.2f} s, bare Python {bare:.2f} s"


def test_nothing_in_the_project_names_this_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=False).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ""} and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found = re.search(r"/(home|root|work|opt)/\w+", text)
            assert not found or "Apache License" in text[:500], f"{name}: {found and found.group()}"
