"""What usage costs by a price list, exactly: in nano-dollars, each charge rounded up to the next one."""

from collections.abc import Iterable
from typing import Final

from msgspec import UnsetType

from vivavoce.config.prices import ModelPrices, Rates
from vivavoce.protocol.responses import InputTokenDetails, Usage
from vivavoce.protocol.server_events import DurationUsage, TokensUsage

NANO: Final = 1_000_000_000
MILLION: Final = 1_000_000
MS_PER_MIN: Final = 60_000
CHARACTERS_PER_TOKEN: Final = 4  # text tokens are estimated where an engine does not count them
MS_PER_AUDIO_TOKEN: Final = 50  # of assistant audio at the hosted rate

# The largest response of a model whose list entry does not tell.
DEFAULT_CONTEXT_TOKENS: Final = 128_000
DEFAULT_OUTPUT_TOKENS: Final = 16_384
MAX_SPOKEN_CHARACTERS: Final = 65_536  # as much as `vivavoce.say` takes, and about 16k tokens
MS_PER_CHARACTER: Final = 70  # of speech: about 170 words a minute

# (units, nano-dollars for a million of them); a price of None with units is not known.
Charge = tuple[int, int | None]


def response_cost(rates: Rates, usage: Usage) -> int | None:
    """Return what a response costs in nano-dollars, None if it used what has no price.

    Cached tokens count by kind where the usage tells the kinds; the others are taken to be text first, then audio,
    because the cached part of a prompt is its start. Reasoning tokens are text. Counts below 0 are 0.
    """
    details = usage.input_token_details
    text, audio, image = _input_by_kind(usage)
    text_cached, audio_cached, image_cached = _cached_by_kind(details, text, audio, image)
    audio_out = max(0, usage.output_token_details.audio_tokens)
    text_out = max(0, usage.output_token_details.text_tokens, usage.output_tokens - audio_out)
    return total_cost(
        (
            (text - text_cached, rates.text_input),
            (text_cached, _or(rates.text_cached, rates.text_input)),
            (text_out, rates.text_output),
            (audio - audio_cached, rates.audio_input),
            (audio_cached, _or(rates.audio_cached, rates.audio_input)),
            (audio_out, rates.audio_output),
            (image - image_cached, rates.image_input),
            (image_cached, _or(rates.image_cached, rates.image_input)),
        )
    )


def transcription_cost(rates: Rates, usage: TokensUsage | DurationUsage) -> int | None:
    """Return what a transcription costs in nano-dollars, None if the list has no such price for the model."""
    if isinstance(usage, DurationUsage):
        return minutes_cost(rates, round(max(0.0, usage.seconds) * 1000))
    details = usage.input_token_details
    audio = 0 if isinstance(details, UnsetType) else max(0, details.audio_tokens)
    return total_cost(
        (
            (max(0, usage.input_tokens - audio), rates.text_input),
            (audio, rates.audio_input),
            (max(0, usage.output_tokens), rates.text_output),
        )
    )


def minutes_cost(rates: Rates, audio_ms: int) -> int | None:
    """Return what so much audio costs at the price per minute."""
    if rates.per_minute is None:
        return None if audio_ms else 0
    return -(-audio_ms * rates.per_minute // MS_PER_MIN)


def speech_cost(rates: Rates, characters: int, audio_ms: int) -> int | None:
    """Return what synthesized speech costs in nano-dollars, None if the list has no such price for the model.

    Of a model with prices per token, tokens are estimated: a text token for 4 characters, an audio token for 50 ms.
    """
    if rates.per_million_characters is not None:
        return total_cost(((characters, rates.per_million_characters),))
    text_tokens = -(-characters // CHARACTERS_PER_TOKEN)
    return total_cost(
        ((text_tokens, rates.text_input), (-(-audio_ms // MS_PER_AUDIO_TOKEN), rates.audio_output)),
    )


def largest_response_cost(prices: ModelPrices) -> int:
    """Return the most that one generation can cost: a full context at its dearest, and the longest output."""
    rates, context = prices.rates, prices.context_tokens or DEFAULT_CONTEXT_TOKENS
    output = prices.max_output_tokens or DEFAULT_OUTPUT_TOKENS
    dearest_in = max(_known(rates.text_input, rates.audio_input, rates.image_input), default=0)
    dearest_out = max(_known(rates.text_output, rates.audio_output), default=0)
    return total_cost(((context, dearest_in), (output, dearest_out))) or 0


def largest_speech_cost(rates: Rates) -> int:
    """Return the most that the speech of one response can cost."""
    return speech_cost(rates, MAX_SPOKEN_CHARACTERS, MAX_SPOKEN_CHARACTERS * MS_PER_CHARACTER) or 0


def total_cost(charges: Iterable[Charge]) -> int | None:
    """Return the sum of charges for units that are priced by the million, None if one of them has no price."""
    total = 0
    for units, price in charges:
        if units and price is None:
            return None
        total += units * (price or 0)
    return -(-total // MILLION)


def _input_by_kind(usage: Usage) -> tuple[int, int, int]:
    """Return text, audio and image tokens; what is not explained is text."""
    details = usage.input_token_details
    audio, image = max(0, details.audio_tokens), max(0, details.image_tokens)
    return max(0, details.text_tokens, usage.input_tokens - audio - image), audio, image


def _cached_by_kind(details: InputTokenDetails, text: int, audio: int, image: int) -> tuple[int, int, int]:
    told = details.cached_tokens_details
    kinds = [min(max(0, told.text_tokens), text), min(max(0, told.audio_tokens), audio)]
    kinds.append(min(max(0, told.image_tokens), image))
    left = max(0, details.cached_tokens - sum(kinds))
    for index, most in enumerate((text, audio, image)):
        more = min(left, most - kinds[index])
        kinds[index] += more
        left -= more
    return kinds[0], kinds[1], kinds[2]


def _or(price: int | None, other: int | None) -> int | None:
    """A model without a price for cached tokens charges them as others."""
    return other if price is None else price


def _known(*prices: int | None) -> list[int]:
    return [price for price in prices if price is not None]
