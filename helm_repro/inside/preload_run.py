"""Importing this imports what planning and running both need, so that it is paid once.

HELM imports all modules of run specs to find one by its name; through a scenario of one
of them come datasets, pandas and pyarrow, for seconds.
"""

from __future__ import annotations

import helm.benchmark.run  # noqa: F401
from helm.benchmark.run_spec import discover_run_spec_functions

discover_run_spec_functions()
