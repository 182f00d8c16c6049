"""What passes on real connections is what docs/reference/asyncapi.json describes, in both directions."""

import asyncio

from jsonschema import Draft202012Validator

from bench.mutation_scenarios import SCENARIOS, converse
from vivavoce.testing.asyncapi import asyncapi, event_schema
from vivavoce.testing.mutations import Event, Mutation


def test_every_event_of_real_conversations_conforms_to_its_schema(server: str) -> None:
    async def conversations() -> list[Event]:
        events: list[Event] = []
        for scenario in SCENARIOS.values():
            mutation = Mutation(None)
            await converse(f"http://{server}", scenario, mutation, events.append)
            events += mutation.truth
        return events

    events = asyncio.run(conversations())

    document = asyncapi()
    kinds = {event["type"] for event in events}
    validators = {kind: Draft202012Validator(event_schema(document, "realtime", kind)) for kind in kinds}
    faults = [
        f"{event['type']}: {fault.message[:200]}"
        for event in events
        if not is_meant_to_fail(event)
        for fault in validators[event["type"]].iter_errors(event)
    ]
    assert faults == []
    assert len(kinds) >= 35


def is_meant_to_fail(event: Event) -> bool:
    """The one event of the scenarios that is no event of the API: an update with an unknown field."""
    return "nonsense" in event.get("session", {})
