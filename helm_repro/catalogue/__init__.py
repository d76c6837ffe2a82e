"""The catalogue: what each leaderboard and each environment is, read and validated."""

from helm_repro.catalogue.load import Catalogue, load_catalogue
from helm_repro.catalogue.models import Environment, Leaderboard

__all__ = ["Catalogue", "Environment", "Leaderboard", "load_catalogue"]
