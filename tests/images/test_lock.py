"""Locks belong to their environment files, and a stale or edited one is found offline."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helm_repro.catalogue import Catalogue, Environment
from helm_repro.errors import ConfigurationError
from helm_repro.images.lock import (
    check_lock,
    environment_sha256,
    lock,
    lock_path,
    pinned_versions,
    without_overridden,
)
from tests.conftest import ROOT

ENVIRONMENTS = sorted(path.parent.name for path in ROOT.glob("images/*/requirements.lock"))
PROVIDERS = (
    *("ai21", "ai21-tokenizer", "aleph-alpha-client", "anthropic", "boto3", "cohere", "google-cloud-aiplatform"),
    *("google-genai", "ibm-watsonx-ai", "mistralai", "openai", "reka-api", "tiktoken", "together", "writer-sdk"),
)


@pytest.fixture
def environment(catalogue: Catalogue) -> Environment:
    return catalogue.environments["helm-0.5.16"]


@pytest.fixture
def copy(tmp_path: Path, environment: Environment) -> Path:
    """A root with this environment's files only, to spoil."""
    shutil.copytree(ROOT / "images" / environment.id, tmp_path / "images" / environment.id)
    return tmp_path


@pytest.mark.parametrize("identifier", ENVIRONMENTS)
def test_every_lock_is_that_of_its_environment(catalogue: Catalogue, identifier: str) -> None:
    assert check_lock(catalogue.environments[identifier], ROOT) == []


@pytest.mark.parametrize("identifier", ENVIRONMENTS)
def test_locks_name_no_index_and_no_file(identifier: str) -> None:
    text = (ROOT / "images" / identifier / "requirements.lock").read_text()
    assert "://" not in text
    assert "--index" not in text
    assert " @ " not in text


@pytest.mark.parametrize("identifier", ENVIRONMENTS)
def test_every_hosted_provider_has_its_client(identifier: str) -> None:
    pinned = pinned_versions((ROOT / "images" / identifier / "requirements.lock").read_text())
    if identifier.startswith("helm-0.5.1"):
        assert set(PROVIDERS) <= set(pinned)


@pytest.mark.parametrize("identifier", ENVIRONMENTS)
def test_pytorch_is_locked_where_the_environment_says_so(catalogue: Catalogue, identifier: str) -> None:
    pinned = pinned_versions((ROOT / "images" / identifier / "requirements.lock").read_text())
    assert ("torch" in pinned) is catalogue.environments[identifier].torch
    # An override of ours hides HELM's own bound (accelerate~=0.25) from the resolver.
    assert pinned.get("accelerate", "0.").startswith("0.")


def test_every_environment_has_a_lock(catalogue: Catalogue) -> None:
    assert sorted(catalogue.environments) == ENVIRONMENTS


@pytest.mark.parametrize("identifier", ENVIRONMENTS)
def test_what_extends_an_environment_has_all_its_pins(catalogue: Catalogue, identifier: str) -> None:
    base = catalogue.environments[identifier].extends
    if base is None:
        pytest.skip("extends none")
    pinned, inherited = (
        pinned_versions((ROOT / "images" / name / "requirements.lock").read_text()) for name in (identifier, base)
    )
    inherited.pop("crfm-helm")
    assert {name: pinned.get(name) for name in inherited} == inherited


def test_all_pytorch_environments_of_a_helm_version_share_one(catalogue: Catalogue) -> None:
    chains = {}
    for environment in catalogue.environments.values():
        if environment.torch:
            chains.setdefault(environment.helm_version, set()).add(_outermost_with_torch(catalogue, environment))
    # Its layers hold all packages but HELM itself, so those of another HELM version are the same.
    shared = {"helm-0.5.16-torch"}
    assert chains == {"0.5.15": shared, "0.5.16": shared, "0.5.6": {"helm-0.5.6-heim"}}


def _outermost_with_torch(catalogue: Catalogue, environment: Environment) -> str:
    base = environment.extends and catalogue.environments[environment.extends]
    return _outermost_with_torch(catalogue, base) if base and base.torch else environment.id


def test_a_pin_that_differs_from_the_extended_environments_is_found(catalogue: Catalogue, tmp_path: Path) -> None:
    for name in ("helm-0.5.16", "helm-0.5.16-cleva"):
        shutil.copytree(ROOT / "images" / name, tmp_path / "images" / name)
    base = tmp_path / "images" / "helm-0.5.16" / "requirements.lock"
    base.write_text(base.read_text().replace("pandas==2.3.3", "pandas==2.2.0"))
    (problem,) = check_lock(catalogue.environments["helm-0.5.16-cleva"], tmp_path)
    assert problem.message == "has not the pandas==2.2.0 of images/helm-0.5.16, run `make lock`"


