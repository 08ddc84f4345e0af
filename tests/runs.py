"""What a run left in its folder."""

from __future__ import annotations

import json


def facts(run):
    return json.loads((run / "onsei.json").read_text(encoding="utf-8"))


def quarantined(run):
    """Reasons by the ids of rows that were left out."""
    text = (run / "quarantine.jsonl").read_text(encoding="utf-8")
    return {row["id"]: row["reason"] for row in map(json.loads, text.splitlines())}
