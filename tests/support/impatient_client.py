"""For HELM's Python: HELM's client, without the minutes that HELM waits before it asks again."""

from __future__ import annotations

import dataclasses

from helm.clients.openai_client import OpenAIClient
from helm.common.request import ErrorFlags, Request, RequestResult


class ImpatientClient(OpenAIClient):
    def make_request(self, request: Request) -> RequestResult:
        result = super().make_request(request)
        if result.success:
            return result
        return dataclasses.replace(result, error_flags=ErrorFlags(is_retriable=False, is_fatal=True))
