"""Annotators whose habits are known: what is told of them and of the labels, by the benchmark's own command."""

import json
import subprocess
import sys

from tests.paths import ROOT


def test_habits_and_labels_are_told_from_judgments_alone() -> None:
    command = [sys.executable, str(ROOT / "bench/quality.py"), "--comparisons", "1500", "--runs", "3"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=120).stdout)
    right = found["labels right"]
    assert right["majority"] < 0.88
    assert right["dawid_skene"] > 0.93
    assert found["better than majority"]["least"] > 0.07
    # To know the sides is worth something, and what the model says of its own certainty is about true.
    assert right["dawid_skene"] > right["dawid_skene_blind_to_sides"]
    assert abs(right["said_of_itself"] - right["dawid_skene"]) < 0.02
    assert set(found["annotators"]) == {"expert", "ordinary", "careless", "left", "adversarial"}
    for name, told in found["annotators"].items():
        for what in ("reliability", "left"):
            assert told[what]["off by"] < 0.04, (name, what)
            assert told[what]["interval held"] > 0.7, (name, what)
    assert found["annotators"]["adversarial"]["reliability"]["told"] < 0.3
    assert found["annotators"]["left"]["left"]["told"] > 0.7
