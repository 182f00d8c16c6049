"""The core's bounds and timings, each with its origin. Milliseconds and samples count on the 24 kHz session clock."""

from typing import Final

from vivavoce.core.requests import SAMPLE_RATE_HZ

SAMPLES_PER_MS: Final = SAMPLE_RATE_HZ // 1000
WINDOW_SAMPLES: Final = 768  # a detector window: 512 samples at 16 kHz, 32 ms

MIN_COMMIT_MS: Final = 100  # the hosted API rejects shorter client commits
MAX_BUFFER_MS: Final = 15 * 60 * 1000  # uncommitted audio; then `input_audio_buffer_full`
MAX_ITEMS: Final = 10_000  # items of one conversation
MAX_ITEM_CHARACTERS: Final = 128 * 1024 * 1024  # that a client wrote into one conversation, pictures included
MAX_ITEM_AUDIO_BYTES: Final = 64 * 1024 * 1024  # audio kept for retrieval, oldest items lose theirs first
MAX_RETRIEVED_AUDIO_BYTES: Final = 5 * 1024 * 1024  # decoded; clients accept messages of at most 8 MiB
MAX_RESPONSES: Final = 64  # out-of-band responses running at once

ONSET_WINDOWS: Final = 2  # consecutive speech windows before `speech_started`
ONSET_WINDOWS_AUDIBLE: Final = 4  # the same while a response is audible: a guard against echo
OFF_LEVEL_BELOW_THRESHOLD: Final = 0.15  # hysteresis of the detector

TURN_SCORE_SILENCE_MS: Final = 200  # the turn scorer is asked after this much silence, the earliest end of a turn
TURN_SCORE_SAMPLES: Final = 8 * SAMPLE_RATE_HZ  # of the utterance's end that it hears

TRANSCRIPT_WAIT_S: Final = 0.3  # an automatic response waits this long for the final transcript
TRANSCRIPT_TIMEOUT_S: Final = 15.0  # plus the length of the utterance; then the transcript has failed
TRUNCATE_OVERSHOOT_MS: Final = 250  # playback clocks of clients run ahead; within this the cut is clamped
MAX_IDLE_PROMPTS: Final = 3  # idle timeouts in a row without user speech
UNLIMITED_SESSION_S: Final = 10 * 365 * 86_400  # `expires_at` of a session without a lifetime

FIRST_CLAUSE_CHARACTERS: Final = 30  # the first spoken clause is at least this long, unless a sentence ends before
MAX_SEGMENT_CHARACTERS: Final = 240  # a longer stretch without punctuation is cut at a space

SAMPLES_PER_CHARACTER: Final = 70 * SAMPLES_PER_MS  # of half-made speech without word times: about 170 words a minute

CHARACTERS_PER_TOKEN: Final = 4  # text tokens are estimated where an engine does not count them
MS_PER_INPUT_AUDIO_TOKEN: Final = 100  # the hosted rates, so that dashboards work
MS_PER_OUTPUT_AUDIO_TOKEN: Final = 50

MCP_LISTING_WAIT_S: Final = 3.0  # a response waits this long for the tools of a server that is being listed
MAX_MCP_ROUNDS: Final = 8  # generations of one response; the last may call nothing
