"""A release as other projects' own code loads it. `make test-consumers` runs this, in no other suite: their pins clash with ours.

CONSUMERS and REWARDBENCH name the Pythons of their environments.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.exports.everything import make_everything, release

pytestmark = pytest.mark.django_db
SCRIPTS = {
    "trl_step.py": "CONSUMERS",
    "llamafactory_reads.py": "CONSUMERS",
    "rewardbench_runs.py": "REWARDBENCH",
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_consumer_loads_a_release(script: str, tmp_path: Path) -> None:
    out = release(make_everything(), tmp_path / "out", "--formats", "trl,llamafactory,rewardbench")
    command = [os.environ[SCRIPTS[script]], str(Path(__file__).with_name(script)), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-4000:]
    print(done.stdout.splitlines()[-1])
