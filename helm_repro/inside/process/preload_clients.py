"""Importing this imports what the libraries of the clients imported so far import at their first request."""

from __future__ import annotations

from helm_repro.inside.process.warm import import_late

import_late()
