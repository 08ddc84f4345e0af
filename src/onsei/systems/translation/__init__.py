"""Translation of unwritten languages: units found in bare recordings, meaning through pictures, sentences by BART."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="translation",
    summary="an unwritten language, from bare recordings to sentences",
    verbs=(
        Verb(
            "prepare",
            "recordings, pictures and sentences to manifests",
            f"{_HERE}.config:Prepare",
            f"{_HERE}.prepare.verb:prepare",
        ),
        Verb(
            "pretrain",
            "an encoder learns from bare recordings",
            f"{_HERE}.config:Pretrain",
            f"{_HERE}.pretrain.training:pretrain",
            recipes=True,
            section="pretrain",
        ),
        Verb(
            "fit-units",
            "find acoustic units in its features",
            f"{_HERE}.config:FitUnits",
            f"{_HERE}.acoustic.training:fit_units",
            recipes=True,
            section="fit_units",
        ),
        Verb("encode", "recordings to units", f"{_HERE}.config:Encode", f"{_HERE}.acoustic.encode:encode"),
        Verb("speak", "units back to sound", f"{_HERE}.config:Speak", f"{_HERE}.acoustic.voice:speak"),
        Verb(
            "ground",
            "bring units and pictures into one space",
            f"{_HERE}.config:Ground",
            f"{_HERE}.ground.training:ground",
            recipes=True,
            section="ground",
        ),
        Verb(
            "retrieve",
            "pictures that speech may mean",
            f"{_HERE}.config:Retrieve",
            f"{_HERE}.retrieve.verb:retrieve",
        ),
        Verb(
            "train",
            "a translator, from speech with translations",
            f"{_HERE}.config:Train",
            f"{_HERE}.translator.training:train",
            recipes=True,
            section="train",
        ),
        Verb(
            "caption",
            "pictures to words, for speech that has no translation",
            f"{_HERE}.config:Caption",
            f"{_HERE}.translator.captions:caption",
        ),
        Verb(
            "translate",
            "what speech means, in words",
            f"{_HERE}.config:Translate",
            f"{_HERE}.translator.verb:translate",
        ),
        Verb(
            "evaluate",
            "BLEU, recall, and what does not hear gets",
            f"{_HERE}.config:Evaluate",
            f"{_HERE}.evaluation:evaluate",
        ),
        Verb("run", "all stages, one after another", f"{_HERE}.config:Run", f"{_HERE}.run:run"),
    ),
    runner=f"{_HERE}.inference:Translator",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Translation",
    example=f"{_HERE}.data.example:example",
    stages={
        "pretrain": f"{_HERE}.config:Pretrain",
        "fit-units": f"{_HERE}.config:FitUnits",
        "ground": f"{_HERE}.config:Ground",
        "train": f"{_HERE}.config:Train",
    },
)
