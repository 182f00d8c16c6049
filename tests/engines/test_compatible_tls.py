"""A key goes only to a server whose certificate holds."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest

from tests.engines.compatible_servers import DEADLINE_S, KEY, Server, gives, started, streams
from vivavoce.app.tls import self_signed
from vivavoce.core.requests import SpeechRequest
from vivavoce.engines.base import EngineError
from vivavoce.engines.compatible.settings import CompatibleServer
from vivavoce.engines.tts.speech_api import SpeechSettings, SpeechSynthesizer


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the server's side, and that of a client which trusts it."""
    files = self_signed(folder, (), datetime.datetime.now(datetime.UTC))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    return server, ssl.create_default_context(cafile=files.certificate)


async def spoken(port: int, tls: ssl.SSLContext | None) -> bytes:
    settings = SpeechSettings(CompatibleServer(f"https://127.0.0.1:{port}/v1", KEY), "m")
    async with started(SpeechSynthesizer(settings, tls)) as synthesizer:
        return b"".join([chunk.pcm async for chunk in synthesizer.synthesize(SpeechRequest("Hello.", "marin"))])


def test_a_server_with_a_trusted_certificate_is_used_over_tls(tmp_path: Path) -> None:
    ours, trusting = contexts(tmp_path)

    async def run() -> bytes:
        async with asyncio.timeout(DEADLINE_S), Server(streams(b"\1\0" * 100, "audio/pcm")).listening(ours) as server:
            return await spoken(server.port, trusting)

    assert asyncio.run(run()) == b"\1\0" * 100


def test_a_server_without_a_trusted_certificate_gets_no_request(tmp_path: Path) -> None:
    ours, _ = contexts(tmp_path)
    server = Server(gives({}))

    async def run() -> None:
        async with asyncio.timeout(DEADLINE_S), server.listening(ours):
            await spoken(server.port, None)

    with pytest.raises(EngineError, match="TLS failed"):
        asyncio.run(run())

    assert server.requests == []
