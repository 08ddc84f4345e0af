"""Vocoder: mels to sound, by HiFi-GAN or by a fast head of inverse Fourier transforms."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="vocoder",
    summary="mels to sound: HiFi-GAN and a fast head",
    verbs=(
        Verb("train", "train or fine-tune a vocoder", f"{_HERE}.config:Train", f"{_HERE}.training:train", recipes=True),
        Verb("vocode", "speak mels, or copy sounds", f"{_HERE}.config:Vocode", f"{_HERE}.vocode:vocode"),
        Verb("check", "do mels fit a model?", f"{_HERE}.config:Check", f"{_HERE}.check:check"),
        Verb("evaluate", "what copies lose", f"{_HERE}.config:Evaluate", f"{_HERE}.evaluation:evaluate"),
        Verb(
            "import",
            "make a model of a g_ file of HiFi-GAN",
            f"{_HERE}.config.exchange:Import",
            f"{_HERE}.exchange.importing:bring",
        ),
        Verb(
            "export", "write g_ files or ONNX", f"{_HERE}.config.exchange:Export", f"{_HERE}.exchange.exporting:export"
        ),
    ),
    runner=f"{_HERE}.inference:Vocoder",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Speech",
    example=f"{_HERE}.data.example:example",
    stages={"train": f"{_HERE}.config:Train"},
)
