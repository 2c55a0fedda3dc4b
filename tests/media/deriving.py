"""A process that prepares a project's media, to be killed: python -m tests.media.deriving JOB"""

import sys
import time

import django

if __name__ == "__main__":
    django.setup()
    from annotate.actions.jobs import AlreadyRunning, run_job

    print("preparing", flush=True)
    for _ in range(100):
        try:
            run_job(int(sys.argv[1]), by_hand=True)
            break
        except AlreadyRunning:  # the server has not yet noticed that its client was killed
            time.sleep(0.1)
    print("done", flush=True)
