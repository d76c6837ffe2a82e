"""Keys under their usual names become what HELM reads, and nothing else ever shows them.

HELM looks for ``<host organization>ApiKey`` in HOCON text (``get_credentials`` in
helm/common/general.py and ``provide_api_key`` in helm/common/credentials_utils.py):
the environment variable HELM_CREDENTIALS, or else ``prod_env/credentials.conf``.
HELM_CREDENTIALS hides the file, so both are merged here. Some clients read
environment variables of their own; those are passed on under their own names.

Secrets travel only in the environment of HELM's processes: never in an argument, a
log line or a file of ours.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from helm_repro.inside.errors import VariableError

HELM_VARIABLE = "HELM_CREDENTIALS"
_FILE_SUFFIX = "_FILE"
# Shorter ones are stand-ins (Ollama's is "ollama"), and parts of the names of models.
_SHORTEST_SECRET = 8
_REDACTED = "[redacted]"
# A proxy's password, and the key that Google's clients send, are in addresses, and those in errors.
_PASSWORD = re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)")
_IN_ADDRESS = re.compile(r"""([?&](?:key|api[_-]?key|(?:access_)?token)=)[^&\s"'\\<>]+""", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Credential:
    """One key: its usual variable, HELM's name for it, and the organizations it is for.

    ``helm_key`` is ``None`` where HELM's client reads the variable itself.
    """

    variable: str
    helm_key: Optional[str]
    organizations: tuple[str, ...] = ()


CREDENTIALS: tuple[Credential, ...] = (
    Credential("OPENAI_API_KEY", "openaiApiKey", ("openai",)),
    Credential("OPENAI_ORG_ID", "openaiOrgId"),
    Credential("ANTHROPIC_API_KEY", "anthropicApiKey", ("anthropic",)),
    Credential("TOGETHER_API_KEY", "togetherApiKey", ("together",)),
    Credential("GOOGLE_API_KEY", "googleApiKey"),
    Credential("GEMINI_API_KEY", "googleApiKey"),
    Credential("GOOGLE_CLOUD_PROJECT", "googleProjectId"),
    Credential("GOOGLE_CLOUD_LOCATION", "googleLocation"),
    Credential("GOOGLE_APPLICATION_CREDENTIALS", None),
    Credential("MISTRAL_API_KEY", "mistralaiApiKey", ("mistralai",)),
    Credential("COHERE_API_KEY", "cohereApiKey", ("cohere",)),
    Credential("AI21_API_KEY", "ai21ApiKey", ("ai21",)),
    Credential("ALEPH_ALPHA_API_KEY", "AlephAlphaApiKey", ("AlephAlpha",)),
    Credential("WRITER_API_KEY", "writerApiKey", ("writer",)),
    Credential("REKA_API_KEY", "rekaApiKey", ("reka",)),
    Credential("UPSTAGE_API_KEY", "upstageApiKey", ("upstage",)),
    Credential("YI_API_KEY", "01-aiApiKey", ("01-ai",)),
    Credential("MARITACA_API_KEY", "maritaca-aiApiKey", ("maritaca-ai",)),
    Credential("NVIDIA_API_KEY", "nvidiaApiKey", ("nvidia",)),
    Credential("IBM_API_KEY", "ibmApiKey", ("ibm",)),
    Credential("XAI_API_KEY", "xaiApiKey", ("xai",)),
    Credential("OPENROUTER_API_KEY", "openrouterApiKey", ("openrouter",)),
    Credential("AZURE_OPENAI_API_KEY", "azureApiKey", ("azure",)),
    Credential("AZURE_OPENAI_ENDPOINT", None),
    Credential("AWS_ACCESS_KEY_ID", None),
    Credential("AWS_SECRET_ACCESS_KEY", None),
    Credential("AWS_SESSION_TOKEN", None),
    Credential("BEDROCK_ASSUME_ROLE", None),
    Credential("PERSPECTIVE_API_KEY", "perspectiveApiKey"),
    Credential("SURGEAI_API_KEY", "surgeaiApiKey"),
    Credential("SCALE_API_KEY", "scaleApiKey"),
    Credential("HF_TOKEN", "huggingfaceAuthToken"),
    Credential("HUGGING_FACE_ACCESS_TOKEN", None),
    # Who rates answers in HELM's critique metrics (get_critique_client, helm/clients/auto_client.py).
    Credential("CRITIQUE_TYPE", "critiqueType"),
    Credential("CRITIQUE_MODEL_NAME", "critiqueModelName"),
    # Of MODEL_BASE_URL's server; HELM gets it under the deployment's name (own_models.helm_keys).
    Credential("MODEL_API_KEY", None),
)

KEY_FILES = frozenset(credential.variable + _FILE_SUFFIX for credential in CREDENTIALS)
"""Variables that name files with keys."""

# Passed to HELM as keys are, but not secret.
_PUBLIC = {"CRITIQUE_TYPE", "CRITIQUE_MODEL_NAME", "GOOGLE_CLOUD_LOCATION"}
# The ends of HELM's names for what is not secret (AutoClient._get_client and get_critique_client).
_PUBLIC_ENDS = ("BaseUrl", "Endpoint", "Location", "critiqueType", "critiqueModelName")
# Clients that also look for the variable itself (grok_client, openrouter_client, huggingface_hub, AWS and Google SDKs).
_BY_OWN_NAME = {"XAI_API_KEY", "OPENROUTER_API_KEY", "HF_TOKEN", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"}


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What was given: variable name -> value, and the text of the user's own credentials.conf."""

    values: Mapping[str, str] = dataclasses.field(repr=False)
    own_text: str = dataclasses.field(default="", repr=False)

    def names(self) -> list[str]:
        """Names of the variables that are set; safe to print."""
        return sorted(self.values)

    def helm_environment(self, extra: Optional[Mapping[str, str]] = None) -> dict[str, str]:
        """Environment variables for HELM's processes.

        Args:
            extra: further HELM keys, as ``{"localApiKey": …}``, that win over the rest.
        """
        keys = {c.helm_key: self.values[c.variable] for c in CREDENTIALS if c.helm_key and c.variable in self.values}
        keys.update(extra or {})
        environment = {
            c.variable: self.values[c.variable]
            for c in CREDENTIALS
            if c.variable in self.values and (c.helm_key is None or c.variable in _BY_OWN_NAME)
        }
        if "HF_TOKEN" in self.values:
            # The Winoground scenarios read the token under its old name (image_generation/winoground_scenario.py).
            environment.setdefault("HUGGING_FACE_ACCESS_TOKEN", self.values["HF_TOKEN"])
        # JSON strings are HOCON strings; a later line wins over an earlier one.
        lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in keys.items()]
        if lines or self.own_text:
            environment[HELM_VARIABLE] = "\n".join([self.own_text, *lines])
        return environment

    def redact(self, text: str) -> str:
        """Replace every secret that ``text`` may hold."""
        if self._secrets:
            text = self._secrets.sub(_REDACTED, text)
        for in_address in (_IN_ADDRESS, _PASSWORD):
            text = in_address.sub(rf"\1{_REDACTED}", text)
        return text

    @functools.cached_property
    def _secrets(self) -> Optional[re.Pattern[str]]:
        given = [value for name, value in self.values.items() if name not in _PUBLIC]
        secrets = {value for value in (*given, *_own_secrets(self.own_text)) if len(value) >= _SHORTEST_SECRET}
        # The longest first, because one may be the beginning of another.
        return re.compile("|".join(map(re.escape, sorted(secrets, key=len, reverse=True)))) if secrets else None


def _own_secrets(text: str) -> Iterator[str]:
    """The values in HELM's credentials, which may be nested (``provide_api_key``)."""
    if not text.strip():
        return
    from pyhocon import ConfigFactory

    try:
        tree = ConfigFactory.parse_string(text)
    except Exception:  # of pyhocon's, pyparsing's and the parser's own making; HELM finds no key there either
        return
    for name, value in tree.items():
        if not name.strip('"').endswith(_PUBLIC_ENDS):
            yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield str(value)


def read_credentials(environ: Mapping[str, str], local_path: Path) -> Credentials:
    """Collect the keys from ``<NAME>``, ``<NAME>_FILE``, HELM_CREDENTIALS and credentials.conf.

    Raises:
        VariableError: both forms of a name are set, or a file cannot be read. The value is never shown.
    """
    values = {}
    for credential in CREDENTIALS:
        value = secret(credential.variable, environ)
        if value is not None:
            values[credential.variable] = value
    return Credentials(values, _own_text(environ, local_path))


def passed_on(environ: Mapping[str, str], local_path: Path) -> Credentials:
    """The same in a process of HELM's, whose environment :meth:`Credentials.helm_environment` has made.

    Raises:
        VariableError: credentials.conf cannot be read.
    """
    values = {c.variable: environ[c.variable] for c in CREDENTIALS if environ.get(c.variable)}
    return Credentials(values, _own_text(environ, local_path))


def _own_text(environ: Mapping[str, str], local_path: Path) -> str:
    own = environ.get(HELM_VARIABLE, "")
    conf = local_path / "credentials.conf"
    if not own and os.path.isfile(conf):  # noqa: PTH113 - Path.is_file raises where a folder may not be searched
        try:
            own = conf.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise VariableError("DATA_DIR", conf, f"cannot be read: {type(error).__name__}") from error
    return own


def secret(name: str, environ: Mapping[str, str]) -> Optional[str]:
    """The value of ``name``, or the content of the file that ``name_FILE`` names; ``None`` if unset.

    Raises:
        VariableError: both are set, or the file cannot be read or is empty.
    """
    value = environ.get(name, "").strip()
    file_name = name + _FILE_SUFFIX
    path = environ.get(file_name, "").strip()
    if not path:
        return value or None
    if value:
        raise VariableError(file_name, path, f"{name} is set as well; set one of them")
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise VariableError(file_name, path, f"cannot be read: {type(error).__name__}") from error
    if not content:
        raise VariableError(file_name, path, "is empty")
    return content


def without_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment less every credential, for processes that need none."""
    names = {credential.variable for credential in CREDENTIALS} | {HELM_VARIABLE}
    return {name: value for name, value in environ.items() if name not in names}
