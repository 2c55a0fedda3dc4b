"""Where the tests find real data, and the only reasons for which a test may be skipped."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"

NO_SHARED_DATA = f"no real data at {SHARED_DATA}"
NO_GPU = "no NVIDIA GPU"


def has_gpu() -> bool:
    return (
        bool(shutil.which("nvidia-smi"))
        and subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0
    )


needs_shared_data = pytest.mark.skipif(not SHARED_DATA.is_dir(), reason=NO_SHARED_DATA)
needs_gpu = pytest.mark.skipif(not has_gpu(), reason=NO_GPU)
ALLOWED_SKIPS = (NO_SHARED_DATA, NO_GPU)
