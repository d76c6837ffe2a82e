"""The cache file: HELM's format both ways, durable at every answer, several processes at once."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest

from helm_repro.inside.failures import DISK_FULL_STATUS, classify

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.helm


def helm(python: Path, directory: Path, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), "-c", textwrap.dedent(code)],
        cwd=directory,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_plain_helm_reads_ours_and_we_read_plain_helms(helm_python: Path, tmp_path: Path) -> None:
    done = helm(
        helm_python,
        tmp_path,
        """
        from pathlib import Path
        from helm.common.cache import Cache, SqliteCacheConfig, get_all_from_sqlite
        from helm.common.key_value_store import SqliteKeyValueStore
        from helm_repro.inside.parallel.request_cache import AnswerFile, release
        with SqliteKeyValueStore("host.sqlite") as plain:
            plain.put({"b": 1, "a": "é"}, {"text": "from plain"})
        ours = AnswerFile("host.sqlite")
        assert ours.get({"a": "é", "b": 1}) == {"text": "from plain"}
        assert ours.get({"a": "?"}) is None
        ours.put({"a": 2}, {"text": "from ours"})
        ours.put({"a": 2}, {"text": "replaced"})
        ours.close()
        release(Path("."))
        assert len(list(get_all_from_sqlite("host.sqlite"))) == 2
        answer = Cache(SqliteCacheConfig("host.sqlite")).get({"a": 2}, lambda: 1 / 0)
        assert answer == ({"text": "replaced"}, True), answer
        """,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("host*")] == ["host.sqlite"]


def test_kill_9_loses_no_answer_and_processes_do_not_lock_each_other_out(helm_python: Path, tmp_path: Path) -> None:
    writer = """
        import os, signal, threading
        from pathlib import Path
        from helm_repro.inside.parallel.request_cache import AnswerFiles
        files = AnswerFiles(Path("."), Path("."))
        def write(thread):
            for number in range(100):
                files.open("host.sqlite").put({"key": f"{os.getpid()} {thread} {number}"}, {"text": "x" * 1000})
                os.write(1, b".")
        threads = [threading.Thread(target=write, args=(thread,)) for thread in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        os.kill(os.getpid(), signal.SIGKILL)
        """
    command = [str(helm_python), "-c", textwrap.dedent(writer)]
    environment = {"PYTHONPATH": str(ROOT)}
    writers = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in writers:
        output, errors = process.communicate(timeout=300)
        assert (process.returncode, len(output)) == (-9, 800), errors.decode()
    count = "from helm.common.cache import get_all_from_sqlite as all; print(len(list(all('host.sqlite'))))"
    assert helm(helm_python, tmp_path, count).stdout.strip() == "3200"


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("overlay / overlay rw 0 0\n", True),
        ("overlay / overlay rw 0 0\nserver:/x {path} nfs4 rw 0 0\n", False),
        ("server:/x / nfs4 rw 0 0\n/dev/sda {path} ext4 rw 0 0\n", True),
        # Shared by machines, and in no list of such file systems that we know of.
        ("overlay / overlay rw 0 0\ndata {path} wekafs rw 0 0\n", False),
        ("/dev/sda / ext4 rw 0 0\n/dev/sdb {path} gfs2 rw 0 0\n", False),
        ("", False),
    ],
)
def test_only_file_systems_known_to_be_local_count_as_such(
    helm_python: Path, tmp_path: Path, mounts: str, expected: bool
) -> None:
    (tmp_path / "mounts").write_text(mounts.format(path=tmp_path))
    code = "from pathlib import Path; from helm_repro.inside.parallel.request_cache import is_local; "
    done = helm(helm_python, tmp_path, code + "print(is_local('host.sqlite', Path('mounts')))")
    assert done.stdout.strip() == str(expected), done.stderr


_FAILING_PUT = """
    import errno, os, sqlite3
    from helm_repro.inside.parallel import request_cache
    class Failing:
        def execute(self, *_):
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
            raise error
    def fsync(descriptor):
        raise OSError(getattr(errno, "{trial}"), "trial")
    file = request_cache.AnswerFile("host.sqlite")
    file._connection = Failing()
    if "{trial}":
        os.fsync = fsync
    try:
        file.put({{"a": 1}}, {{"text": "paid for"}})
    except sqlite3.OperationalError as error:
        print("raised", error)
    """


@pytest.mark.parametrize("trial", ["ENOSPC", "EDQUOT"])
def test_an_io_error_with_no_room_left_ends_the_worker(helm_python: Path, tmp_path: Path, trial: str) -> None:
    done = helm(helm_python, tmp_path, _FAILING_PUT.format(trial=trial))
    assert done.returncode == DISK_FULL_STATUS
    assert done.stderr == "helm-repro: error host.sqlite: no space left for answers\n"


@pytest.mark.parametrize("trial", ["EIO", ""])
def test_an_io_error_with_room_left_passes(helm_python: Path, tmp_path: Path, trial: str) -> None:
    done = helm(helm_python, tmp_path, _FAILING_PUT.format(trial=trial))
    assert (done.returncode, done.stdout) == (0, "raised disk I/O error\n"), done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("tmp")] == []


@pytest.mark.parametrize(
    "text", ["OperationalError: disk I/O error", "RetryError: RetryError[Attempts: 5, Value: False]"]
)
def test_storage_that_is_away_for_a_moment_is_worth_another_attempt(text: str) -> None:
    failure = classify(text)
    assert (failure.name, failure.transient, failure.fatal) == ("storage", True, False)


def test_libyaml_reads_helms_configuration_alike(helm_python: Path, tmp_path: Path) -> None:
    done = helm(
        helm_python,
        tmp_path,
        """
        import importlib.resources, yaml
        from helm_repro.inside.process.fast_yaml import use_libyaml
        files = [f for f in importlib.resources.files("helm.config").iterdir() if f.name.endswith(".yaml")]
        texts = [file.read_text() for file in files]
        before = [yaml.safe_load(text) for text in texts]
        use_libyaml()
        assert len(texts) >= 3
        assert [yaml.safe_load(text) for text in texts] == before
        assert yaml.SafeLoader is yaml.CSafeLoader
        """,
    )
    assert done.returncode == 0, done.stderr
