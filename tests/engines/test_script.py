"""Scripts are read strictly, and their errors name the key."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vivavoce.engines.script import (
    Call,
    Detection,
    Failure,
    Heard,
    PartialText,
    Piece,
    Score,
    Script,
    ScriptError,
    Turn,
    Utterance,
    Voice,
    load_script,
    script_in_instructions,
    script_in_prompt,
    turn_numbered,
)


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


GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "scripted.md").read_text("utf-8")


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL))
def test_the_script_files_of_the_guide_are_valid(block: str) -> None:
    assert load_script(block).turns


@pytest.mark.parametrize("line", re.findall(r"^vivavoce-script: .*$", GUIDE, re.MULTILINE))
def test_the_session_scripts_of_the_guide_are_valid(line: str) -> None:
    read = script_in_prompt if "heard" in line else script_in_instructions

    script = read(line, "scripted")

    assert script is not None and len(script.turns) == 2


def test_every_key_of_a_script_is_in_the_guide() -> None:
    parts = (Script, Turn, Heard, Piece, Call, Failure, Voice, Detection, Score, PartialText, Utterance)
    keys = {key for part in parts for key in part.__struct_fields__}

    missing = {key for key in keys if not re.search(rf"\b{key}\b", GUIDE)}

    assert missing == set()
