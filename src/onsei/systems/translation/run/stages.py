"""The stages of a run: what each reads and writes, and the options that it runs with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from onsei import config
from onsei.errors import ConfigError, DataError
from onsei.system import Verb, resolve
from onsei.systems.translation.config.run import Run

WORLD = "onsei.demo.world:make_world"
"""What makes data where none is given; systems know nothing of the demo but this name."""
BOTH = ("retrieval", "translation")
TESTS: Mapping[str, tuple[str, ...]] = {
    "unseen": BOTH, "seen": BOTH, "test": BOTH, "pairs_test": BOTH[:1], "parallel_test": BOTH[1:],
}  # fmt: skip
"""Manifests to measure on, where they are there, and what is measured on them."""
NAMES = {
    "pairs": ("pairs", "pairs_train"),
    "parallel": ("parallel", "parallel_train"),
    "val": ("val", "pairs_val"),
    "parallel_val": ("parallel_val",),
    **{name: (name,) for name in TESTS},
}
"""Which manifest serves for what: the world's names, and those that `prepare` gives. The first one there is taken."""
BASE, UNITS = "aud_base_model", "acoustic_unit_model"
CORE, FINAL = "semantic_core_model", "final_translator_model"
ENCODED = "multimodal_preprocessed"


@dataclass(frozen=True)
class Stage:
    """One stage of a run."""

    name: str
    """Of the stage, and what it works on: ``encode pairs``."""
    verb: str
    output: Path
    """Folder or file whose presence shows that it was done."""
    fields: Mapping[str, Any]
    """Options by dotted path, over the recipe's."""
    inputs: tuple[Path, ...] = ()
    """Files and model folders whose change makes it run anew."""
    trains: bool = False
    """Whether it can be stopped and goes on from its checkpoints."""
    remark: str = field(default="", compare=False)


def stages(options: Run, data: Path) -> Iterator[Stage]:
    """The stages of ``options`` over the manifests in ``data``, in their order."""
    models, encoded = options.output_dir / "models", options.output_dir / "data" / ENCODED
    clock = {"training.seed": options.seed}
    speech = data / "unlabeled.jsonl"
    layered = _features(options.recipe) == "layer"
    base = {"base_model_path": str(models / BASE)} if layered else {}
    if layered:
        fields = {"train_manifest": speech, "output_dir": models / BASE, **clock}
        yield Stage("pretrain", "pretrain", models / BASE, fields, (speech,), trains=True)
    fields = {"train_manifest": speech, "output_dir": models / UNITS, **base, **clock}
    inputs = (speech, *([models / BASE] if layered else []))
    yield Stage("fit-units", "fit-units", models / UNITS, fields, inputs, trains=True)
    for name in NAMES:
        manifest = manifest_of(data, name)
        if manifest is not None:
            fields = {"model": models / UNITS, "manifest": manifest, "output_dir": encoded / name}
            yield Stage(f"encode {name}", "encode", encoded / name / "units.jsonl", fields, (manifest, models / UNITS))
    yield from _meaning(options, data, models, encoded)


def _meaning(options: Run, data: Path, models: Path, encoded: Path) -> Iterator[Stage]:
    pairs, parallel, val = (encoded / name / "units.jsonl" for name in ("pairs", "parallel", "val"))
    clock = {"training.seed": options.seed}
    chosen = {"val_manifest": val} if manifest_of(data, "val") is not None else {}
    yield Stage(
        "ground", "ground", models / CORE, {"train_manifest": pairs, "output_dir": models / CORE, **chosen, **clock},
        (pairs, *chosen.values()), trains=True,
    )  # fmt: skip
    fields = {
        "train_manifest": parallel, "output_dir": models / FINAL, "semantic_model": models / CORE,
        "acoustic_model": models / UNITS, **clock,
    }  # fmt: skip
    inputs = [parallel, models / CORE]
    if manifest_of(data, "parallel_val") is not None:
        fields["val_manifest"] = encoded / "parallel_val" / "units.jsonl"
        inputs.append(encoded / "parallel_val" / "units.jsonl")
    yield Stage("train", "train", models / FINAL, fields, tuple(inputs), trains=True)
    for name, measured in TESTS.items():
        if manifest_of(data, name) is not None:
            test = encoded / name / "units.jsonl"
            for what in measured:
                model = {"retrieval": CORE, "translation": FINAL}[what]
                target = options.output_dir / "results" / f"{name}-{what}.json"
                more = {"train_manifest": parallel} if model == FINAL else {}
                fields = {"model": str(models / model), "test_manifest": test, "json": target, **more}
                yield Stage(f"evaluate {name} {what}", "evaluate", target, fields, (test, models / model))


def resolved(stage: Stage, verb: Verb, recipe: str) -> Any:
    """The options that a stage runs with.

    Raises:
        ConfigError: the recipe is none.
    """
    cls = resolve(verb.options)
    values: dict[str, Any] = {}
    if verb.section:
        values = config.given(config.from_recipe(cls, recipe_path(recipe), library=_library(), section=verb.section))
    for path, value in stage.fields.items():
        nested: Any = str(value) if isinstance(value, Path) else value
        for key in reversed(path.split(".")):
            nested = {key: nested}
        values = config.merged(values, nested)
    return config.from_dict(cls, values, f"{recipe}: {verb.section or verb.name}")


def recipe_path(recipe: str) -> Path:
    """The file of a recipe.

    Raises:
        ConfigError: there is none of this name.
    """
    if recipe.endswith((".yaml", ".yml")):
        return Path(recipe)
    path = _library() / f"{recipe}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in _library().glob("*.yaml")))
        raise ConfigError(f"{recipe!r} is no recipe", f"one of: {names}; or a YAML file")
    return path


def check_data(folder: Path) -> Path:
    """Check that ``folder`` has what the stages read.

    Raises:
        DataError: a manifest is missing.
    """
    lacking = [] if (folder / "unlabeled.jsonl").is_file() else ["unlabeled"]
    lacking += [name for name in ("pairs", "parallel") if manifest_of(folder, name) is None]
    if lacking:
        raise DataError(
            f"{folder}: {', '.join(f'{name}.jsonl' for name in lacking)} missing",
            "make the manifests with `onsei translation prepare`",
        )
    return folder


def manifest_of(folder: Path, name: str) -> Path | None:
    """The manifest in ``folder`` that serves for ``name``; None where there is none."""
    places = (folder / f"{file}.jsonl" for file in NAMES[name])
    return next((path for path in places if path.is_file()), None)


def _features(recipe: str) -> str:
    """What units are made of: only those of a layer need a pretrained network."""
    values: Any = config.read_yaml(recipe_path(recipe), _library())
    for key in ("fit_units", "features", "kind"):
        values = values.get(key) if isinstance(values, dict) else None
    return str(values or "layer")


def _library() -> Path:
    return Path(str(files("onsei.systems.translation"))) / "recipes"
