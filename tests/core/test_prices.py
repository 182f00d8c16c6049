"""What usage costs: golden sums, by hand from the published price lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.config.prices import ModelPrices, Rates, load_prices
from vivavoce.core.prices import (
    largest_response_cost,
    response_cost,
    speech_cost,
    transcription_cost,
)
from vivavoce.protocol.responses import CachedTokensDetails, InputTokenDetails, OutputTokenDetails, Usage
from vivavoce.protocol.server_events import DurationUsage, TokensUsage, TranscriptTokenDetails

PRICES = load_prices()
REALTIME = PRICES.models["gpt-realtime-1.5"].rates


def used(
    text: int = 0, audio: int = 0, image: int = 0, *, cached: tuple[int, int, int] = (0, 0, 0), out: tuple[int, int]
) -> Usage:
    """Return a usage of input tokens by kind, those of them that were cached, and text and audio output."""
    return Usage(
        total_tokens=text + audio + image + sum(out),
        input_tokens=text + audio + image,
        output_tokens=sum(out),
        input_token_details=InputTokenDetails(
            text_tokens=text,
            audio_tokens=audio,
            image_tokens=image,
            cached_tokens=sum(cached),
            cached_tokens_details=CachedTokensDetails(
                text_tokens=cached[0], audio_tokens=cached[1], image_tokens=cached[2]
            ),
        ),
        output_token_details=OutputTokenDetails(text_tokens=out[0], audio_tokens=out[1]),
    )


def usd(nano: int | None) -> float | None:
    return None if nano is None else nano / 1e9


@pytest.mark.parametrize(
    ("usage", "expected_usd"),
    [
        # 1000 x 4 + 200 x 16 USD per million
        (used(1000, out=(200, 0)), 0.0072),
        # 600 x 4 + 270 x 32 + 60 x 16 + 400 x 64
        (used(600, 270, out=(60, 400)), 0.0376),
        # text: 88 x 4 + 512 x 0.40; audio: 46 x 32 + 224 x 0.40; out: 60 x 16 + 400 x 64
        (used(600, 270, cached=(512, 224, 0), out=(60, 400)), 0.0286784),
        # image: 100 x 5 + 700 x 0.50; text 10 x 4
        (used(10, 0, 800, cached=(0, 0, 700), out=(0, 0)), 0.00089),
        (used(out=(0, 0)), 0.0),
    ],
)
def test_a_response_costs_what_the_list_says(usage: Usage, expected_usd: float) -> None:
    assert usd(response_cost(REALTIME, usage)) == expected_usd


def test_reasoning_tokens_cost_as_text() -> None:
    usage = Usage(output_tokens=500, output_token_details=OutputTokenDetails(text_tokens=100, audio_tokens=300))

    # 300 x 64 of audio; the other 200 x 16, of which 100 were written and 100 thought
    assert usd(response_cost(REALTIME, usage)) == 0.0224


def test_cached_tokens_of_untold_kind_are_the_start_of_the_prompt() -> None:
    details = InputTokenDetails(text_tokens=600, audio_tokens=270, cached_tokens=700)
    usage = Usage(input_tokens=870, input_token_details=details)

    # text: 600 x 0.40; audio: 100 x 0.40 + 170 x 32
    assert usd(response_cost(REALTIME, usage)) == 0.00572


def test_tokens_without_details_are_text() -> None:
    assert usd(response_cost(REALTIME, Usage(input_tokens=1000, output_tokens=100))) == 0.0056


def test_a_model_without_a_price_for_cached_tokens_charges_them_in_full() -> None:
    rates = Rates(text_input=1_000_000_000)

    assert response_cost(rates, used(100, cached=(90, 0, 0), out=(0, 0))) == 100_000


def test_what_was_used_and_has_no_price_leaves_the_cost_unknown() -> None:
    rates = Rates(text_input=1_000_000_000, text_output=1_000_000_000)

    assert response_cost(rates, used(100, 1, out=(0, 0))) is None
    assert response_cost(rates, used(100, out=(1, 0))) == 101_000


def test_a_part_of_a_nano_dollar_counts_as_one() -> None:
    assert response_cost(Rates(text_input=1), used(1, out=(0, 0))) == 1


@pytest.mark.parametrize(
    ("model", "usage", "expected_usd"),
    [
        ("gpt-realtime-whisper", DurationUsage(seconds=60.0), 0.017),
        ("gpt-realtime-whisper", DurationUsage(seconds=1.5), 0.000425),
        ("gpt-realtime-translate", DurationUsage(seconds=90.0), 0.051),
        ("gpt-4o-transcribe", DurationUsage(seconds=60.0), 0.006),
        (
            "gpt-4o-transcribe",
            TokensUsage(
                input_tokens=110,
                output_tokens=20,
                total_tokens=130,
                input_token_details=TranscriptTokenDetails(text_tokens=10, audio_tokens=100),
            ),
            0.000825,  # 10 x 2.50 + 100 x 6 + 20 x 10
        ),
        ("gpt-4o-transcribe", TokensUsage(input_tokens=100, output_tokens=20, total_tokens=120), 0.00045),
        ("gpt-realtime-whisper", TokensUsage(input_tokens=100, output_tokens=20, total_tokens=120), None),
        ("gpt-realtime", DurationUsage(seconds=60.0), None),
    ],
)
def test_a_transcription_costs_what_the_list_says(
    model: str, usage: TokensUsage | DurationUsage, expected_usd: float | None
) -> None:
    assert usd(transcription_cost(PRICES.models[model].rates, usage)) == expected_usd


def test_speech_costs_by_the_character_or_by_estimated_tokens() -> None:
    by_character = speech_cost(PRICES.models["tts-1"].rates, 2_000, 120_000)
    by_token = speech_cost(PRICES.models["gpt-4o-mini-tts"].rates, 1_000, 60_000)

    assert usd(by_character) == 0.03
    assert usd(by_token) == 0.01455  # 250 x 0.60 + 1200 x 12: the published 1.5 cents a minute


def test_the_largest_response_is_a_full_context_of_the_dearest_kind_and_the_longest_output() -> None:
    # 32,000 x 32 + 4,096 x 64
    assert usd(largest_response_cost(PRICES.models["gpt-realtime-1.5"])) == 1.286144


counts = st.integers(-50, 40_000)


@given(counts, counts, counts, counts, counts, counts, counts, counts)
def test_no_usage_within_the_bounds_of_a_model_costs_more_than_its_largest_response_or_less_than_nothing(
    text: int, audio: int, image: int, cached: int, cached_text: int, cached_audio: int, text_out: int, audio_out: int
) -> None:
    prices = ModelPrices(
        as_of="2026-12-01", source="test", rates=REALTIME, context_tokens=3 * 40_000, max_output_tokens=2 * 40_000
    )
    usage = Usage(
        input_tokens=text + audio + image,
        output_tokens=text_out + audio_out,
        input_token_details=InputTokenDetails(
            text_tokens=text,
            audio_tokens=audio,
            image_tokens=image,
            cached_tokens=cached,
            cached_tokens_details=CachedTokensDetails(text_tokens=cached_text, audio_tokens=cached_audio),
        ),
        output_token_details=OutputTokenDetails(text_tokens=text_out, audio_tokens=audio_out),
    )

    cost = response_cost(REALTIME, usage)

    assert cost is not None
    assert 0 <= cost <= largest_response_cost(prices)
