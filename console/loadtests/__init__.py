"""The sources' load scenarios, and the criteria by which each has passed.

Enters: the name of a scenario, and for the storm the address of a running console. Leaves: what was
wanted, what was measured and whether it holds. Depends on `validation` and `monitoring`; nothing of
the product depends on it but the command `loadtest`. Importing the package loads no Django: what a
scenario starts as processes of its own needs none.
"""
