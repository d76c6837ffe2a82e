"""What a leaderboard and an environment are: the typed form of their YAML files.

Field names are the catalogue's public vocabulary: the same in YAML, in
``helm-repro list --json``, in image labels and in the documentation.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal, Optional

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Version = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Judge(_Strict):
    """A model that scores answers (HELM: annotator, critique or metric model)."""

    model: str
    deployment: Optional[str] = Field(default=None, description="HELM model deployment it is called through")
    credential: Optional[VariableName] = Field(default=None, description="environment variable with its key")
    retired: Optional[datetime.date] = Field(default=None, description="day the provider withdrew it")
    on_failure: Optional[Literal["run-fails", "score-missing"]] = Field(
        default=None, description="what HELM does when it cannot be reached"
    )
    private: bool = Field(default=False, description="only the deployment's owner can call it")
    used_by: list[str] = Field(default_factory=list, description="run-spec functions that call it; empty: all")
    note: Optional[str] = None


class Credential(_Strict):
    """A key that some runs need beside the model's own."""

    variable: VariableName
    purpose: str
    required: bool = False


class GatedDataset(_Strict):
    """Data that needs accepted terms, a token or a private copy."""

    name: str
    how: str = Field(description="how one gets access")
    variable: Optional[VariableName] = Field(default=None, description="variable naming the token or the mounted copy")
    used_by: list[str] = Field(default_factory=list, description="run-spec functions that read it; empty: unknown")
    data_paths: dict[str, str] = Field(
        default_factory=dict,
        description="data_path as in the entries -> where that is below the path that `variable` names ('': itself)",
    )


class Published(_Strict):
    """Where Stanford's own results of this leaderboard are stored."""

    project: Optional[str] = Field(default=None, description="folder of the public bucket")
    storage: Optional[str] = Field(default=None, description="gs:// or https:// address of benchmark_output")
    releases: dict[str, str] = Field(default_factory=dict, description="release -> date or what is known of it")


class Caveat(_Strict):
    """Something about this leaderboard that cannot be, or is not quite, reproduced."""

    kind: Literal["dead-data", "fragile-data", "retired-judge", "needs-service", "recipe", "cost", "security"]
    what: str
    reason: str
    since: Optional[datetime.date] = Field(default=None, description="day from which on it holds; before, a warning")
    source: Optional[str] = Field(default=None, description="HELM issue, file or page that says so")
    entries: list[str] = Field(
        default_factory=list,
        description="regular expressions on entry descriptions that it concerns; empty: the whole leaderboard",
    )
    skip: bool = Field(default=False, description="leave those entries out unless INCLUDE_UNAVAILABLE=1")
    own_copy: Optional[str] = Field(
        default=None, description="path under benchmark_output that, when mounted, makes the entries available again"
    )


class AnyModel(_Strict):
    """Rule that turns a conf with hard-coded models into one for any model.

    Entries of ``base`` are kept with their model arguments removed; for a model whose name
    matches one of ``reasoning_models``, or that REASONING_MODELS names, those of ``reasoning_base``.
    """

    base: str = Field(description="model whose entries serve as the template")
    reasoning_base: Optional[str] = Field(default=None, description="template for models that reason first")
    reasoning_models: list[str] = Field(default_factory=list, description="regular expressions on model names")


class Leaderboard(_Strict):
    """One leaderboard: the single source for its image, labels, tables, CI, preflight and verify."""

    id: Identifier
    title: str
    section: Optional[str] = Field(default=None, description="heading of HELM's Reproducing Leaderboards page")
    environment: Identifier
    conf: FileName
    schema_: FileName = Field(alias="schema")
    num_train_trials: int = Field(ge=1)
    max_eval_instances: int = Field(ge=1)
    priority: int = Field(ge=1, le=5)
    entries_sha256: Sha256
    schema_sha256: Sha256
    status: Literal["supported", "experimental", "undocumented", "gated", "private"]
    summary: str = Field(description="one sentence: what it measures")
    judges: list[Judge] = Field(default_factory=list)
    credentials: list[Credential] = Field(default_factory=list)
    gated_datasets: list[GatedDataset] = Field(default_factory=list)
    published: Published = Field(default_factory=Published)
    caveats: list[Caveat] = Field(default_factory=list)
    model_groups: Literal["strict", "all"] = Field(
        default="all", description="default of MODEL_GROUPS: how entries that name a group of models treat yours"
    )
    any_model: Optional[AnyModel] = None
    entry_groups: dict[str, list[str]] = Field(
        default_factory=dict, description="run-spec function -> groups added so that the schema shows its runs"
    )
    example_model: str = Field(
        default="openai/gpt-4o-2024-11-20", description="a model that fits the entries, for documentation"
    )
    plugins: list[str] = Field(default_factory=list, description="modules given to helm-run --plugins")
    requires: dict[str, list[str]] = Field(
        default_factory=dict,
        description="run-spec function -> programs that HELM starts for it, by name or by path below the working "
        "directory, and files of HELM's package (helm/…)",
    )
    organization: Optional[str] = Field(
        default=None, description="default of ORGANIZATION, where the conf's name ends in an organization's"
    )
    flavour: Optional[Literal["gpu"]] = Field(
        default=None, description="what Catalogue.gpu_flavour has made of it; leaderboard.yaml never states it"
    )

    @property
    def tag(self) -> str:
        """What its image is called, after the repository and a colon."""
        return f"{self.id}-{self.flavour}" if self.flavour else self.id

    def conf_of(self, organization: str) -> str:
        """The conf's name for another organization than the catalogue's (HELM's page, "Private Benchmarks")."""
        return self.conf.replace(f"_{self.organization}.", f"_{organization}.")

    @property
    def data_variables(self) -> list[str]:
        """Variables that name the user's own copies of gated data."""
        named = (dataset.variable for dataset in self.gated_datasets if dataset.data_paths)
        return list(dict.fromkeys(filter(None, named)))


class Environment(_Strict):
    """A HELM pin with everything that runs beside it: one set of image layers."""

    id: Identifier
    extends: Optional[Identifier] = Field(default=None, description="environment whose pins and layers it starts from")
    helm_version: Version
    helm_commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    helm_release_date: datetime.date
    python: Annotated[str, StringConstraints(pattern=r"^3\.\d+$")]
    extras: list[str] = Field(default_factory=list, description="extras of crfm-helm")
    requirements: list[str] = Field(default_factory=list, description="packages beside HELM's own extras")
    overrides: list[str] = Field(default_factory=list, description="requirements replacing those of any package")
    build_constraints: list[str] = Field(default_factory=list, description="for packages built from source")
    exclude_newer: datetime.date = Field(description="resolve as of this day")
    torch: bool = Field(default=False, description="whether run specs or metrics need PyTorch")
    gpu: Optional[Identifier] = Field(
        default=None, description="environment that takes its place in the gpu flavour; one with PyTorch is its own"
    )
    build_packages: list[str] = Field(default_factory=list, description="Debian packages of the build stage only")
    system_packages: list[str] = Field(default_factory=list, description="Debian packages of the final image")
    schema_flag: str = Field(default="--schema-path", description="helm-summarize's flag for the schema file")
    plugins_flag: Optional[str] = Field(default="--plugins", description="absent before HELM 0.5.12")
    credentials_variable: Optional[str] = Field(default="HELM_CREDENTIALS", description="absent in older HELM")
    size_budget_mb: Optional[int] = Field(default=None, ge=1, description="largest allowed image, in 10^6 bytes")
    notes: list[str] = Field(default_factory=list)
