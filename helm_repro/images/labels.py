"""What an image says about itself without being started: OCI labels.

The standard keys (https://github.com/opencontainers/image-spec/blob/main/annotations.md)
and the catalogue's own vocabulary under one prefix, for ``docker image inspect`` and
``docker images --filter label=…``. Labels are configuration, not a layer.
"""

from __future__ import annotations

import hashlib

import helm_repro
from helm_repro.catalogue import Catalogue, Leaderboard
from helm_repro.catalogue.render import inputs_sha256, lock_path

PREFIX = "io.github.helm-repro."


def labels(catalogue: Catalogue, leaderboard: Leaderboard) -> dict[str, str]:
    """Labels of a leaderboard's image; the same for the same catalogue."""
    environment = catalogue.environment_of(leaderboard)
    keys = [judge.credential for judge in leaderboard.judges if judge.credential]
    keys += [credential.variable for credential in leaderboard.credentials]
    ours = {
        "leaderboard": leaderboard.id,
        "environment": environment.id,
        "flavour": leaderboard.flavour or "default",
        "status": leaderboard.status,
        "helm_version": environment.helm_version,
        "helm_commit": environment.helm_commit,
        "conf": leaderboard.conf,
        "schema": leaderboard.schema_,
        "num_train_trials": str(leaderboard.num_train_trials),
        "max_eval_instances": str(leaderboard.max_eval_instances),
        "priority": str(leaderboard.priority),
        "entries_sha256": leaderboard.entries_sha256,
        "schema_sha256": leaderboard.schema_sha256,
        "lock_sha256": hashlib.sha256(lock_path(catalogue, leaderboard).read_bytes()).hexdigest(),
        "judges": ",".join(dict.fromkeys(judge.model for judge in leaderboard.judges)),
        "credentials": ",".join(dict.fromkeys(keys)),
        "inputs": inputs_sha256(catalogue, leaderboard),
        "version": helm_repro.__version__,
    }
    return {
        "org.opencontainers.image.title": f"helm-repro {leaderboard.tag}",
        "org.opencontainers.image.description": f"{leaderboard.title}: {leaderboard.summary}",
        "org.opencontainers.image.version": environment.helm_version,
        "org.opencontainers.image.licenses": "Apache-2.0",
        **{PREFIX + key: value for key, value in ours.items()},
    }
