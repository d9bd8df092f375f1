"""Starts Postgres, Valkey and the processes of Switchyard on a machine that has none.

Enters: a folder (`VAR_DIR`) and the environment. Leaves: running servers and their addresses.
Depends on the packages of `requirements/embedded.txt`; nothing of Switchyard's depends on it but
the `up` command and the tests.
"""
