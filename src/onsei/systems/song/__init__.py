"""Song: lyrics and a voice to a song, by a language model over sketches and a diffusion transformer (SongBloom)."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="song",
    summary="lyrics to song: sketch language model and diffusion",
    verbs=(
        Verb("prepare", "make manifests of songs", f"{_HERE}.config:Prepare", f"{_HERE}.data.prepare:prepare"),
        Verb(
            "fit-sketch", "find the codebook of sketches", f"{_HERE}.config:FitSketch", f"{_HERE}.sketch.fit:fit_sketch"
        ),
        Verb("sketch", "songs to sketch tokens", f"{_HERE}.config:Sketch", f"{_HERE}.sketch.extract:sketch"),
        Verb("train", "train or fine-tune a singer", f"{_HERE}.config:Train", f"{_HERE}.training:train", recipes=True),
        Verb("generate", "sing lyrics", f"{_HERE}.config:Generate", f"{_HERE}.generate:generate"),
        Verb("evaluate", "measure a singer", f"{_HERE}.config:Evaluate", f"{_HERE}.evaluation:evaluate"),
        Verb(
            "import",
            "make a model of a checkpoint of SongBloom",
            f"{_HERE}.config:Import",
            f"{_HERE}.exchange.importing:bring",
        ),
    ),
    runner=f"{_HERE}.inference:Singer",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Song",
    example=f"{_HERE}.data.example:example",
    stages={"train": f"{_HERE}.config:Train"},
)
