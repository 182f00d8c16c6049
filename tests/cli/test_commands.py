"""The commands as a user runs them: what they print, and their exit codes."""

import json
import wave
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vivavoce.audio.wav import read_wav, write_wav
from vivavoce.cli import app

SCRIPTED = """
[engines]
default = "scripted"
[models.table]
vivavoce-local = "scripted"
"""
SECOND = bytes(48_000)


@pytest.fixture
def scripted(tmp_path: Path) -> str:
    """A configuration without the embedded engines."""
    path = tmp_path / "scripted.toml"
    path.write_text(SCRIPTED)
    return str(path)


def run(*arguments: str, stdin: str = "", **environment: str) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, env=environment)


def test_version_names_the_program_and_its_version() -> None:
    result = run("version")

    assert result.exit_code == 0
    assert result.stdout.startswith("vivavoce ")


def test_config_show_tells_each_value_with_its_source_and_no_secret() -> None:
    result = run("config", "show", VIVAVOCE_SERVER__PORT="9", VIVAVOCE_SERVER__API_KEYS="sk-hidden")

    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "server.port = 9 # environment" in lines
    assert 'server.host = "127.0.0.1" # defaults' in lines
    assert "sk-hidden" not in result.stdout


def test_config_show_prints_json() -> None:
    result = run("config", "show", "--json")

    values = {row["key"]: row["value"] for row in json.loads(result.stdout)}
    assert values["server.port"] == 8040


def test_an_unknown_setting_is_one_sentence_and_exit_code_1() -> None:
    result = run("config", "show", VIVAVOCE_SERVER__PROT="9")

    assert result.exit_code == 1
    assert result.stderr == (
        "vivavoce: Unknown setting VIVAVOCE_SERVER__PROT (environment). Did you mean VIVAVOCE_SERVER__PORT?\n"
    )


def test_assets_of_an_empty_folder_are_missing_and_fail_verification(tmp_path: Path) -> None:
    listed = run("assets", "list", "--json", VIVAVOCE_ASSETS_DIR=str(tmp_path))
    verified = run("assets", "verify", VIVAVOCE_ASSETS_DIR=str(tmp_path))

    assert listed.exit_code == 0
    assert {row["state"] for row in json.loads(listed.stdout)} == {"missing"}
    assert verified.exit_code == 1


def test_fetching_an_asset_nobody_knows_names_the_known_ones(tmp_path: Path) -> None:
    result = run("assets", "fetch", "nothing", VIVAVOCE_ASSETS_DIR=str(tmp_path))

    assert result.exit_code == 1
    assert "silero-vad" in result.stderr


def test_serve_refuses_other_machines_without_a_key() -> None:
    result = run("serve", "--host", "0.0.0.0")

    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "--insecure" in result.stderr


def test_serve_tells_which_model_file_is_missing(tmp_path: Path) -> None:
    result = run("serve", "--port", "0", VIVAVOCE_ASSETS_DIR=str(tmp_path))

    assert result.exit_code == 1
    assert "vivavoce assets fetch silero-vad" in result.stderr
    assert "ready" not in result.stdout


def test_serve_tells_what_is_wrong_with_the_script(tmp_path: Path, scripted: str) -> None:
    (tmp_path / "script.toml").write_text("turn = 1\n")

    result = run("serve", "--port", "0", "--config", scripted, VIVAVOCE_SCRIPTED__SCRIPT=str(tmp_path / "script.toml"))

    assert result.exit_code == 1
    assert "scripted.script" in result.stderr


def test_talk_answers_each_line_of_its_input(scripted: str) -> None:
    result = run("talk", "--text", "--config", scripted, stdin="hello\n\nand again\n")

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "you: hello",
        "assistant: You said: hello",
        "you: and again",
        "assistant: You said: and again",
    ]


def test_talk_speaks_a_recording_and_writes_both_voices(tmp_path: Path, scripted: str) -> None:
    tone = (b"\x00\x20" * 24 + b"\x00\xe0" * 24) * 500  # 500 Hz for a second: speech to the scripted detector
    write_wav(tmp_path / "in.wav", SECOND + tone + SECOND * 2, 24_000)

    arguments = ["--wav", str(tmp_path / "in.wav"), "--fast", "--stereo", "--out", str(tmp_path / "out.wav")]
    result = run("talk", *arguments, "--config", scripted)

    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines() == ["you: scripted turn 1", "assistant: You said: scripted turn 1"]
    with wave.open(str(tmp_path / "out.wav")) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 24_000)
        assert file.getnframes() > 24_000 * 4


def test_talk_writes_the_answers_of_a_written_conversation(tmp_path: Path, scripted: str) -> None:
    result = run("talk", "--text", "--out", str(tmp_path / "out.wav"), "--config", scripted, stdin="hello\n")

    assert result.exit_code == 0, result.stderr
    assert max(read_wav(tmp_path / "out.wav").pcm) > 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--text", "--wav", "in.wav"], 2, "exclude each other"),
        (["--fast"], 2, "need --wav"),
        (["--wav", "in.wav", "--stereo"], 2, "needs --out"),
        (["--wav", "none.wav"], 1, "none.wav: No such file"),
        (["--text", "--url", "ws://127.0.0.1:1"], 1, "Cannot connect to ws://127.0.0.1:1/v1/realtime"),
        (["--text", "--out", "none/out.wav"], 1, "There is no folder"),
    ],
)
def test_talk_tells_what_it_cannot_do(arguments: list[str], code: int, sentence: str) -> None:
    result = run("talk", *arguments)

    assert result.exit_code == code
    assert sentence in result.stderr


def test_doctor_counts_failures_in_its_exit_code(tmp_path: Path) -> None:
    result = run("doctor", "--json", VIVAVOCE_ASSETS_DIR=str(tmp_path))

    report = json.loads(result.stdout)
    failed = [check["name"] for check in report["checks"] if not check["is_ok"]]
    assert {"model files", "engines start"} <= set(failed)
    assert result.exit_code == report["failures"] == len(failed)


def test_doctor_holds_a_whole_conversation(scripted: str) -> None:
    result = run("doctor", "--json", "--config", scripted)

    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert checks["answer"]["is_ok"], checks["answer"]["detail"]
    assert "assistant: You said: scripted turn" in checks["answer"]["detail"]
