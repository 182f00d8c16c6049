"""Real-time pacing: the only place of the package that waits on wall time."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator


def split_chunks(audio: bytes, chunk_bytes: int) -> Iterator[bytes]:
    """Yield an audio buffer in chunks of `chunk_bytes`; the last one may be shorter."""
    return (audio[start : start + chunk_bytes] for start in range(0, len(audio), chunk_bytes))


async def pace(
    chunks: Iterable[bytes] | AsyncIterable[bytes], chunk_ms: float, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Send one chunk every `chunk_ms` milliseconds, against absolute deadlines: a late chunk delays no other.

    As from a microphone, a chunk is sent when its audio is over, so the first one leaves after `chunk_ms`.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    count = 0
    async for chunk in _iterate(chunks):
        count += 1
        await asyncio.sleep(max(0.0, started + count * chunk_ms / 1000 - loop.time()))
        await send(chunk)


async def _iterate(chunks: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterable[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    for chunk in chunks:
        yield chunk
