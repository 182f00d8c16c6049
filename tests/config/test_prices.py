"""The price list: what is built in, what a user's file changes, and what is refused."""

import datetime
from pathlib import Path

import pytest

from vivavoce.config.load import ConfigurationError
from vivavoce.config.prices import load_prices, parse_prices

NANO = 1_000_000_000
HEAD = "version = 1\nas_of = 2026-12-01\n"


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        parse_prices(HEAD + text, "list")
    return str(refused.value)


def test_every_built_in_price_has_a_date_and_a_source() -> None:
    prices = load_prices()

    datetime.date.fromisoformat(prices.as_of)
    for model, listed in prices.models.items():
        assert datetime.date.fromisoformat(listed.as_of) <= datetime.date.fromisoformat(prices.as_of), model
        assert listed.source, model


def test_every_built_in_model_that_answers_tells_how_large_a_response_can_be() -> None:
    prices = load_prices()

    answering = {name: one for name, one in prices.models.items() if one.rates.text_cached or one.rates.audio_cached}

    assert "gpt-realtime" in answering
    for model, listed in answering.items():
        assert listed.context_tokens and listed.max_output_tokens, model


def test_prices_are_exact() -> None:
    prices = parse_prices(f"{HEAD}[models.m]\ntext_input = 0.1\nper_minute = 0.017\naudio_input = 32", "list")

    rates = prices.models["m"].rates
    assert (rates.text_input, rates.per_minute, rates.audio_input) == (100_000_000, 17_000_000, 32 * NANO)


def test_aliases_have_the_prices_of_their_model() -> None:
    prices = parse_prices(f'{HEAD}[models.m]\ntext_input = 1\naliases = ["m-2026-01-01"]', "list")

    assert prices.find("m-2026-01-01") == prices.find("m")


def test_a_name_that_is_not_listed_has_no_price_however_similar_it_is() -> None:
    prices = load_prices()

    assert prices.find("gpt-realtime") is not None
    assert prices.find("gpt-realtime-3") is None
    assert prices.find("") is None


def test_a_file_of_the_users_adds_models_and_takes_the_place_of_others(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"{HEAD}[models.own]\ntext_input = 1\n[models.gpt-realtime]\naudio_input = 7\n")

    prices = load_prices(path)

    assert prices.as_of == "2026-12-01"
    assert prices.models["own"].rates.text_input == NANO
    assert prices.models["gpt-realtime"].rates.audio_input == 7 * NANO
    assert prices.models["gpt-realtime"].rates.text_input is None
    assert "gpt-realtime-2" in prices.models


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"budgets\.prices_file: /nowhere/prices\.toml cannot be read"):
        load_prices(Path("/nowhere/prices.toml"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[models.m]\ntext_inputs = 1", "models.m: unknown key 'text_inputs'. Did you mean text_input?"),
        ("[models.m]\ntext_input = -1", "models.m.text_input: expected US dollars from 0 to 1000000"),
        ("[models.m]\ntext_input = nan", "models.m.text_input: expected US dollars"),
        ("[models.m]\ntext_input = inf", "models.m.text_input: expected US dollars"),
        ("[models.m]\ntext_input = true", "models.m.text_input: expected US dollars"),
        ("[models.m]\ntext_input = 0.0000000001", "at most nine decimals"),
        ('[models.m]\ntext_input = "4"', "models.m.text_input: expected US dollars"),
        ("[models.m]\ncontext_tokens = 4", "models.m: expected at least one price, got none"),
        ("[models.m]\ntext_input = 1\ncontext_tokens = 0", "models.m.context_tokens: expected at least 1, got 0"),
        ("[models.m]\ntext_input = 1\nas_of = 'soon'", "models.m.as_of: expected a date such as"),
        ("[models.m]\ntext_input = 1\naliases = 'x'", "models.m: Expected `array`"),
        ("[models.m]\ntext_input = 1\naliases = ['n']\n[models.n]\ntext_input = 2", "the name 'n' is listed twice"),
        ("models = 3", "models: expected a table for each model, got 3"),
        ("[models]\nm = 3", "models.m: expected a table of prices, got 3"),
        ("[model.m]\ntext_input = 1", "unknown key 'model'. Did you mean models?"),
        ("[models.m", "not valid TOML"),
    ],
)
def test_a_mistake_is_refused_with_its_place(text: str, told: str) -> None:
    message = refusal(text)

    assert message.startswith("list")
    assert told in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("as_of = 2026-12-01", "version: expected 1, got None"),
        ("version = 2\nas_of = 2026-12-01", "version: expected 1, got 2"),
        ("version = 1", "as_of: expected a date such as 2026-11-30, got None"),
    ],
)
def test_a_list_without_version_or_date_is_refused(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_prices(text, "list")
