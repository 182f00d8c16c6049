"""Every row of the beta reference, both ways, as pairs of messages."""

from typing import Any

import msgspec
import pytest

from tests.dialects.golden_client import CLIENT, ClientPair
from tests.dialects.golden_server import SERVER, ServerPair
from vivavoce.dialects.beta import BetaDialect
from vivavoce.dialects.beta_upstream import BetaUpstream
from vivavoce.protocol.client_events import ClientEvent
from vivavoce.protocol.codec import decode_client_event
from vivavoce.protocol.errors import ClientError
from vivavoce.protocol.rejections import supported_tags
from vivavoce.protocol.server_events import ServerEvent

BETA_ONLY = {"conversation.created", "conversation.item.created"}
REFUSED = {"later.event", "session.update: unknown"}  # what neither dialect has passes, and is refused inside

CLIENT_TO_GA = [pair for pair in CLIENT if pair.ways != "to_beta"]
CLIENT_TO_BETA = [pair for pair in CLIENT if pair.ways != "to_ga"]
SERVER_TO_BETA = [pair for pair in SERVER if pair.ways != "to_ga"]


def encoded(body: Any) -> bytes:
    return msgspec.json.encode(body)


def decoded(messages: list[bytes]) -> list[Any]:
    return [msgspec.json.decode(message) for message in messages]


def without_id(event: Any) -> Any:
    return {key: value for key, value in event.items() if key != "event_id"}


def _row(pair: ClientPair | ServerPair) -> str:
    return pair.row


@pytest.mark.parametrize("pair", CLIENT_TO_GA, ids=_row)
def test_a_beta_clients_event_becomes_ours(pair: ClientPair) -> None:
    assert msgspec.json.decode(BetaDialect().client(encoded(pair.beta))) == pair.ga


@pytest.mark.parametrize("pair", CLIENT_TO_BETA, ids=_row)
def test_our_clients_event_becomes_the_betas(pair: ClientPair) -> None:
    assert msgspec.json.decode(BetaUpstream().client(encoded(pair.ga))) == pair.beta


@pytest.mark.parametrize("pair", CLIENT_TO_GA, ids=_row)
def test_what_a_beta_client_says_is_admitted_by_our_session(pair: ClientPair) -> None:
    message = BetaDialect().client(encoded(pair.beta))

    if pair.row not in REFUSED:
        decode_client_event(message)
    else:
        with pytest.raises(ClientError):
            decode_client_event(message)


@pytest.mark.parametrize("pair", SERVER_TO_BETA, ids=_row)
def test_our_event_becomes_the_betas(pair: ServerPair) -> None:
    message = encoded({**pair.ga, "event_id": "event_1"})

    shown = decoded(BetaDialect(conversation_id="conv_1").server(message))

    assert [without_id(event) for event in shown] == pair.beta
    assert len({event["event_id"] for event in shown}) == len(shown)


@pytest.mark.parametrize("pair", [pair for pair in SERVER if pair.ways == "both"], ids=_row)
def test_a_beta_upstreams_events_become_ours(pair: ServerPair) -> None:
    upstream = BetaUpstream()

    shown = [event for beta in pair.beta for event in decoded(upstream.server(encoded(beta)))]

    assert shown == [pair.ga]


def test_every_event_has_its_pair() -> None:
    client_types = {pair.ga["type"] for pair in CLIENT}
    server_types = {pair.ga["type"] for pair in SERVER}

    assert set(supported_tags(msgspec.inspect.type_info(ClientEvent))) <= client_types
    assert set(supported_tags(msgspec.inspect.type_info(ServerEvent))) - BETA_ONLY <= server_types
