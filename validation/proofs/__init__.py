"""Merkle-Patricia proofs and roots, over bytes alone.

Enters: encoded values, proof nodes, a root. Leaves: a root, or what a proof proves. Depends on
nothing of Switchyard.
"""
