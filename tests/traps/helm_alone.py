"""Runs in HELM's environment: print the run specs that HELM itself gives for a whole conf, as JSON.

Arguments: the conf, the models, the limits, and descriptions of entries to leave out because
HELM cannot construct them without a network (one such entry ends helm-run altogether).
"""

from __future__ import annotations

import contextlib
import json
import sys


def main(arguments: dict) -> None:
    from helm.benchmark.config_registry import register_builtin_configs_from_helm_package
    from helm.benchmark.presentation.run_entry import read_run_entries
    from helm.benchmark.run import run_entries_to_run_specs
    from helm.common.general import asdict_without_nones

    with contextlib.redirect_stdout(sys.stderr):
        register_builtin_configs_from_helm_package()
        entries = read_run_entries([arguments["conf"]]).entries
        specs = run_entries_to_run_specs(
            run_entries=[entry for entry in entries if entry.description not in arguments["without"]],
            max_eval_instances=arguments["max_eval_instances"],
            num_train_trials=arguments["num_train_trials"],
            models_to_run=arguments["models"],
            priority=arguments["priority"],
        )
    json.dump([asdict_without_nones(spec) for spec in specs], sys.stdout)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
