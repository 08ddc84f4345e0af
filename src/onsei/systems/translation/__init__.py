"""Translation of unwritten languages: units found in bare recordings, meaning through pictures, sentences by BART."""

from onsei.system import System

_HERE = __name__

SYSTEM = System(
    name="translation",
    summary="an unwritten language, from bare recordings to sentences",
    verbs=(),
    runner=f"{_HERE}.inference:Translator",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Translation",
    example=f"{_HERE}.data.example:example",
)
