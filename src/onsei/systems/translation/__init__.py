"""Translation of unwritten languages: units found in bare recordings, meaning through pictures, sentences by BART."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="translation",
    summary="an unwritten language, from bare recordings to sentences",
    verbs=(
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
    ),
    runner=f"{_HERE}.inference:Translator",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Translation",
    example=f"{_HERE}.data.example:example",
    stages={"pretrain": f"{_HERE}.config:Pretrain", "fit-units": f"{_HERE}.config:FitUnits"},
)
