"""Limits: of given numbers, of a fleet that tells of itself, of stages that would break one."""
