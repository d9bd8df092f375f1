"""What the sources ask for before they call something done, judged by what is measured here.

Enters: `data/gates.toml` and `data/measures.toml`, series of `monitoring.history`, and what else is
live here (verdicts of experiments, limits, alerts, drills). Leaves: a verdict of each gate, and
what is measured of each target. Depends on roadmap, experiments, capacity and rehearsals.
"""
