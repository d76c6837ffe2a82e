"""Trimming removes what the rules name, and no library that would not load afterwards."""

from __future__ import annotations

import _ctypes
import ctypes
import shutil
import struct
import sys
from pathlib import Path

import pytest

from helm_repro.images.trim import RULES, Rule, incomplete, is_loadable, main, remove, selected, strip_libraries


def elf(offset: int, address: int, alignment: int = 0x1000, tail: bytes = b"") -> bytes:
    """A 64-bit ELF header with one loadable segment."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, 0, 0, alignment) + tail


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("content")


def left(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_every_rule_gives_its_reason() -> None:
    assert all(rule.reason and rule.pattern for rule in RULES)
    assert len({rule.pattern for rule in RULES}) == len(RULES)


def test_only_what_helm_needs_of_amazon_stays(tmp_path: Path) -> None:
    make(tmp_path, *(f"botocore/data/{name}/1/service-2.json.gz" for name in ("ec2", "bedrock", "bedrock-runtime")))
    make(tmp_path, "botocore/data/endpoints.json", "botocore/data/sts/1/x", "botocore/data/bedrock-agent/1/x")
    remove(tmp_path)
    assert left(tmp_path) == {
        "botocore/data/bedrock/1/service-2.json.gz",
        "botocore/data/bedrock-runtime/1/service-2.json.gz",
        "botocore/data/endpoints.json",
        "botocore/data/sts/1/x",
    }


def test_neural_networks_go_only_where_there_is_no_torch(tmp_path: Path) -> None:
    names = ("bert/modeling_bert.py", "bert/tokenization_bert.py", "auto/modeling_auto.py", "bert/modular_bert.py")
    for root in (tmp_path / "api", tmp_path / "gpu"):
        make(root, *(f"transformers/models/{name}" for name in names))
    make(tmp_path / "gpu", "torch/__init__.py")
    remove(tmp_path / "api")
    remove(tmp_path / "gpu")
    assert left(tmp_path / "api") == {
        "transformers/models/bert/tokenization_bert.py",
        "transformers/models/auto/modeling_auto.py",
    }
    assert {f"transformers/models/{name}" for name in names} < left(tmp_path / "gpu")


def test_adding_torch_brings_back_what_went_for_want_of_it(tmp_path: Path) -> None:
    lock = "# header\ntorch==2.11.0 \\\n    --hash=sha256:00\ntransformers==4.57.6\n"
    make(tmp_path, "transformers/__init__.py")
    assert incomplete(tmp_path, lock) == ["transformers"]
    assert incomplete(tmp_path, lock.replace("torch==", "torchvision==")) == []
    make(tmp_path, "torch/__init__.py")
    assert incomplete(tmp_path, lock) == []


def test_an_empty_environment_lacks_nothing(tmp_path: Path) -> None:
    assert incomplete(tmp_path, "\ntorch==2.11.0\n") == []


def test_the_command_names_what_to_install_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path, "lib/python3.11/site-packages/transformers/__init__.py")
    (tmp_path / "lock").write_text("crfm-helm==0.5.16\ntorch==2.11.0\n")
    main([str(tmp_path), str(tmp_path / "lock")])
    assert capsys.readouterr().out == "--reinstall-package=transformers\n"


def test_type_stubs_that_packages_read_stay(tmp_path: Path) -> None:
    make(tmp_path, "librosa/__init__.pyi", "librosa/core/__init__.pyi", "numpy/linalg.pyi")
    remove(tmp_path)
    assert left(tmp_path) == {"librosa/__init__.pyi", "librosa/core/__init__.pyi"}


def test_tests_go_and_modules_named_tests_stay(tmp_path: Path) -> None:
    make(tmp_path, "pandas/core/tests/test_x.py", "pandas/core/x.py", "jinja2/tests.py", "numba/testing/main.py")
    freed = remove(tmp_path)
    assert left(tmp_path) == {"pandas/core/x.py", "jinja2/tests.py", "numba/testing/main.py"}
    assert freed == len("content")


def test_links_are_removed_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "outside/x", "site/package/y")
    (tmp_path / "site/package/tests").symlink_to(tmp_path / "outside")
    remove(tmp_path / "site")
    assert left(tmp_path) == {"outside/x", "site/package/y"}


def test_kept_names_are_patterns(tmp_path: Path) -> None:
    make(tmp_path, "a/one.json", "a/two.json", "a/three.txt")
    rule = Rule("a/*", "reason", keep=("*.txt", "one.json"))
    assert [path.name for path in selected(tmp_path, rule)] == ["two.json"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (elf(0x1000, 0x1000), True),
        (elf(0x1000, 0x3000), True),
        (elf(0x1008, 0x1000), False),
        (elf(0x1008, 0x1000, alignment=1), True),
        (b"\x7fELF", False),
        (b"GROUP ( libc.so.6 )", False),
        (b"", False),
    ],
    ids=["equal", "congruent", "misaligned", "no alignment", "cut off", "linker script", "empty"],
)
def test_loadable_means_what_the_loader_means(tmp_path: Path, content: bytes, expected: bool) -> None:
    (tmp_path / "library.so").write_bytes(content)
    assert is_loadable(tmp_path / "library.so") is expected


@pytest.mark.parametrize("spoils", [False, True])
def test_a_library_that_stripping_spoils_stays_as_it_was(tmp_path: Path, spoils: bool) -> None:
    result = elf(0x1008 if spoils else 0x1000, 0x1000)
    before = elf(0x1000, 0x1000, tail=b"symbols")
    for name in ("a/x.so", "a.libs/libopenblas.so.0", "a/script.so", "torch/lib/x.so"):
        make(tmp_path, name)
        (tmp_path / name).write_bytes(b"GROUP" if "script" in name else before)
    strip = tmp_path / "strip"
    strip.write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[3], 'wb').write({result!r})\n")
    strip.chmod(0o755)
    freed = strip_libraries(tmp_path, str(strip))
    assert (tmp_path / "a/x.so").read_bytes() == (before if spoils else result)
    assert (tmp_path / "a.libs/libopenblas.so.0").read_bytes() == before
    assert (tmp_path / "torch/lib/x.so").read_bytes() == before
    assert freed == (0 if spoils else len("symbols"))


@pytest.mark.skipif(not shutil.which("strip"), reason="binutils are not installed")
def test_a_real_library_still_loads(tmp_path: Path) -> None:
    site = tmp_path / "package"
    site.mkdir()
    shutil.copy(_ctypes.__file__, site / "copy.so")
    assert strip_libraries(tmp_path) >= 0
    ctypes.CDLL(str(site / "copy.so"))
