"""The command line: ``onsei SYSTEM VERB``, derived from the systems' own dataclasses."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from onsei import __version__
from onsei.errors import ConfigError, OnseiError
from onsei.system import Verb, resolve
from onsei.systems import systems


@dataclass(frozen=True)
class Group:
    """Verbs under one first word; a system, or a tool that serves all systems."""

    name: str
    summary: str
    verbs: tuple[Verb, ...]


TOOLS = (
    Group(
        "data",
        "manifests: check, merge, split, count",
        tuple(
            Verb(name, summary, f"onsei.data.tools:{name.capitalize()}", f"onsei.data.tools:{name}")
            for name, summary in (
                ("check", "open every file of a manifest once and report all faults"),
                ("merge", "join manifests, filtered by duration"),
                ("split", "cut a manifest into parts without leakage"),
                ("stats", "rows, hours, speakers, rates and channels of a manifest"),
            )
        ),
    ),
    Group(
        "audio",
        "sounds: hear what augmentation does to them",
        (
            Verb(
                "augment",
                "write a sound as augmentation changes it",
                "onsei.demo.listening:AugmentSound",
                "onsei.demo.audition:augment",
            ),
        ),
    ),
    Group(
        "plot",
        "pictures of sounds: png, svg, or a page that plays them",
        tuple(
            Verb(name, summary, f"onsei.plots.tools:{name.capitalize()}", f"onsei.plots.tools:{run}")
            for name, run, summary in (
                ("waveform", "waveform", "amplitude over time"),
                ("spectrum", "spectrum", "level over frequency, at the beginning"),
                ("spectrogram", "spectrogram", "level over time and frequency"),
                ("mel", "mel", "level over time and mel band"),
                ("all", "all_four", "all four in one picture or page"),
            )
        ),
    ),
)
SINGLE = (
    Verb("inspect", "print all that a model folder holds", "onsei.hub.inspect:Inspect", "onsei.hub.inspect:inspect"),
    Verb(
        "average",
        "the mean of a run's checkpoints as a model",
        "onsei.training.average:Average",
        "onsei.training.average:average",
    ),
    Verb("push", "a model folder to the Hugging Face Hub, with a card", "onsei.hub.push:Push", "onsei.hub.push:push"),
    Verb("watch", "live curves of training runs in the browser", "onsei.serve.watch:Watch", "onsei.serve.watch:watch"),
    Verb("demo", "train small models here, and show what they do", "onsei.demo.run:Demo", "onsei.demo.run:demo"),
)


def main(args: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (2 for a mistake that the user can mend)."""
    # Two busy OpenMP teams on shared cores starve each other unless idle threads sleep; to wake one takes as long as a
    # small network's layer, so they wait a fraction of a millisecond first. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # Windows consoles and pipes may not be UTF-8
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        return _dispatch(list(sys.argv[1:] if args is None else args))
    except OnseiError as error:
        if os.environ.get("ONSEI_DEBUG"):
            raise
        print(f"onsei: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader (`| head`) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        if os.environ.get("ONSEI_DEBUG") or error.strerror is None:
            raise
        place = error.filename2 or error.filename
        print(f"onsei: {f'{place}: ' if place else ''}{error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("onsei: interrupted", file=sys.stderr)
        return 130


def _dispatch(args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0
    if args[0] in ("-V", "--version"):
        print(f"onsei {__version__}")
        return 0
    single = {verb.name: verb for verb in SINGLE}
    groups: dict[str, Group] = {g.name: g for g in TOOLS}
    groups |= {s.name: Group(s.name, s.summary, s.verbs) for s in systems()}
    first = _chosen(args[0], [*groups, *single], "system or tool")
    if first in single:
        return _run(single[first], f"onsei {first}", args[1:], group="")
    group = groups[first]
    if len(args) == 1 or args[1] in ("-h", "--help"):
        print(_group_help(group))
        return 0
    verb = _chosen(args[1], [v.name for v in group.verbs], f"verb of {first}")
    return _run(next(v for v in group.verbs if v.name == verb), f"onsei {first} {verb}", args[2:], group=first)


def _run(verb: Verb, prog: str, words: list[str], group: str) -> int:
    from onsei import config  # only here: help of systems and tools answers without it

    cls = resolve(verb.options)
    default, flags = _recipe(cls, words, group, verb.section) if verb.recipes else (None, words)
    default = _adopted(cls, default, words)
    options = config.parse_flags(cls, flags, prog=prog, default=default)
    training: Any = getattr(options, "training", None)
    if training is not None and "," in training.device_ids and "WORLD_SIZE" not in os.environ:
        from onsei.training.launch import launch

        return launch(training, [*prog.split()[1:], *words])
    status = resolve(verb.run)(options)
    return status if isinstance(status, int) else 0


def _recipe(cls: type[Any], words: list[str], group: str, section: str = "") -> tuple[Any, list[str]]:
    """Options from the recipe named first, else from the run that ``--continue-from`` names, else from ``base``."""
    from onsei import config

    folder = Path(str(files(f"onsei.systems.{group}"))) / "recipes"
    if words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        if name.endswith((".yaml", ".yml")):
            return config.from_recipe(cls, Path(name), library=folder, section=section), words
        names = sorted(p.stem for p in folder.glob("*.yaml"))
        return config.from_recipe(cls, folder / f"{_chosen(name, names, 'recipe')}.yaml", section=section), words
    run = _option(words, "--continue-from")
    for place in [Path(run), *Path(run).parents[:2]] if run else []:
        if (place / "config.yaml").is_file():
            return config.from_yaml(cls, place / "config.yaml"), words
    if run and _has(words, "--finetune"):
        return _of_model(cls, run, folder, group, section), words
    return config.from_recipe(cls, folder / "base.yaml", section=section), words


def _adopted(cls: type[Any], default: Any, words: list[str]) -> Any:
    """``default`` with what the configuration files of other tools say, which options name in ``ADOPTS`` by flag."""
    from onsei import config

    for name, reader in getattr(cls, "ADOPTS", {}).items():
        path = _option(words, name)
        if path and default is not None:
            values = config.merged(config.given(default), resolve(reader)(Path(path)))
            default = config.from_values(cls, values, path)
    return default


def _of_model(cls: type[Any], model: str, library: Path, group: str, section: str) -> Any:
    """The base recipe with the network and labels of a model folder or Hub repository, for its weights to fit."""
    from onsei import config
    from onsei.hub import store

    if Path(model).is_file():  # the engine tells what to do
        return config.from_recipe(cls, library / "base.yaml", section=section)
    found = store.open(model, system=group)
    names = {row.path.partition(".")[0] for row in config.list_fields(cls)}
    own = {name: value for name, value in found.config.items() if name in names}
    own |= {"labels": list(found.labels)} if "labels" in names and found.labels else {}
    base = config.read_yaml(library / "base.yaml", library)
    values = config.merged(base.get(section, {}) if section else base, own)
    return config.from_values(cls, values, f"{found.path}/{store.MODEL_FILE} over base.yaml")


def _has(words: Sequence[str], name: str) -> bool:
    return any(word.replace("_", "-").rpartition(".")[2].lstrip("-") == name.lstrip("-") for word in words)


def _option(words: Sequence[str], name: str) -> str:
    for i, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag.replace("_", "-").rpartition(".")[2].lstrip("-") == name.lstrip("-"):
            return value if equals else (words[i + 1] if i + 1 < len(words) else "")
    return ""


def _chosen(word: str, known: Sequence[str], kind: str) -> str:
    if word in known:
        return word
    close = difflib.get_close_matches(word, known, 1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ConfigError(f"{word!r} is no {kind}{hint}", f"one of: {', '.join(known)}")


def _overview() -> str:
    lines = [
        f"onsei {__version__}: audio deep learning, from raw recordings to answers",
        "",
        "usage: onsei SYSTEM VERB [RECIPE] [--option value …]",
        "",
        "systems",
        *_table([(s.name, s.summary) for s in systems()]),
        "",
        "tools",
        *_table([*((g.name, g.summary) for g in TOOLS), *((v.name, v.summary) for v in SINGLE)]),
        "",
        "`onsei SYSTEM` lists its verbs, `onsei SYSTEM VERB --help` their options.",
    ]
    return "\n".join(lines)


def _group_help(group: Group) -> str:
    rows = _table([(v.name, v.summary) for v in group.verbs])
    return "\n".join([f"onsei {group.name}: {group.summary}", "", "verbs", *rows])


def _table(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows) + 2
    return [f"  {name:<{width}}{summary}" for name, summary in rows]
