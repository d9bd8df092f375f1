"""OpenFeature's Remote Evaluation Protocol 0.3: flags for other services.

Enters: HTTP with a token, beside Django. Leaves: evaluations by this process's copy of the flags,
and a stream that tells of changes. Depends on `console.flags`' provider and on `console.access`.
"""
