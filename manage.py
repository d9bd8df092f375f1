#!/usr/bin/env python
"""Runs Switchyard's commands: `manage.py help` lists them."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    try:
        from django.core.management import execute_from_command_line  # noqa: PLC0415 - settings first

        execute_from_command_line(sys.argv)
    except KeyboardInterrupt:
        # Importing takes a second or two: a person may change their mind before a command begins.
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
