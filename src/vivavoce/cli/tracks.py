"""Both voices of a conversation on one clock: samples at 24 kHz, counted from the first sample the user sent."""

from vivavoce.core.requests import SAMPLE_RATE_HZ

SAMPLE_BYTES = 2
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000


class Cut:
    """An assistant item that was interrupted: how much of it was played."""

    def __init__(self, item_id: str, audio_end_ms: int) -> None:
        self.item_id = item_id
        self.audio_end_ms = audio_end_ms


class Tracks:
    """What the user said and what the assistant was heard to say. All audio is pcm16le, mono, 24 kHz."""

    def __init__(self) -> None:
        self._user = bytearray()
        self._assistant = bytearray()
        self._starts: dict[str, int] = {}  # assistant item -> the sample its audio starts at, in order of playing

    @property
    def now(self) -> int:
        """The clock: samples that the user sent."""
        return len(self._user) // SAMPLE_BYTES

    @property
    def playout_end(self) -> int:
        """The sample at which everything that came from the assistant has been played."""
        return len(self._assistant) // SAMPLE_BYTES

    @property
    def is_playing(self) -> bool:
        """Whether the assistant is heard at this moment."""
        return self.playout_end > self.now

    def hear(self, pcm: bytes) -> None:
        """The user said this; the clock moves on."""
        self._user += pcm

    def play(self, item_id: str, pcm: bytes) -> None:
        """The assistant's audio came: it plays at once, or behind what is still playing."""
        missing = self.now - self.playout_end
        if missing > 0:
            self._assistant += bytes(missing * SAMPLE_BYTES)
        self._starts.setdefault(item_id, self.playout_end)
        self._assistant += pcm

    def interrupt(self) -> list[Cut]:
        """Drop what has not been played; returns the items that lost audio, the one being played first."""
        if not self.is_playing:
            return []
        now, starts = self.now, list(self._starts.items())
        ends = [start for _, start in starts[1:]] + [self.playout_end]
        cuts = [
            Cut(item_id, max(0, now - start) // SAMPLES_PER_MS)
            for (item_id, start), end in zip(starts, ends, strict=True)
            if end > now
        ]
        del self._assistant[now * SAMPLE_BYTES :]
        for cut in cuts:
            self._starts[cut.item_id] = min(self._starts[cut.item_id], now)
        return cuts

    def assistant(self) -> bytes:
        """Return the assistant's voice on the clock: pauses are silence."""
        return bytes(self._assistant)

    def stereo(self) -> bytes:
        """Return both voices, interleaved: left the user, right the assistant; the shorter ends in silence."""
        length = max(len(self._user), len(self._assistant))
        both = bytearray(2 * length)
        for offset, track in ((0, self._user), (SAMPLE_BYTES, self._assistant)):
            padded = track + bytes(length - len(track))
            both[offset::4] = padded[0::2]
            both[offset + 1 :: 4] = padded[1::2]
        return bytes(both)
