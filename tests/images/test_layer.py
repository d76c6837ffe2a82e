"""A layer holds what an environment adds: nothing inherited is written again, nothing removed stays."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from helm_repro.images import layer
from helm_repro.images.layer import apply, compile_tree, uncompiled


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def content(root: Path) -> dict[str, object]:
    return {
        path.relative_to(root).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def bytecode(source: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(source)))


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    return source, target


def test_an_empty_target_gets_everything(trees: tuple[Path, Path]) -> None:
    source, target = trees
    write(source, {"a/b/module.py": "x", "a/other": "y"})
    (source / "link").symlink_to("a/b")
    (source / "a" / "empty").mkdir()
    assert apply(source, target)[1] == 0
    assert content(target) == content(source)
    assert (target / "link").is_symlink()
    assert (target / "a" / "empty").is_dir()


def test_what_is_equal_is_not_touched(trees: tuple[Path, Path]) -> None:
    source, target = trees
    write(source, {"a/same": "same", "a/changed": "old"})
    apply(source, target)
    before = (target / "a" / "same").stat()
    write(source, {"a/changed": "new", "b/added": "added"})
    assert apply(source, target) == (3, 0)  # a file, and a folder with a file
    assert content(target) == {"a/same": "same", "a/changed": "new", "b/added": "added"}
    assert (target / "a" / "same").stat().st_ctime_ns == before.st_ctime_ns
    assert apply(source, target) == (0, 0)


def test_what_the_source_has_not_is_removed_with_its_folders(trees: tuple[Path, Path]) -> None:
    source, target = trees
    write(source, {"kept": "kept"})
    write(target, {"kept": "kept", "package/deep/module.py": "gone", "package/x": "gone"})
    os.utime(target / "kept", ns=((source / "kept").stat().st_mtime_ns,) * 2)
    assert apply(source, target) == (0, 4)
    assert [path.name for path in target.iterdir()] == ["kept"]


def test_modes_come_along(trees: tuple[Path, Path]) -> None:
    source, target = trees
    write(source, {"bin/tool": "#!/bin/sh"})
    (source / "bin" / "tool").chmod(0o755)
    apply(source, target)
    assert (target / "bin" / "tool").stat().st_mode & 0o777 == 0o755


def test_bytecode_is_written_once(tmp_path: Path) -> None:
    write(tmp_path, {"package/__init__.py": "", "package/module.py": "x = 1"})
    assert compile_tree(tmp_path) == 2
    before = bytecode(tmp_path / "package" / "module.py").stat().st_mtime_ns
    write(tmp_path, {"package/added.py": "y = 1"})
    assert compile_tree(tmp_path) == 1
    assert bytecode(tmp_path / "package" / "module.py").stat().st_mtime_ns == before


def test_a_newer_module_is_compiled_again(tmp_path: Path) -> None:
    write(tmp_path, {"module.py": "x = 1"})
    compile_tree(tmp_path)
    later = bytecode(tmp_path / "module.py").stat().st_mtime_ns + 1
    os.utime(tmp_path / "module.py", ns=(later, later))
    assert list(uncompiled(tmp_path)) == [tmp_path / "module.py"]


def test_bytecode_does_not_depend_on_file_times(tmp_path: Path) -> None:
    write(tmp_path, {"module.py": "x = 1"})
    compile_tree(tmp_path)
    os.utime(tmp_path / "module.py", (0, 0))
    command = [sys.executable, "-B", "-v", "-c", "import module"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "code object from" in done.stderr
    assert int.from_bytes(bytecode(tmp_path / "module.py").read_bytes()[4:8], "little") == 1


def test_what_is_not_python_3_stops_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"template.py": "print 'two'", "module.py": "x = 1"})
    compile_tree(tmp_path)
    assert bytecode(tmp_path / "module.py").exists()
    assert not bytecode(tmp_path / "template.py").exists()


def test_of_transformers_models_only_the_common_part_is_compiled(tmp_path: Path) -> None:
    names = ("models/auto/configuration_auto.py", "models/bert/tokenization_bert.py", "models/__init__.py", "utils.py")
    write(tmp_path, {f"transformers/{name}": "" for name in names})
    found = {path.name for path in uncompiled(tmp_path)}
    assert found == {"configuration_auto.py", "__init__.py", "utils.py"}


def test_only_generated_clients_lose_their_docstrings(tmp_path: Path) -> None:
    text = '"""What this says."""\n'
    generated, other = "google/cloud/aiplatform_v1/types.py", "google/cloud/aiplatform/types.py"
    write(tmp_path, {generated: text, other: text})
    compile_tree(tmp_path)
    assert b"What this says." not in bytecode(tmp_path / generated).read_bytes()
    assert b"What this says." in bytecode(tmp_path / other).read_bytes()


def test_the_command_says_what_it_did(
    trees: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = trees
    write(source, {"module.py": ""})
    layer.main(["compile", str(source)])
    layer.main(["apply", str(source), str(target / "new")])
    assert capsys.readouterr().out == f"compiled 1 modules\n{target / 'new'}: 3 files written, 0 removed\n"
    with pytest.raises(SystemExit, match="allowed: compile, apply"):
        layer.main(["walk"])
