"""``onsei push MODEL USER/NAME``: a model folder becomes a repository of the Hugging Face Hub, with its card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onsei.config import Positional, flag, options, shown_as
from onsei.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    from onsei.hub.about import About, Measured
    from onsei.hub.store import ModelFolder


@options
class Push:
    """Upload a model to the Hugging Face Hub: weights, configuration, feature extractor and a full model card.

    The repository is private unless --public is given. The token comes from HF_TOKEN or from `hf auth login`. Only data
    is sent: no pickles, no code, no checkpoints, nothing else of the training run. The card is made anew from what the
    model folder knows and these options say; the folder's own README.md stays as it is.
    """

    model: Annotated[Positional[Path], shown_as("MODEL")]
    """Model folder."""
    repo: Annotated[Positional[str], shown_as("USER/NAME")] = ""
    """The repository. May be left out with --export."""
    export: Path | None = None
    """Write what would be sent into this new folder instead; needs no account and no network."""
    public: bool = False
    """Let everyone see a repository that is made now. One that is there stays as it is."""
    force: bool = False
    """Add a commit to a repository that is there; its older commits stay."""
    results: tuple[Path, ...] = ()
    """Numbers for the card: files that `evaluate --json` wrote."""
    split: str = ""
    """What was measured in words, such as `fold 5 of ESC-10`; by default the names that the results hold."""
    dataset: str = ""
    """Name of the data, for people."""
    dataset_tags: str = ""
    """Ids of the data on the Hub, parted by commas."""
    data_license: str = ""
    """License of the data, as the Hub calls it: `cc-by-4.0`."""
    license: str = ""
    """License of the weights; by default the stricter one of base model and data, unknown where one is unknown."""
    finetuned_from: Annotated[str, flag("--base-model")] = ""
    """Hub id of the weights that training started from; by default what the model folder knows."""
    model_name: str = ""
    """Title of the card; by default the repository's name."""
    language: str = ""
    """ISO 639 codes, parted by commas."""
    summary: str = ""
    """What the model does, in a sentence or two."""
    limits: tuple[str, ...] = ()
    """What the model cannot do, one sentence each."""
    card: Path | None = None
    """A model card of your own in place of the one that is made."""
    message: str = "Model of onsei"
    """Message of the commit."""


def push(options: Push) -> None:
    """Check everything, then upload or write; prints what went where.

    Raises:
        ModelError: the folder is no model, or the Hub refuses.
        DataError: results or card cannot be read, or the folder to export to is not empty.
        ConfigError: neither a repository nor a folder is named.
    """
    from onsei.hub import remote, store

    if bool(options.repo) == (options.export is not None):
        raise ConfigError("expected either USER/NAME or --export FOLDER", "name one of them")
    if options.repo:
        remote.check_name(options.repo)
    if not options.model.expanduser().is_dir():
        raise ModelError(f"{options.model}: no such model folder", "push a folder of this machine")
    model = store.open(options.model.expanduser())
    files = contents(model, options)
    for name, content in files.items():
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        print(f"  {name}  {size:,} bytes")
    if options.export is not None:
        _export(files, options.export)
        print(f"{options.export}: written, {len(files)} files")
        return
    address = remote.publish(
        options.repo, files, message=options.message, public=options.public, existing=options.force
    )
    print(f"{address}: sent, {len(files)} files")


def contents(model: ModelFolder, options: Push) -> dict[str, Path | bytes]:
    """What a repository of ``model`` holds, by name: files of the folder, and bytes made for it."""
    from onsei.hub import remote, store

    card = _card(model, options)
    # The user's own folders are nobody's business.
    entry = (model.path / store.MODEL_FILE).read_text(encoding="utf-8")
    files: dict[str, Path | bytes] = {store.CARD_FILE: card.encode(), store.MODEL_FILE: _homeless(entry).encode()}
    for path in sorted(model.path.rglob("*")):
        name = path.relative_to(model.path).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(model.path).parts)
        own = name.partition("/")[0] not in store.RUN_FILES and any(fnmatch(name, kind) for kind in remote.SAFE_FILES)
        if path.is_file() and own and not hidden and name not in files:
            files[name] = path
    return files


def _card(model: ModelFolder, options: Push) -> str:
    from onsei.hub import card, store, weights
    from onsei.hub.about import Measured

    if options.card is not None:
        try:
            return options.card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{options.card}: cannot be read ({error})", "name a text file for --card") from None
    measured = [_named(Measured.read(path, options.split or options.dataset), options) for path in options.results]
    tensors = weights.describe(model.path / store.WEIGHTS_FILE)
    title = options.model_name or options.repo.rpartition("/")[2] or model.path.resolve().name
    text = card.model_card(
        name=title,
        system=model.system,
        stage=model.stage,
        history=_named_data(model.history, options),
        versions=model.versions,
        labels=model.labels,
        parameters=sum(info.size for name, info in tensors.items() if not weights.is_statistic(name)),
        about=_about(model, options),
        measured=measured,
        address=options.repo,
        stock=(model.path / "config.json").is_file(),
    )
    return _homeless(text)


def _about(model: ModelFolder, options: Push) -> About:
    """What the folder knows, under what the options say."""
    from onsei.hub.about import About

    known = About.of(model.about)
    given = About(
        summary=options.summary,
        languages=_listed(options.language),
        license=options.license,
        base_models=(options.finetuned_from,) if options.finetuned_from else (),
        datasets=_listed(options.dataset_tags),
        data_license=options.data_license,
        limits=options.limits,
    )
    return About.of({**known.to_dict(), **given.to_dict()})


def _named(measured: Measured, options: Push) -> Measured:
    """With the Hub id of its data, where there is just one."""
    tags = _listed(options.dataset_tags)
    words = {**measured.words, **({"dataset": tags[0]} if len(tags) == 1 else {})}
    return replace(measured, words={**words, **({"split": options.split} if options.split else {})})


def _named_data(history: Mapping[str, object], options: Push) -> dict[str, object]:
    data = history.get("data")
    named = {"name": options.dataset} if options.dataset else {}
    return {**history, "data": {**named, **data} if isinstance(data, Mapping) else data or named}


def _homeless(text: str) -> str:
    """``text`` with ``~`` for the home folder, also as JSON writes it."""
    home = str(Path.home())
    for shown in {home, json.dumps(home)[1:-1]} if len(Path.home().parts) > 1 else ():
        text = text.replace(shown, "~")
    return text


def _export(files: Mapping[str, Path | bytes], folder: Path) -> None:
    from onsei.paths import written_aside

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: is there already, and not empty", "choose another folder")
    with written_aside(folder) as aside:
        for name, content in files.items():
            target = aside / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
