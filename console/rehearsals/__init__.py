"""A flag's way back, rehearsed before anybody goes there: a drill on parts of its own, under load.

Enters: a flag, a target, an operator's wish. Leaves: drills with what they measured (how soon the
target and the baseline are in force again, units with one right result each, what the target wrote
and the baseline reads), and whether it can be taken back. Depends on `console.experiments` for
engines and nodes, on `console.flags` and `validation`; the guards of flags ask `standing`.
"""
