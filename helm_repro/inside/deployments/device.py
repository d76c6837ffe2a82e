"""Where a model in this container computes, as HELM's HuggingFaceClient chooses. Runs with HELM imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

NO_GPU = "no GPU is visible in this container"


def device(arguments: Mapping[str, Any]) -> str:
    """The device that a client with these arguments computes on, in words.

    Raises:
        ValueError: the arguments ask for a GPU, and there is none.
    """
    wanted = str(arguments.get("device") or "")
    spread = bool(arguments.get("device_map"))
    names = _gpus()
    if not names and (spread or wanted.startswith("cuda")):
        # Spread over no GPU, HELM sends the prompt to GPU 0 all the same.
        raise ValueError(f"{'device_map' if spread else wanted}: {NO_GPU}")
    if spread:
        return f"all of {', '.join(names)}"
    if wanted and not wanted.startswith("cuda"):
        return wanted
    if not names:
        return f"the CPU, because {NO_GPU}"
    wanted = wanted or "cuda:0"
    number = wanted.partition(":")[2] or "0"
    return f"{wanted} ({names[int(number)]})" if number.isdecimal() and int(number) < len(names) else wanted


def _gpus() -> list[str]:
    # Ask the driver first, without starting CUDA: https://docs.pytorch.org/docs/stable/notes/cuda.html
    os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"
    import torch

    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
