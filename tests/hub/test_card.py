"""The model card: its head is what the Hub reads, and no text breaks out of its place."""

from __future__ import annotations

from huggingface_hub import ModelCard

from onsei.hub.about import About
from onsei.hub.card import model_card

HISTORY = {
    "metrics": {"test/wer": 12.5, "test/cer": 3.25, "test/nothing": None, "test/nan": float("nan")},
    "epochs": 3,
    "steps": 120,
    "seconds": 3725.0,
    "command": "onsei recognition train tiny --epochs 3",
    "data": {"train": "train.jsonl", "test": "test.jsonl"},
    "started": "2026-01-01",
    "ended": "2026-01-02",
}


def body_and_head(text: str):
    card = ModelCard(text)
    return card.text, card.data


def test_the_head_is_what_the_hub_reads():
    text = model_card(
        name="tiny", system="recognition", history=HISTORY,
        about=About(
            task="automatic-speech-recognition", languages=("ja",), license="apache-2.0", base_models=("user/base",)
        ),
    )  # fmt: skip
    _, head = body_and_head(text)
    assert (head.library_name, head.license, head.language) == ("onsei", "apache-2.0", ["ja"])
    assert (head.pipeline_tag, head.base_model) == ("automatic-speech-recognition", ["user/base"])
    assert head.tags == ["onsei", "audio", "recognition"]
    results = {r.metric_name: (r.metric_type, r.metric_value, r.dataset_name) for r in head.eval_results}
    assert results == {"test/wer": ("wer", 12.5, "test.jsonl"), "test/cer": ("cer", 3.25, "test.jsonl")}


def test_an_unknown_license_is_said_twice():
    text, head = body_and_head(model_card(name="m", system="vocoder"))
    assert head.license == "unknown"
    assert "license is unknown" in text


def test_the_body_says_how_it_was_made_and_used():
    text, _ = body_and_head(
        model_card(name="m", system="recognition", history=HISTORY, parameters=1234, labels=["_", "`"])
    )
    for part in (
        "| test/wer | 12.5 |", "```sh\nonsei recognition train tiny --epochs 3\n```", "onsei.load(", "1,234 parameters",
        "3 epochs, 120 steps, 1 h 2 min of training, 2026-01-01 to 2026-01-02", "| train | train.jsonl |", "## Limits",
    ):  # fmt: skip
        assert part in text
    assert "nothing" not in text


def test_without_history_nothing_is_claimed():
    text, head = body_and_head(model_card(name="m", system="song"))
    assert "## Results" not in text
    assert "## Training" not in text
    assert head.eval_results is None


def test_hostile_texts_stay_in_their_fields():
    evil = 'x"\n---\nlicense: mit\n<script>alert(1)</script> | ``` y'
    text = model_card(
        name=evil, system="recognition", about=About(license=evil),
        history={"metrics": {evil: 1.0}, "command": evil, "data": {evil: evil}}, labels=[evil],
    )  # fmt: skip
    body, head = body_and_head(text)
    assert head.license == evil
    assert body.count("````sh") == 1
    tables = [line for line in body.splitlines() if line.startswith("|")]
    assert all("<script>" not in line and line.replace("\\|", "").count("|") == 3 for line in tables)
