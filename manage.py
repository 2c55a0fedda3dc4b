#!/usr/bin/env python
"""Evenhand's commands. One that works on data finds the servers running, or starts them for itself."""

import os
import sys

# Commands that touch neither database nor queue: no server is started for them.
SERVERLESS = {"help", "version", "check", "collectstatic", "findstatic", "diffsettings", "spectacular"}


def needs_servers(arguments: list[str]) -> bool:
    """True if `manage.py ARGUMENTS` works on data. A command's --help doesn't."""
    if not arguments or arguments[0].startswith("-") or arguments[0] in SERVERLESS:
        return False
    return not {"-h", "--help"} & set(arguments)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
    if not needs_servers(sys.argv[1:]):
        execute()
        return
    from webapp.local import servers
    from webapp.local.process import ServerError

    try:
        servers.start()
        execute()
    except ServerError as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        servers.stop()


def execute() -> None:
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        sys.exit(f"Django is not installed here ({error}): run make setup and use .venv/bin/python")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
