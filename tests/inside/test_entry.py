"""Run entries as text: the model is spelled out exactly as HELM would."""

from __future__ import annotations

import pytest

from helm_repro.inside.plan.entry import Entry, rewrite_for_any_model


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("mmlu:model=text,subject=anatomy", "mmlu:model=a/b,subject=anatomy"),
        ("ifeval", "ifeval:model=a/b"),
        ("gpqa:subset=main", "gpqa:subset=main,model=a/b"),
        ("mmlu:model=openai/gpt-4,subject=anatomy", "mmlu:model=openai/gpt-4,subject=anatomy"),
    ],
)
def test_the_model_keeps_its_place_or_comes_last(description, expected):
    assert Entry(description, 1, None).with_model("a/b").description == expected


def test_groups_are_added_by_run_spec_function():
    entry = Entry("ultra_suite_classification:model=text", 1, None)
    assert entry.with_groups({"ultra_suite_classification": ["g"]}).groups == ["g"]
    assert entry.with_groups({"other": ["g"]}).groups is None


def test_any_model_takes_the_entries_of_the_base_model():
    entries = [
        Entry("head_qa:language=en,model=openai/x,model_deployment=p/x", 1),
        Entry("head_qa:language=en,model=meta/y,model_deployment=p/y", 1),
        Entry("medec:model=openai/x,model_deployment=p/x", 2),
    ]
    rewritten = rewrite_for_any_model(entries, {"base": "openai/x"}, reasons=True)
    assert [entry.description for entry in rewritten] == ["head_qa:language=en", "medec"]
    assert [entry.priority for entry in rewritten] == [1, 2]
