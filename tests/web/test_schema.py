"""The server keeps to its own OpenAPI document."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import positive_data_acceptance
from schemathesis.generation import GenerationMode


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_answers_are_as_documented(client, mode):
    # Any file is a valid body to the document; whether it is a picture is for the server to find out.
    excluded = [positive_data_acceptance]
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == 9
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and operation.method == "get":
            continue  # it has nothing that could be wrong

        @given(operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=8, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
        )
        def check(case):
            answer = case.call(base_url=str(client.base_url))
            case.validate_response(answer, excluded_checks=excluded)

        check()
