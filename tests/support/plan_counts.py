"""What each leaderboard gives for one model without a network, as HELM's confs have it."""

from __future__ import annotations

from typing import Any

# Board -> run specs for MODEL without a network, entries that cannot be constructed so, variables.
COUNTS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "lite": (23, 5, {}),
    "lite-instruct": (23, 5, {}),
    "classic": (63, 11, {"MODEL_GROUPS": "all"}),
    "classic-legacy": (108, 11, {"MODEL_GROUPS": "all"}),
    "mmlu": (57, 0, {}),
    "vhelm-v1": (32, 0, {}),
    "vhelm": (175, 0, {}),
    "air-bench": (1, 0, {}),
    "air-bench-reasoning": (1, 0, {}),
    "safety": (5, 0, {}),
    "torr": (350, 0, {}),
    "seahelm": (30, 0, {}),
    "slphelm": (5, 0, {}),
    "capabilities": (5, 0, {}),
    "arabic": (121, 0, {}),
    "arabic-enterprise": (6, 0, {}),
    "long-context": (5, 0, {}),
    "audio": (79, 0, {}),
    "finance": (2, 1, {}),
    "decodingtrust": (167, 0, {}),
    "ewok": (11, 0, {}),
    "mmlu-winogrande-afr": (44, 0, {}),
    "medhelm-public": (17, 0, {}),
    "medhelm-gated": (11, 0, {}),
    "medhelm-private": (26, 0, {}),
}
# Those that are planned in their own images only: constructing imports what no other environment has.
COUNTS_IN_IMAGES = {
    **COUNTS,
    "smoke": (10, 0, {}),
    "melt": (133, 0, {}),
    "image2struct": (26, 0, {}),
    "cleva": (0, 253, {}),
    # None of HEIM's runs is available any more from 2026-12-31 on.
    "heim": (59, 0, {"MODELS_TO_RUN": "openai/dall-e-2", "INCLUDE_UNAVAILABLE": "1"}),
}
# Their plans are not what HELM alone would construct, on purpose: see the tests of those traps.
ON_PURPOSE = {"slphelm", "medhelm-public", "medhelm-gated", "medhelm-private"}
