"""What benchmark and demo plant is made by code that shares no module of ours with the code that measures it.

Libraries (numpy, PyAV, Pillow) both sides use: these know nothing of what is planted.
"""

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.paths import ROOT


def imported(path: Path) -> set[str]:
    """Whatever it imports at any place, of modules and of names in them: `from a import b` may mean the module a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{path}: a relative import would be missed here"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def source(module: str) -> Path | None:
    """The file of a module of ours, or of bench/, whose modules import each other by bare names."""
    path = ROOT / module.replace(".", "/")
    bench = ROOT / "bench" / module.replace(".", "/")
    for found in (
        path / "__init__.py",
        path.with_suffix(".py"),
        bench / "__init__.py",
        bench.with_suffix(".py"),
    ):
        if found.exists():
            return found
    return None


def reached(files: Iterable[Path]) -> set[Path]:
    """The files and all files of ours that they import, and those again."""
    found: set[Path] = set()
    todo = list(files)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += [file for module in imported(path) if (file := source(module))]
    return {path for path in found if path.stat().st_size}  # an empty __init__.py shares nothing


MEASURING = list((ROOT / "workers/reward_models").rglob("*.py"))
# Anybody's: how servers are asked, and which English words mean the opposite. Neither knows what is planted.
LENT = {*(ROOT / "annotate/wire").glob("*.py"), ROOT / "annotate/wording.py"}
PLANTING = list((ROOT / "bench/planting").glob("*.py"))
DEMO = list((ROOT / "annotate/demo").glob("*.py"))


def test_what_measures_reaches_nothing_but_itself() -> None:
    assert len(MEASURING) > 10
    assert reached(MEASURING) <= {*MEASURING, *LENT}
    assert reached(LENT) <= LENT


def test_planting_and_features_share_no_module_of_ours() -> None:
    for planting in ([ROOT / "bench/planted.py"], PLANTING, DEMO):
        assert not (reached(planting) & reached(MEASURING)) - LENT
    # That nothing is found says something: what scores rows does share modules with what makes the demo.
    assert reached([ROOT / "workers/scoring.py"]) & reached(DEMO)
    assert reached([ROOT / "workers/scoring.py"]) >= reached([ROOT / "workers/reward_models/base.py"])


def test_the_benchmarks_planting_shares_no_library_either() -> None:
    learner = reached([ROOT / "workers/reward_models/builtin.py"])  # what the benchmark trains
    assert len(learner) > 10
    shared = imported(ROOT / "bench/planted.py") & set().union(*map(imported, learner))
    words_for_types = {"collections.abc", "collections.abc.Callable", "dataclasses", "dataclasses.dataclass"}
    assert shared <= words_for_types


def test_what_is_planted_in_each_modality_imports_nothing_but_pythons_own_library() -> None:
    assert {path.stem for path in PLANTING} >= {"texts", "images", "sounds", "videos", "meshes", "verdicts"}
    for path in PLANTING:
        foreign = {name.split(".")[0] for name in imported(path)} - sys.stdlib_module_names
        assert foreign <= {"planting"}, path
