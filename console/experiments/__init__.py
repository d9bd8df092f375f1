"""What an optimisation is said to bring, held against what it brings here.

Enters: claims (console/roadmap/data/claims.toml) and an operator's wish to measure one. Leaves:
experiments with every block's raw figures, an effect with its interval, and a verdict. All of it
runs on engines, a node and a database of the cache server of its own: the fleet's traffic is
neither measured nor disturbed. Depends on `console.roadmap`, `console.flags` and `validation`.
"""
