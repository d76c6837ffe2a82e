"""Imported into HELM's process when OFFLINE=1: from then on it reaches nothing but what is allowed."""

import os

from helm_repro.inside.data.offline import ALLOWED_VARIABLE, guard

guard(os.environ.get(ALLOWED_VARIABLE, "").split(","))
