#!/usr/bin/env python
"""Evenhand's commands. One that works on data finds the servers running, or starts them for itself."""

import logging
import os
import sys

# Commands that touch neither database nor queue: no server is started for them.
SERVERLESS = {
    "help",
    "version",
    "check",
    "collectstatic",
    "findstatic",
    "diffsettings",
    "spectacular",
    "ensure_bucket",
    "makemessages",
    "compilemessages",
}


def needs_servers(arguments: list[str]) -> bool:
    """True if `manage.py ARGUMENTS` works on data. A command's --help doesn't."""
    if not arguments or arguments[0].startswith("-") or arguments[0] in SERVERLESS:
        return False
    return not {"-h", "--help"} & set(arguments)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    # The pool tells each of its tries; the error in which they end is told below.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    from webapp.local import servers

    try:
        if needs_servers(sys.argv[1:]):
            servers.start()
        execute()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        say_or_raise(error)
    finally:
        servers.stop()


def execute() -> None:
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"Django is not installed here ({error}): run make setup and use .venv/bin/python")
    execute_from_command_line(sys.argv)


def say_or_raise(error: Exception) -> None:
    """End with one line if a person can mend what is wrong; LOG_LEVEL=DEBUG tells where it happened too."""
    try:
        from webapp.failures import complaint
    except ImportError:
        raise error from None
    said = complaint(error)
    if said is None:
        raise error
    logging.getLogger(__name__).debug(said, exc_info=error)
    sys.exit(f"{os.path.basename(sys.argv[0])}: {said}")


if __name__ == "__main__":
    main()
