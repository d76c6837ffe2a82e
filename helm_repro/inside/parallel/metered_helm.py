"""HELM's executors and metric service, saying to the meter when they ask a model.

Each is HELM's own class with one or two methods extended; the interfaces are equal in
0.5.6, 0.5.15 and 0.5.16.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from helm.benchmark.adaptation.request_state import RequestState
from helm.benchmark.adaptation.scenario_state import ScenarioState
from helm.benchmark.annotation_executor import AnnotationExecutionSpec, AnnotationExecutor
from helm.benchmark.executor import ExecutionSpec, Executor
from helm.benchmark.metrics.metric_service import MetricService
from helm.benchmark.runner import Runner
from helm.benchmark.window_services.tokenizer_service import TokenizerService
from helm.common.context import Context

from helm_repro.inside.parallel.metering import Meter
from helm_repro.inside.suite.journal import Journal

_SECONDS_BETWEEN_EVENTS = 1.0


class Progress:
    """Counts a run's answered requests; journals them, at most once a second."""

    def __init__(self, journal: Journal):
        self._journal = journal
        self._mutex = threading.Lock()
        self.begin("")

    def begin(self, run: str) -> None:
        """Start counting for another run."""
        self.run, self.done, self.total = run, 0, 0
        self._next_event = time.monotonic() + _SECONDS_BETWEEN_EVENTS

    def answered(self) -> None:
        with self._mutex:
            self.done += 1
            now = time.monotonic()
            if now < self._next_event:
                return
            self._next_event = now + _SECONDS_BETWEEN_EVENTS
            self._journal.write("progress", run=self.run, done=self.done, total=self.total)


class MeteredExecutor(Executor):  # type: ignore[misc]
    """Asks the model under test."""

    def __init__(self, execution_spec: ExecutionSpec, meter: Meter, progress: Progress):
        super().__init__(execution_spec)
        self._meter = meter
        self._progress = progress

    def execute(self, scenario_state: ScenarioState) -> ScenarioState:
        self._progress.total = len(scenario_state.request_states)
        self._make_clients(scenario_state)
        with self._meter.phase():
            return super().execute(scenario_state)

    def _make_clients(self, scenario_state: ScenarioState) -> None:
        """Make each client once; HELM's threads each make one before the first is kept (AutoClient._get_client)."""
        for deployment in {state.request.model_deployment for state in scenario_state.request_states}:
            with contextlib.suppress(Exception):  # the request will say why, as in HELM
                self.context.client._get_client(deployment)

    def process(self, state: RequestState) -> RequestState:
        with self._meter.request():
            answered = super().process(state)
        self._progress.answered()
        return answered


class MeteredAnnotationExecutor(AnnotationExecutor):  # type: ignore[misc]
    """Asks judges."""

    def __init__(self, execution_spec: AnnotationExecutionSpec, meter: Meter):
        super().__init__(execution_spec)
        self._meter = meter

    def execute(self, scenario_state: ScenarioState) -> ScenarioState:
        with self._meter.phase():
            return super().execute(scenario_state)

    def process(self, annotators: list[Any], state: RequestState) -> RequestState:
        with self._meter.request():
            return super().process(annotators, state)

    def process_all(self, annotators: list[Any], states: list[RequestState]) -> Any:
        with self._meter.request():
            return super().process_all(annotators, states)


class MeteredMetricService(MetricService):  # type: ignore[misc]
    """Asks what some metrics need: Perspective API, critiques by people or models."""

    def __init__(self, context: Context, meter: Meter):
        super().__init__(context)
        self._meter = meter

    def get_toxicity_scores(self, request: Any) -> Any:
        with self._meter.phase(), self._meter.request():
            return super().get_toxicity_scores(request)

    def make_critique_request(self, request: Any) -> Any:
        with self._meter.phase(), self._meter.request():
            return super().make_critique_request(request)


def use_meter(runner: Runner, meter: Meter, progress: Progress) -> None:
    """Replace what ``Runner.__init__`` made (helm/benchmark/runner.py) by the metered classes."""
    runner.executor = MeteredExecutor(runner.executor.execution_spec, meter, progress)
    runner.annotator_executor = MeteredAnnotationExecutor(runner.annotator_executor.execution_spec, meter)
    runner.tokenizer_service = TokenizerService(runner.executor.context)
    runner.metric_service = MeteredMetricService(runner.executor.context, meter)
