"""What nodes answered, kept near: in this process (L1) and in Valkey (L2).

Enters: keys, and what a node answered. Leaves: the same answers, each with its age. Depends on
neither Django nor Celery.
"""
