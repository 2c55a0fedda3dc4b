"""What `make lint` checks, as part of the suite."""

import subprocess
import sys

import pytest

from tests.paths import ROOT


@pytest.mark.timeout(600)
def test_everything_that_is_checked_without_running_is_clean() -> None:
    checked = subprocess.run(
        ["tests/lint.sh"],
        cwd=ROOT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "PY": sys.executable},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert checked.returncode == 0, checked.stdout
