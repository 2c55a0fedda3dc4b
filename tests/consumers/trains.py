"""A judge of sound and video trained by ms-swift on what `manage.py swift_rows` writes of a release. `make test-swift` runs this, in
no other suite: it takes minutes, and an environment of its own.

SWIFT names the Python of that environment.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.exports.everything import make_everything, release

pytestmark = pytest.mark.django_db


@pytest.mark.timeout(1800)
def test_ms_swift_takes_steps_of_grpo_on_sound_and_video(tmp_path: Path) -> None:
    out = tmp_path / "rows"
    call_command("swift_rows", release=release(make_everything(), tmp_path / "release"), out=out)
    command = [os.environ["SWIFT"], str(Path(__file__).with_name("swift_step.py")), str(out), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1700)
    assert done.returncode == 0, done.stderr[-4000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rows"] == 8 and found["media"] == ["audios", "videos"]
    assert found["steps"] == 2 and found["moved"] > 0, "the adapters have learned"
    assert found["rewards"] == ["Length", "Verdict"]
    print(
        f"ms-swift {found['version']}: {found['steps']} steps of GRPO on {found['rows']} rows with sound and video"
    )
