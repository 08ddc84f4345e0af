"""Recognition: DeepSpeech2 and CTC, from recordings with transcripts to text with times."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="recognition",
    summary="speech to text: DeepSpeech2 with CTC",
    verbs=(
        Verb("prepare", "make manifests from recordings", f"{_HERE}.config:Prepare", f"{_HERE}.data.prepare:prepare"),
        Verb("labels", "labels that transcripts need", f"{_HERE}.config:Labels", f"{_HERE}.labels:labels"),
        Verb("train", "train a recognizer", f"{_HERE}.config:Train", f"{_HERE}.training:train", recipes=True),
        Verb("evaluate", "WER and CER on a manifest", f"{_HERE}.config:Evaluate", f"{_HERE}.evaluation:evaluate"),
        Verb(
            "compare",
            "two models on the same utterances",
            f"{_HERE}.config:Compare",
            f"{_HERE}.evaluation.compare:compare_tables",
        ),
        Verb("transcribe", "text of recordings", f"{_HERE}.config:Transcribe", f"{_HERE}.inference:transcribe"),
        Verb(
            "import",
            "make a model of a deepspeech.pytorch checkpoint",
            f"{_HERE}.config:Import",
            f"{_HERE}.exchange.importing:bring",
        ),
        Verb("export", "write a recognizer as ONNX", f"{_HERE}.config:Export", f"{_HERE}.exchange.exporting:export"),
        Verb(
            "benchmark",
            "memory and speed of training steps",
            f"{_HERE}.config:Benchmark",
            f"{_HERE}.benchmark:benchmark",
            recipes=True,
        ),
    ),
    runner=f"{_HERE}.inference:Transcriber",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Transcript",
    example=f"{_HERE}.data.example:example",
    stages={"train": f"{_HERE}.config:Train"},
)
