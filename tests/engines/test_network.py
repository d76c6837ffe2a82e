"""What tasks inherit of this machine's proxies and certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from helm_repro.network import CERTIFICATES, network_variables

_PROXY = "http://me:password@proxy.example:3128"


def test_proxies_are_passed_on_in_either_case() -> None:
    environ = {
        "http_proxy": _PROXY,
        "ALL_PROXY": _PROXY,
        "NO_PROXY": "corp.example",
        "HTTPS_PROXY": "",
        "HOME": "/root",
    }
    expected = {"http_proxy": _PROXY, "ALL_PROXY": _PROXY, "NO_PROXY": "corp.example"}
    assert network_variables({}, environ) == expected


def test_what_is_given_in_one_case_is_not_joined_by_the_other() -> None:
    environ = {"https_proxy": _PROXY, "HTTPS_PROXY": _PROXY, "http_proxy": _PROXY}
    assert network_variables({"HTTPS_PROXY": "http://mine"}, environ) == {"http_proxy": _PROXY}


@pytest.mark.parametrize(
    ("given", "environ", "hosts"),
    [
        ({}, {"http_proxy": _PROXY}, "here"),
        ({}, {"http_proxy": _PROXY, "no_proxy": "a,b"}, "a,b,here"),
        ({"http_proxy": _PROXY}, {"NO_PROXY": "a"}, "a,here"),
        ({}, {"http_proxy": _PROXY, "NO_PROXY": "*"}, "*"),
        ({"NO_PROXY": "mine"}, {"http_proxy": _PROXY}, None),
        ({}, {}, None),
        ({"http_proxy": ""}, {"http_proxy": _PROXY}, None),
    ],
)
def test_a_host_is_asked_directly(given: dict[str, str], environ: dict[str, str], hosts: str | None) -> None:
    found = network_variables(given, environ, direct="here")
    assert (found.get("no_proxy"), found.get("NO_PROXY")) == (hosts, hosts)


def test_certificates_are_one_file_under_every_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pem", tmp_path / "other.pem"
    one.touch()
    assert network_variables({}, {"REQUESTS_CA_BUNDLE": str(one)}) == dict.fromkeys(CERTIFICATES, str(one))
    # A file that is gone is no reason to fail elsewhere.
    assert network_variables({}, {"SSL_CERT_FILE": str(other)}) == {}
    other.touch()
    found = network_variables({}, {"REQUESTS_CA_BUNDLE": str(one), "SSL_CERT_FILE": str(other)})
    assert (found["REQUESTS_CA_BUNDLE"], found["CURL_CA_BUNDLE"]) == (str(one), str(other))


@pytest.mark.parametrize(
    "proxy", ["socks5://proxy.example:1080", "socks5h://127.0.0.1:1080", "http://127.0.0.1:3128", "localhost:3128"]
)
def test_proxies_that_a_container_cannot_use_are_left_out(proxy: str) -> None:
    assert network_variables({}, {"ALL_PROXY": proxy, "https_proxy": _PROXY}) == {"https_proxy": _PROXY}


def test_a_file_for_one_tool_is_for_that_tool(tmp_path: Path) -> None:
    (tmp_path / "s3.pem").touch()
    (tmp_path / "ca.pem").touch()
    environ = {"AWS_CA_BUNDLE": str(tmp_path / "s3.pem")}
    assert network_variables({}, environ) == environ
    found = network_variables({}, {**environ, "CA_FILE": str(tmp_path / "ca.pem")})
    assert found == {**dict.fromkeys(CERTIFICATES, str(tmp_path / "ca.pem")), **environ}


def test_certificates_that_are_given_are_the_only_ones(tmp_path: Path) -> None:
    environ = {"REQUESTS_CA_BUNDLE": str(tmp_path / "ca.pem"), "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    (tmp_path / "ca.pem").touch()
    found = network_variables({"SSL_CERT_FILE": "/data/mine.pem"}, environ)
    assert found == dict.fromkeys(CERTIFICATES[1:], "/data/mine.pem")
    assert network_variables({"SSL_CERT_FILE": ""}, environ) == {}
