"""The optimisations that the source documents propose, and what became of each.

Enters: versioned data files of this folder and of `data/`, and operators' edits. Leaves: frozen
values for pages, API, commands and tests. Reading the files needs no database; `models`, `loading`
and `edits` do. Depends on flags, access and controls; nothing there depends on it.
"""
