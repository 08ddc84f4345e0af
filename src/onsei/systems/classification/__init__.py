"""Classification: what a sound is, from recordings with labels; an own network, or a pretrained audio encoder."""

from onsei.system import System, Verb

_HERE = __name__

SYSTEM = System(
    name="classification",
    summary="name what a sound is: DistilHuBERT and friends, or a small network",
    verbs=(
        Verb("prepare", "make manifests from recordings", f"{_HERE}.config:Prepare", f"{_HERE}.data.prepare:prepare"),
        Verb("train", "train a classifier", f"{_HERE}.config:Train", f"{_HERE}.training:train", recipes=True),
        Verb(
            "cross-validate",
            "train and measure by folds",
            f"{_HERE}.config:CrossValidate",
            f"{_HERE}.crossing:cross_validate",
            recipes=True,
        ),
        Verb(
            "evaluate", "accuracy, F1 and a report to hear", f"{_HERE}.config:Evaluate", f"{_HERE}.evaluation:evaluate"
        ),
        Verb("push", "a model to the Hugging Face Hub, with its card", "onsei.hub.push:Push", "onsei.hub.push:push"),
        Verb("classify", "classes of recordings", f"{_HERE}.config:Classify", f"{_HERE}.classify:classify"),
    ),
    runner=f"{_HERE}.inference:Classifier",
    request=f"{_HERE}.config:Request",
    result=f"{_HERE}.config:Classification",
    example=f"{_HERE}.data.example:example",
    stages={"train": f"{_HERE}.config:Train"},
)
