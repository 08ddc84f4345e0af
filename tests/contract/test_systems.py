"""What every system promises; a new one is covered by its name in ``onsei.systems.NAMES``."""

import dataclasses
import io
import json
import os
import subprocess
import sys
import typing
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

import pytest

import onsei
from onsei import cli, config
from onsei.errors import OnseiError
from onsei.system import resolve

SYSTEM_ROOM = Path(onsei.__file__).parent / "systems"
SYSTEMS = {system.name: system for system in onsei.systems()}
TRAINED = {name: system for name, system in SYSTEMS.items() if system.stages}


@pytest.fixture(scope="module", params=sorted(TRAINED))
def system(request):
    return SYSTEMS[request.param]


@pytest.fixture(scope="module")
def example(system, tmp_path_factory):
    return resolve(system.example)(tmp_path_factory.mktemp(system.name))


@pytest.fixture(scope="module")
def train(system):
    stage = next(iter(system.stages))
    return resolve(next(verb.run for verb in system.verbs if verb.name == stage))


@pytest.fixture(scope="module")
def model(example, train):
    """The folder of the trained example, and how training went."""
    return example.train.output_dir, train(example.train)


def shortened(options, folder, **changes):
    """The example's training with another folder and other clock."""
    return replace(options, output_dir=folder, training=replace(options.training, **changes))


def test_it_learns(example, model):
    assert model[1].best <= example.learned


def test_the_control_does_not_learn(example, train, model):
    assert train(example.control).best > 3 * example.learned


def test_a_loaded_model_answers_as_any_other_copy_of_it(model, example):
    first, again = onsei.load(model[0]), onsei.load(str(model[0]))
    assert first(example.requests[0]) == again(example.requests[0])


def test_a_request_alone_gets_what_it_gets_in_a_batch(model, example):
    runner = onsei.load(model[0], device="cpu")
    for alone, together in zip(map(runner, example.requests), runner.batch(example.requests), strict=True):
        assert_alike(config.to_dict(alone), config.to_dict(together))


def test_the_last_part_of_a_stream_is_the_whole(model, example):
    runner = onsei.load(model[0], device="cpu")
    *_, last = runner.stream(example.requests[0])
    assert last == runner(example.requests[0])


def test_the_command_line_gives_what_python_gives(system, model, example):
    words = [word.format(model=model[0]) for word in example.words]
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert cli.main([system.name, *words]) == 0
    answer = config.to_dict(onsei.load(model[0])(example.requests[0]))
    assert_alike({k: v for k, v in json.loads(printed.getvalue()).items() if k in answer}, answer)


def test_resume_is_the_straight_run_bit_for_bit(example, train, tmp_path):
    straight = shortened(example.train, tmp_path / "straight", max_steps=7)
    train(straight)
    halves = shortened(example.train, tmp_path / "halves", max_steps=3)
    train(halves)
    train(shortened(halves, halves.output_dir, max_steps=7, continue_from=str(halves.output_dir)))
    ours, theirs = values(halves.output_dir), values(straight.output_dir)
    assert [row for row in ours if "val/loss" not in row] == [row for row in theirs if "val/loss" not in row]
    assert ours[-1] == theirs[-1]  # the last validation: a function of every weight
    assert "val/loss" in ours[-1]


def test_the_mean_of_checkpoints_is_a_model_that_answers(example, model, tmp_path):
    words = ["average", str(model[0]), "--last", "2", "--output-dir", str(tmp_path / "mean")]
    assert cli.main(words) == 0
    assert config.to_dict(onsei.load(tmp_path / "mean", device="cpu")(example.requests[0]))


