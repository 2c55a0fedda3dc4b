"""What the benchmark plants is made by code that knows nothing of what measures it."""

import ast
from pathlib import Path

from tests.paths import ROOT


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_planting_and_features_share_no_import() -> None:
    features = (ROOT / "workers/reward_models/features").glob("*.py")
    measured = set().union(*(imported(path) for path in features))
    shared = imported(ROOT / "bench/planted.py") & measured
    assert shared <= {"collections.abc", "dataclasses"}  # words for types, nothing that computes
    assert "numpy" in measured
