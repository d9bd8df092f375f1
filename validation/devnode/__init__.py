"""The node Switchyard can always talk to: JSON-RPC over packaged chain data, with faults and lies.

In: HTTP requests (`app.create_app`) and the archive that `make_chain` wrote once with a real anvil.
Out: answers of pre-encoded bytes, true unless a fault or a lie was asked for.
Depends on nothing else of Switchyard and on neither Django nor Celery; `manage.py devnode` runs it.
"""
