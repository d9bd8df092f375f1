"""What is measured: snapshots that processes publish about themselves, and events between them.

Imports neither `validation` nor `console`.
"""
