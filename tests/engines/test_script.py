"""Scripts are read strictly, and their errors name the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.script import Heard, Script, ScriptError, load_script, turn_numbered


def test_an_empty_script_is_the_default_script() -> None:
    assert load_script("") == Script()


def test_a_word_is_the_short_form_of_heard() -> None:
    script = load_script('[[turns]]\nheard = "hello"')

    assert script.turns[0].hearing == Heard("hello")


def test_only_turns_without_a_rule_count_for_the_place() -> None:
    script = load_script('[[turns]]\ncontains = "x"\n[[turns]]\nsay = "placed"\n[[turns]]\nnumber = 7\nsay = "seven"')

    said = {number: turn.say for number in range(9) if (turn := turn_numbered(script, number))}

    assert said == {1: "placed", 7: "seven"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("turn = 1", "turn"),
        ('[[turns]]\nsay = "a"\nsays = "b"', "$.turns[0]"),
        ("[[turns]]\nsay = 1", "$.turns[0].say"),
        ("[voice]\npace = -1", "$.voice.pace"),
        ('[[turns]]\nmatch = "("', "turns[0].match"),
        ('[[turns]]\nmatch = "a"\nnumber = 1', "turns[0]"),
        ("[[turns]]\n[[turns]]\nheard = { delay_ms = 99999999 }", "$.turns[1].heard"),
        ("[detector]\nscores = [{from_sample=5, probability=1}, {from_sample=5, probability=0}]", "detector.scores"),
        ("not toml", "not valid"),
    ],
)
def test_a_bad_script_is_refused_with_its_place(text: str, expected: str) -> None:
    with pytest.raises(ScriptError) as caught:
        load_script(text)

    assert expected in str(caught.value)


def test_an_oversized_script_is_refused() -> None:
    with pytest.raises(ScriptError, match="at most"):
        load_script("#" * 2_000_000)


@given(st.text(max_size=300))
def test_any_text_is_a_script_or_a_script_error(text: str) -> None:
    for is_json in (True, False):
        try:
            script = load_script(text, "json" if is_json else "toml")
        except ScriptError:
            continue
        assert isinstance(script, Script)
