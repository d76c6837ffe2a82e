"""No key is in what is shown or written, wherever it came from."""

from __future__ import annotations

from pathlib import Path

from helm_repro.inside.inputs.credentials import Credentials, passed_on

KEY = "AIzaSyPlanted0123456789"


def test_keys_of_the_users_own_credentials_are_known() -> None:
    own = f"""
        mineApiKey = {KEY}-1  # a comment
        deployments {{ "mine/model-a": "{KEY}-2", other: [{{deep: "{KEY}-3"}}] }}
        mineBaseUrl: "http://10.0.0.1:8000/v1"
        critiqueModelName: "openai/gpt-4o"
        ollamaApiKey: ollama
    """
    credentials = Credentials({"OPENAI_API_KEY": KEY}, own)
    assert credentials.redact(f"{KEY}-1 {KEY}-2 {KEY}-3 {KEY}") == " ".join(["[redacted]"] * 4)
    public = "http://10.0.0.1:8000/v1 openai/gpt-4o ollama/llama3"
    assert credentials.redact(public) == public


def test_credentials_that_helm_could_not_read_do_not_hinder() -> None:
    assert Credentials({"OPENAI_API_KEY": KEY}, "{ [").redact(f"a {KEY}") == "a [redacted]"


def test_a_key_in_an_address_is_taken_out_whosever_it_is() -> None:
    text = (
        "Error was thrown when making a request to Perspective API: <HttpError 403 when requesting "
        f"https://commentanalyzer.googleapis.com/v1alpha1/comments:analyze?key={KEY}&alt=json returned "
        '"Perspective API has not been used". Details: "">'
    )
    redacted = Credentials({}).redact(text)
    assert redacted == text.replace(KEY, "[redacted]")


def test_a_proxys_password_is_taken_out() -> None:
    text = "ProxyError: http://me:a-pass:word@proxy.corp:3128 refused https://api.openai.com:443/v1 for me@corp"
    assert Credentials({}).redact(text) == text.replace("a-pass:word", "[redacted]")


def test_a_process_of_helms_knows_what_was_passed_on_to_it(tmp_path: Path) -> None:
    own = {"HELM_CREDENTIALS": f'"perspectiveApiKey": "{KEY}"', "AWS_SECRET_ACCESS_KEY": "aws-planted"}
    # Both forms may be there: HELM's processes inherit the variables of the entrypoint.
    file = {"XAI_API_KEY": "xai-planted", "XAI_API_KEY_FILE": str(tmp_path / "key")}
    assert passed_on({**own, **file}, tmp_path).redact(f"{KEY} aws-planted xai-planted") == " ".join(["[redacted]"] * 3)
    (tmp_path / "credentials.conf").write_text(f"openaiApiKey: {KEY}")
    assert passed_on({}, tmp_path).redact(KEY) == "[redacted]"
