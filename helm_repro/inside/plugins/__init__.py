"""Corrections to HELM that a leaderboard needs, loaded by HELM's own hook ``helm-run --plugins``.

A leaderboard names its plugins in the catalogue; each module says which defect it corrects,
in which versions, and where HELM itself corrected it.
"""
