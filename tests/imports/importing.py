"""A process that imports, to be killed: python -m tests.imports.importing PROJECT FILE [MEDIA]

Small batches, so that there is much to be killed between. Prints "reading" when it begins.
"""

import sys
import time
from pathlib import Path

import django

if __name__ == "__main__":
    django.setup()
    from annotate.actions.imports import start_import
    from annotate.actions.jobs import AlreadyRunning, run_job
    from annotate.imports import run
    from annotate.models import Project
    from tests.imports.reading import spec_of

    run.BATCH_ROWS = 60
    run.BATCH_MEDIA = 8
    project = Project.objects.get(pk=int(sys.argv[1]))
    spec = spec_of(Path(sys.argv[2]), media=Path(sys.argv[3]) if len(sys.argv) > 3 else None)
    data_import = start_import(by=None, project=project, spec=spec, by_hand=True)
    print("reading", flush=True)
    for _ in range(100):
        try:
            run_job(data_import.job_id, by_hand=True)
            break
        except AlreadyRunning:  # the server has not yet noticed that its client was killed
            time.sleep(0.1)
    print("done", flush=True)
