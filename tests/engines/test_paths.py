"""Where a container finds what variables name on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from helm_repro.engines.paths import in_container

HASH = "0123abcd"


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A model in Hugging Face's cache, as its library lays it out."""
    model = tmp_path / "hub/models--org--name"
    (model / "blobs").mkdir(parents=True)
    (model / "blobs/1f2e").write_text("{}")
    folder = model / "snapshots" / HASH
    folder.mkdir(parents=True)
    (folder / "config.json").symlink_to("../../blobs/1f2e")
    return folder


def test_a_snapshot_is_mounted_with_what_its_links_lead_to(snapshot: Path, tmp_path: Path) -> None:
    model = snapshot.parents[1]
    (tmp_path / "alias").symlink_to(snapshot)
    for given in (snapshot, tmp_path / "alias"):
        variables, binds = in_container({"LOCAL_MODEL_PATH": str(given)}, (), tmp_path / "output")
        assert binds == {str(tmp_path / "output"): "/data", str(model): f"/inputs/local_model_path/{model.name}"}
        assert variables["LOCAL_MODEL_PATH"] == f"/inputs/local_model_path/{model.name}/snapshots/{HASH}"
        # Slurm's containers see it under its own name.
        variables, binds = in_container({"LOCAL_MODEL_PATH": str(given)}, (), tmp_path / "output", keep=True)
        assert binds[str(model)] == str(model)
        assert variables["LOCAL_MODEL_PATH"] == str(snapshot)


def test_one_folder_under_two_names_is_mounted_once(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    given = dict.fromkeys(("LOCAL_MODEL_PATH", "MODEL_TOKENIZER", "EHRSHOT_PATH"), str(folder))
    variables, binds = in_container(given, ["EHRSHOT_PATH"], tmp_path / "output")
    assert set(variables.values()) == {"/inputs/local_model_path/model"}
    assert binds[str(folder)] == "/inputs/local_model_path/model"


def test_the_output_folder_stays_writable(tmp_path: Path) -> None:
    variables, binds = in_container({"EHRSHOT_PATH": str(tmp_path)}, ["EHRSHOT_PATH"], tmp_path)
    assert (variables, binds) == ({"EHRSHOT_PATH": "/data"}, {str(tmp_path): "/data"})


def test_a_path_that_would_hide_the_container_s_gets_another_name(tmp_path: Path) -> None:
    given = {"LOCAL_MODEL_PATH": "/data/models/mine", "SCHEMA_PATH": "/shared/schema.yaml"}
    variables, _ = in_container(given, (), tmp_path, is_there=lambda _: True, keep=True)
    assert variables == {"LOCAL_MODEL_PATH": "/inputs/local_model_path/mine", "SCHEMA_PATH": "/shared/schema.yaml"}


def test_a_key_in_place_of_its_file_is_no_path(tmp_path: Path) -> None:
    given = {"GOOGLE_APPLICATION_CREDENTIALS": '{"private_key": "' + "x" * 5000}
    assert in_container(given, (), tmp_path)[0] == given
