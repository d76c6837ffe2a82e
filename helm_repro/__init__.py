"""helm-repro: reproduces HELM leaderboards in containers."""

__version__ = "0.1.0"
