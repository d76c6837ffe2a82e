"""Small files of the Hugging Face hub that must be there before HELM is asked anything.

HELM looks into models and tokenizers while it makes its plan, and where the hub cannot be
reached or refuses, that ends in a traceback of 200 lines.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Optional

from helm_repro.inside import failures
from helm_repro.inside.errors import InsideError
from helm_repro.inside.exit_codes import ExitCode

# Configurations and tokenizers, no weights.
_SMALL_FILES = ["*.json", "*.jinja", "tokenizer*", "*.model", "vocab.txt", "merges.txt"]


@dataclasses.dataclass(frozen=True)
class Hub:
    """The hub as this invocation sees it.

    Attributes:
        home: Hugging Face's own folder (HF_HOME).
        offline: whether only the cache may be used.
        token: of the user's account.
    """

    home: Path
    offline: bool = False
    token: Optional[str] = dataclasses.field(default=None, repr=False)

    def snapshot(self, variable: str, value: str, repository: str, revision: Optional[str] = None) -> Path:
        """The folder of a repository's small files, fetched if they are not there; its name is the commit.

        Args:
            variable, value: what named the repository, for the error.

        Raises:
            InsideError: it cannot be had; exit code 4 if the hub refuses it, else 6.
        """
        import huggingface_hub

        try:
            folder = huggingface_hub.snapshot_download(
                repository,
                revision=revision,
                cache_dir=self.home / "hub",
                local_files_only=self.offline,
                token=self.token,
                allow_patterns=_SMALL_FILES,
            )
        except Exception as error:
            code, hint = self._remedy(error)
            text = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise InsideError(f"{variable}={value}: {hint} ({text})", code) from error
        return Path(folder)

    def holds(self, repository: str) -> bool:
        """Whether anything of the repository is in the cache; HELM looks there first."""
        return (self.home / "hub" / f"models--{repository.replace('/', '--')}" / "snapshots").is_dir()

    def _remedy(self, error: Exception) -> tuple[ExitCode, str]:
        if self.offline:
            return ExitCode.UPSTREAM_DATA, "is not in the cache, and OFFLINE=1; run `warm` where there is a network"
        if failures.classify(f"{type(error).__name__}: {error}").exit_code == ExitCode.CREDENTIALS:
            # The hub refuses what does not exist in the same words.
            return ExitCode.CREDENTIALS, "the hub refuses it; check the name, accept its terms and set HF_TOKEN"
        return ExitCode.UPSTREAM_DATA, "cannot be had from the hub; check the name and the network"
