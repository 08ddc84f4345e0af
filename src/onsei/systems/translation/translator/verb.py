"""The verb `translate`: what recordings mean, in words."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from onsei.data.manifest import refuse_existing
from onsei.data.progress import progress
from onsei.errors import AudioError, ConfigError
from onsei.paths import written_aside
from onsei.systems.translation.config.translate import Translate
from onsei.systems.translation.ground.hearing import Hearing, sounds_of
from onsei.systems.translation.translator.inference import Attention, Sentence, UnitTranslator

_TOGETHER = 16
_SHOW_FROM = 32


def translate(options: Translate) -> int:
    """Write a sentence for each sound; one that cannot be read is named and the others go on, then the status is 2.

    Raises:
        OnseiError: a fault in options or models.
    """
    options, words = _sorted_out(options)
    assert options.model_path is not None
    refuse_existing([path for path in (options.output, options.attention) if path is not None], options.force)
    runner = UnitTranslator.load(options.model_path, options.device, options.dtype)
    about = runner.config.get("acoustic", {})
    hearing = Hearing.of(options.acoustic_model, about, runner.count, options.device, runner.folder)
    sounds = list(sounds_of(words))
    failed, drawn = 0, options.attention is None
    with ExitStack() as stack:
        target = _target(options.output, stack)
        advance = stack.enter_context(progress("translating", len(sounds)))
        for first in range(0, len(sounds), _TOGETHER):
            heard = []
            for path in sounds[first : first + _TOGETHER]:
                try:
                    heard.append((path, hearing(path)))
                except AudioError as error:
                    print(f"onsei: {error}", file=sys.stderr, flush=True)
                    failed += 1
            written = runner([units for _, units in heard], beams=options.beams, n_best=options.n_best) if heard else []
            for (path, units), one in zip(heard, written, strict=True):
                target.write(line(path, one.sentences, units.tolist(), options, named=len(sounds) > 1))
                if not drawn and options.attention is not None:
                    _draw(runner.attention(units), options.attention)
                    drawn = True
            target.flush()
            advance(len(heard), len(sounds) >= _SHOW_FROM)
    return 2 if failed else 0


def line(
    path: Path, sentences: tuple[Sentence, ...], units: list[int], options: Translate, *, named: bool = True
) -> str:
    """What is written of a sound, with its end."""
    if options.format == "json":
        candidates = [{"text": one.text, "score": one.score} for one in sentences]
        entry = {"audio": str(path), "text": sentences[0].text, "candidates": candidates, "units": units}
        return json.dumps(entry, ensure_ascii=False) + "\n"
    head = f"{path}\t" if named else ""
    rows = [head + sentences[0].text]
    if options.n_best > 1:
        rows = [f"{head}{one.score:.3f}\t{one.text}" for one in sentences]
    if options.show_units:
        rows.append(f"{head}units: {' '.join(map(str, units))}")
    return "\n".join(rows) + "\n"


def _draw(attention: Attention, path: Path) -> None:
    from onsei.plots import style
    from onsei.systems.translation.translator.picture import attention_figure

    figure = attention_figure(attention)
    content = style.to_svg(figure).encode() if path.suffix.lower() == ".svg" else style.to_png(figure)
    with written_aside(path) as aside:
        aside.write_bytes(content)
    print(f"{path}: where the decoder looked", file=sys.stderr)


def _sorted_out(options: Translate) -> tuple[Translate, list[str]]:
    words = list(options.words)
    model = options.model_path or (Path(words.pop(0)) if words else None)
    sounds = [*words, *([str(options.audio_file)] if options.audio_file else [])]
    if model is None:
        raise ConfigError("which translator?", "give its folder as the first word", ["model_path"])
    if not sounds:
        raise ConfigError("which sounds?", "give sound files or folders of them", ["words"])
    for name in ("semantic_model", "params_path"):
        if getattr(options, name) is not None:
            print(f"onsei: --{name.replace('_', '-')}: has no effect, the translator holds its own", file=sys.stderr)
    return replace(options, model_path=model), sounds


def _target(output: Path | None, stack: ExitStack) -> TextIO:
    if output is None:
        return sys.stdout
    aside = stack.enter_context(written_aside(output))
    return stack.enter_context(aside.open("w", encoding="utf-8", newline="\n"))
