"""The optimisations that the source documents propose, and what became of each.

Enters: versioned data files of this folder. Leaves: frozen values for pages, API and tests. Depends
on nothing but the standard library.
"""