def test_finetuning_takes_the_weights_of_a_model_and_nothing_else_of_it(example, train, model, tmp_path):
    source = {"continue_from": str(model[0]), "finetune": True}
    tuned = train(shortened(example.train, tmp_path / "tuned", max_steps=1, warmup_steps=1000, **source))
    assert [row["step"] for row in values(tmp_path / "tuned")] == [1, 1]  # one step and its validation
    assert tuned.epochs == 0
    assert tuned.best <= 2 * example.learned + model[1].best
    history = json.loads((tmp_path / "tuned" / "onsei.json").read_text(encoding="utf-8"))["history"]
    assert history["finetuned_from"] == str(model[0])
    written = config.read_yaml(tmp_path / "tuned" / "config.yaml")["training"]
    assert (written["continue_from"], written["finetune"]) == ("", False)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Per system the folder and the example of a run on two processes; they are launched once for all."""
    made, commands = {}, []
    for name, system in TRAINED.items():
        folder = tmp_path_factory.mktemp(f"{name}-pair")
        example = resolve(system.example)(folder)
        options = shortened(example.train, folder / "pair", max_steps=4, device="cpu")
        (folder / "options.yaml").write_text(config.to_yaml(options), encoding="utf-8")
        commands.append([name, next(iter(system.stages)), str(folder / "options.yaml")])
        made[name] = folder / "pair", example
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    run([*launch, str(Path(__file__).with_name("commands.py")), json.dumps(commands)])
    return made


def run(command):
    alone = {k: v for k, v in os.environ.items() if k not in ("WORLD_SIZE", "RANK", "LOCAL_RANK")}
    done = subprocess.run(command, env={**alone, "OMP_NUM_THREADS": "1"}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]


def assert_shared(folder):
    steps = [row["step"] for row in values(folder) if "val/loss" not in row]
    assert steps == [1, 2, 3, 4]
    facts = json.loads((folder / "onsei.json").read_text(encoding="utf-8"))
    assert facts["history"]["processes"] == 2


def test_two_processes_share_the_batches_and_write_once(system, pairs):
    folder, example = pairs[system.name]
    assert_shared(folder)
    assert onsei.load(folder)(example.requests[0])


def test_a_command_that_names_two_devices_starts_itself_twice(tmp_path):
    system = TRAINED["vocoder"]
    options = shortened(resolve(system.example)(tmp_path).train, tmp_path / "run", max_steps=4)
    recipe = tmp_path / "options.yaml"
    recipe.write_text(config.to_yaml(options), encoding="utf-8")
    where = ["--device", "cpu", "--device-ids", "0,1"]
    run([sys.executable, "-m", "onsei", system.name, next(iter(system.stages)), str(recipe), *where])
    assert_shared(tmp_path / "run")


def test_a_folder_that_holds_a_run_is_not_overwritten(example, train, model):
    before = {p: p.stat().st_mtime_ns for p in model[0].rglob("*")}
    with pytest.raises(OnseiError, match="continue-from"):
        train(example.train)
    assert {p: p.stat().st_mtime_ns for p in model[0].rglob("*")} == before


def test_a_model_of_another_system_is_refused_by_name(system, model, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for name in ("onsei.json", "model.safetensors"):
        (other / name).write_bytes((model[0] / name).read_bytes())
    facts = json.loads((other / "onsei.json").read_text(encoding="utf-8"))
    (other / "onsei.json").write_text(json.dumps({**facts, "system": "gardening"}), encoding="utf-8")
    with pytest.raises(OnseiError, match="gardening"):
        onsei.load(other)
    with pytest.raises(OnseiError, match="gardening"):
        resolve(system.runner).load(other)


def test_the_model_folder_is_whole(system, model):
    facts = json.loads((model[0] / "onsei.json").read_text(encoding="utf-8"))
    assert facts["system"] == system.name
    card = (model[0] / "README.md").read_text(encoding="utf-8")
    assert "onsei.load" in card
    unsafe = {".pt", ".pth", ".bin", ".pkl", ".ckpt"}
    assert not [path for path in model[0].rglob("*") if path.suffix in unsafe]


RECIPES = [(name, path) for name in TRAINED for path in sorted((SYSTEM_ROOM / name / "recipes").glob("*.yaml"))]


@pytest.mark.parametrize(("name", "recipe"), RECIPES, ids=[f"{name}-{path.stem}" for name, path in RECIPES])
def test_recipes_parse(name, recipe):
    first = next(iter(SYSTEMS[name].stages))
    for verb in SYSTEMS[name].verbs:
        if verb.name == first or verb.section:
            assert config.from_recipe(resolve(verb.options), recipe, section=verb.section)


@pytest.mark.parametrize("name", sorted(SYSTEMS))
def test_every_option_forbids_unknown_keys_and_says_what_it_is(name):
    system = SYSTEMS[name]
    paths = {system.request, system.result, *system.stages.values(), *(verb.options for verb in system.verbs)}
    for cls in map(resolve, paths):
        for inner in opened(cls):
            assert inner.__pydantic_config__["extra"] == "forbid", inner
            assert dataclasses.fields(inner)
        undocumented = [row.path for row in config.list_fields(cls) if not row.doc]
        assert not undocumented, f"{cls.__name__}: {undocumented}"


def opened(cls):
    """``cls`` and all dataclasses in it."""
    yield cls
    for hint in typing.get_type_hints(cls).values():
        for inner in (hint, *typing.get_args(hint)):
            if dataclasses.is_dataclass(inner):
                yield from opened(inner)


def values(folder):
    """Steps and values of a run's metrics, without times."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = ("step", "train/", "val/", "grad_norm/", "lr/")
    return [{key: value for key, value in line.items() if key.startswith(wanted)} for line in lines]


def assert_alike(ours, theirs):
    """Equal but for the last digits of numbers."""
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_alike(ours[key], theirs[key])
    elif isinstance(ours, list):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs, strict=True):
            assert_alike(*pair)
    elif isinstance(ours, float):
        assert ours == pytest.approx(theirs, abs=2e-4)
    else:
        assert ours == theirs
