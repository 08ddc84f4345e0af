"""The verb `classify`: what recordings hold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from onsei.config import to_dict
from onsei.errors import AudioError, ConfigError
from onsei.systems.classification.config import Classification, Classify, Request
from onsei.systems.classification.inference import Classifier


def classify(options: Classify) -> int:
    """Print the classes of sound files; a file that cannot be read is named and the others go on."""
    if not options.audio:
        raise ConfigError("no sound files given", "onsei classification classify MODEL AUDIO…")
    runner = Classifier.load(options.model, options.device, options.dtype)
    failed = 0
    for audio in options.audio:
        try:
            result = runner(Request(audio, options.top_k))
        except AudioError as error:
            print(f"onsei: {error}", file=sys.stderr, flush=True)
            failed += 1
            continue
        print(formatted(result, audio, options), flush=True)
    return 2 if failed else 0


def formatted(result: Classification, audio: Path, options: Classify) -> str:
    """The classes as text or as a JSON line."""
    if options.format == "json":
        return json.dumps({"audio": str(audio), **to_dict(result)}, ensure_ascii=False)
    named = ", ".join(f"{one.label} {one.score:.1%}" for one in result.labels)
    return f"{audio}\t{named}" if len(options.audio) > 1 else named
