"""Workloads: run entries whose data is here before HELM starts, so that nothing is downloaded.

``exams`` has the shape of MMLU: many subjects, questions with four options, five worked
examples in each prompt. The questions are made up. ``generated`` are the scenarios of the
smoke leaderboard, whose data HELM computes for seconds before the first request.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import random
from collections.abc import Sequence
from pathlib import Path

_TEXT = (
    "the of a measure cell treaty vector market enzyme theorem orbit contract syntax neuron tariff prism ledger "
    "increases decreases explains follows precedes causes prevents describes under over within between after "
    "pressure temperature interest demand current voltage gravity consent liability memory language culture"
)
WORDS = tuple(_TEXT.split())
_GENERATED = (
    "synthetic_reasoning:model=text,mode=pattern_match",
    "synthetic_reasoning:model=text,mode=variable_substitution",
    "synthetic_reasoning:model=text,mode=induction",
    "synthetic_reasoning_natural:model=text,difficulty=easy",
    "synthetic_reasoning_natural:model=text,difficulty=hard",
    "dyck_language:model=text,num_parenthesis_pairs=2",
    "dyck_language:model=text,num_parenthesis_pairs=3",
    "dyck_language:model=text,num_parenthesis_pairs=4",
)


@dataclasses.dataclass(frozen=True)
class Workload:
    """Run specs times instances; ``subjects`` are those whose exams must be written."""

    name: str
    title: str
    entries: Sequence[str]
    instances: int
    subjects: Sequence[str] = ()

    @property
    def requests(self) -> int:
        return len(self.entries) * self.instances

    def prepare(self, directory: Path) -> Path:
        """Write the run entries and data into a working directory of HELM; return the run entries' path."""
        data = directory / "benchmark_output" / "scenarios" / "mmlu" / "data"
        for subject in self.subjects:
            for split, count in (("dev", 5), ("test", self.instances)):
                _write_exam(data / split / f"{subject}_{split}.csv", f"{subject} {split}", count)
        conf = directory / "run_entries.conf"
        conf.parent.mkdir(parents=True, exist_ok=True)
        entries = [{"description": description, "priority": 1} for description in self.entries]
        conf.write_text(json.dumps({"entries": entries}), encoding="utf-8")
        return conf


def exams(run_specs: int, instances: int) -> Workload:
    """That many subjects with that many questions each."""
    subjects = [f"subject_{number:03}" for number in range(run_specs)]
    entries = [f"mmlu:model=text,eval_split=test,subject={subject}" for subject in subjects]
    return Workload(f"exams-{run_specs}x{instances}", f"{run_specs} exams × {instances}", entries, instances, subjects)


def generated(instances: int) -> Workload:
    """The eight scenarios of the smoke leaderboard that can give 100 instances."""
    return Workload(f"generated-8x{instances}", f"8 generated scenarios × {instances}", _GENERATED, instances)


def _write_exam(path: Path, seed: str, count: int) -> None:
    draw = random.Random(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for number in range(count):
            question = f"{number}. Which {_phrase(draw, 20)}?"
            writer.writerow([question, *(_phrase(draw, 6) for _ in range(4)), draw.choice("ABCD")])


def _phrase(draw: random.Random, words: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(words))