def test_an_environment_is_locked_after_the_one_it_extends(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "freeze.txt").write_text("pandas==2.3.3\n")
    with pytest.raises(ConfigurationError, match=r"images/helm-0\.5\.16/requirements\.lock: missing, .* builds on it"):
        lock(catalogue.environments["helm-0.5.16-cleva"], tmp_path, tmp_path / "freeze.txt")


def test_the_api_environment_is_that_of_the_release(environment: Environment) -> None:
    pinned = pinned_versions(lock_path(environment, ROOT).read_text())
    assert {name: pinned[name] for name in ("crfm-helm", "pandas", "numpy", "transformers", "datasets")} == {
        "crfm-helm": "0.5.16",
        "pandas": "2.3.3",
        "numpy": "2.4.4",
        "transformers": "4.57.6",
        "datasets": "3.6.0",
    }
    assert {"pillow", "tenacity"} <= set(pinned)
    assert not {"torch", "torchvision", "accelerate", "awscli", "pip"} & set(pinned)
    assert pinned["zstandard"] != "0.18.0"


@pytest.mark.parametrize(
    "change",
    [
        {"extras": ["openai"]},
        {"requirements": ["sympy"]},
        {"overrides": []},
        {"exclude_newer": "2026-05-07"},
        {"python": "3.12"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_changed_environment_makes_its_lock_stale(environment: Environment, change: dict[str, object]) -> None:
    changed = Environment.model_validate({**environment.model_dump(), **change})
    (problem,) = check_lock(changed, ROOT)
    assert "environment.yaml has changed since" in problem.message
    assert "make lock ENVIRONMENT=helm-0.5.16" in problem.message


@pytest.mark.parametrize("change", [{"notes": ["new"]}, {"size_budget_mb": 1}, {"system_packages": ["wget"]}], ids=str)
def test_what_does_not_decide_the_lock_may_change(environment: Environment, change: dict[str, object]) -> None:
    changed = Environment.model_validate({**environment.model_dump(), **change})
    assert check_lock(changed, ROOT) == []


def test_order_of_lists_does_not_matter(environment: Environment) -> None:
    turned = environment.model_copy(update={"extras": environment.extras[::-1]})
    assert environment_sha256(turned) == environment_sha256(environment)


def test_an_edited_lock_is_found(environment: Environment, copy: Path) -> None:
    path = lock_path(environment, copy)
    path.write_text(path.read_text().replace("pandas==2.3.3", "pandas==2.2.0"))
    (problem,) = check_lock(environment, copy)
    assert problem.where == "images/helm-0.5.16/requirements.lock"
    assert "edited by hand" in problem.message


def test_a_lock_without_hashes_or_helm_is_found(environment: Environment, copy: Path) -> None:
    lock_path(environment, copy).write_text("pandas==2.3.3\n")
    messages = [problem.message for problem in check_lock(environment, copy)]
    assert "does not pin crfm-helm==0.5.16" in messages
    assert "pandas==2.3.3 has no hash" in messages


def test_a_missing_lock_is_found(environment: Environment, tmp_path: Path) -> None:
    (problem,) = check_lock(environment, tmp_path)
    assert problem.message.startswith("missing, run `make lock")


def test_stale_build_constraints_are_found(environment: Environment, copy: Path) -> None:
    (copy / "images" / environment.id / "build-constraints.txt").write_text("setuptools==1\n")
    (problem,) = check_lock(environment, copy)
    assert problem.where == "images/helm-0.5.16/build-constraints.txt"


def test_constraints_on_overridden_packages_are_dropped() -> None:
    frozen = "# freeze\nzstandard==0.18.0\nTorch_Vision==0.1\npandas==2.3.3 ; python_version < '4'\n\n"
    kept = without_overridden(frozen, ["zstandard>=0.19", 'torch.vision; python_version < "3"'])
    assert kept == "pandas==2.3.3 ; python_version < '4'\n"


def test_unreadable_constraints_name_the_file(environment: Environment, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.txt: HELM's freeze cannot be read: No such file"):
        lock(environment, tmp_path, tmp_path / "nowhere.txt")


def test_no_solution_is_one_line_naming_the_environment(
    environment: Environment, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lock_path(environment, copy).read_text()
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(copy / "empty"))
    (copy / "freeze.txt").write_text("pandas==2.3.3\n")
    with pytest.raises(ConfigurationError) as raised:
        lock(environment, copy, copy / "freeze.txt")
    assert str(raised.value).startswith("images/helm-0.5.16/environment.yaml: cannot be locked: ")
    assert "\n" not in str(raised.value)
    assert lock_path(environment, copy).read_text() == before
