"""Faults that a person causes on purpose on a development stack, to see them on the console.

Enters: the name of a fault and for how long. Leaves: the fault, and its end whatever becomes of who
caused it: a process of its own heals when the first one ends, also by SIGKILL. Depends on
`validation` and `monitoring`; of the product the web process alone knows of it, on a development
stack, where it lends connections to nobody (`held_connections`).
"""
