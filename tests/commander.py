"""A process that runs manage.py's commands whenever it is told, each in a child of its own that can be killed.

It has imported everything beforehand, so that what is killed is the work and not the start of Python. Speaks
lines: a command with its arguments as JSON comes in; the child's process id goes out, then its exit status.
"""

import json
import os
import sys


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    import annotate.management.commands.export_bench
    import annotate.management.commands.import_pairs  # noqa: F401
    from tests.smaller import work_in_small_steps

    work_in_small_steps()
    print("ready", flush=True)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                call_command(*json.loads(line), stdout=sys.stderr)
                os._exit(0)
            except BaseException as error:
                print(f"{line.strip()}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
