"""A process that exports whenever it is told, each time in a child of its own that can be killed.

It has imported everything beforehand, so that what is killed is the work and not the start of Python. Speaks
lines: the command's arguments as JSON come in; the child's process id goes out, then its exit status.
"""

import json
import os
import sys


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    import annotate.management.commands.export_bench  # noqa: F401
    from annotate.exports import plan

    plan.ROWS_A_FILE = plan.JUDGMENTS_A_FILE = 20  # many files: many places to be killed at
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                call_command("export_bench", *json.loads(line), stdout=sys.stderr)
                os._exit(0)
            except BaseException as error:
                print(f"export_bench: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
