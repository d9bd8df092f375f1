"""Guarded rollouts: a flag's stages raised on data, and taken back on data.

Enters: what an operator wants of a flag (target, stages, guards), what processes tell of treated
and untreated units (`monitoring.arms`), gates and drills. Leaves: stages of the flag by
`console.flags`, a log of every decision with the numbers it saw, alerts. Depends on
`console.flags`, `console.rehearsals` and `console.roadmap.gates`; pages, API and commands depend
on it.
"""
