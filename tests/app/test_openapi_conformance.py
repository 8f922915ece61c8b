"""Whatever is sent, the portal answers as its OpenAPI document says, and never with a 5xx.

Schemathesis makes requests from the document, good ones and bad ones; in a third of them the ids
are of things that are there.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.core.security import Role
from tests.app.factories import USUAL, ObjectFactory

EXAMPLES = 30
"""Requests to each operation."""


@pytest.mark.slow
def test_every_answer_is_one_that_the_document_tells(portal, live_url):
    import schemathesis  # takes seconds, and `make test` reads this file without running the test

    # The type of an upload's pieces is one of bytes.
    schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
    document = portal.client.get("/api/v1/openapi.json").json()
    factory = ObjectFactory(portal)
    known = {name: make(factory) for name, make in USUAL.items()}
    person = portal.person(portal.organisation_id, Role.ADMIN, "Dr. Fuzz")
    operator = portal.person(portal.organisation_id, Role.OPERATOR, "Dr. Ops")
    schema = schemathesis.openapi.from_dict(document)
    failures, tried = [], 0
    for result in schema.get_all_operations():
        operation = result.ok()
        is_operators = "/operations/" in operation.path or operation.path.endswith(
            "/organisations/{organisation_id}"
        )
        tried += 1
        for token in {person.token, operator.token if is_operators else person.token}:
            try:
                attempt(operation, live_url, token, known)
            except BaseException as error:  # noqa: BLE001 (groups of failures are no Exception)
                failures.append(f"{operation.label}: {error}")
    assert tried == sum(len(methods) for methods in document["paths"].values())
    assert not failures, "\n\n".join(failures)


def attempt(operation: Any, url: str, token: str, known: dict[str, str]) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
    ]
    ids = {parameter.name: known[parameter.name] for parameter in operation.path_parameters}
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE, path_parameters=ids or None),
    )

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def one_after_the_other(case: Any) -> None:
        reply = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        case.validate_response(reply, checks=checks)

    one_after_the_other()
