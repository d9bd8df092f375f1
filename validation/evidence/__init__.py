"""Proof bundles: all that a verdict rests on in one document, and verifying it with no network.

Enters: questions with their replies, and an outcome. Leaves: a document, or what verifying one
found. Depends on `validation.rpc` and `validation.validators`.
"""
