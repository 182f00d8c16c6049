"""What can be said of the container file by reading it; building it needs an engine."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSTRUCTION = re.compile(r"^([A-Z]+) +(.+)$")


def instructions() -> list[tuple[str, str]]:
    """Keyword and argument of every instruction, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text("utf-8"), flags=re.MULTILINE)
    matches = [INSTRUCTION.match(line) for line in re.sub(r"\\\n\s*", "", text).splitlines() if line]
    assert all(matches), "every line is an instruction"
    return [(match[1], match[2]) for match in matches if match]


def last_stage() -> dict[str, str]:
    """The instructions of the stage that runs."""
    found = instructions()
    begin = max(i for i, (keyword, _) in enumerate(found) if keyword == "FROM")
    return dict(found[begin:])


def test_server_runs_as_an_unprivileged_user() -> None:
    assert int(last_stage()["USER"]) >= 1000


def test_container_states_port_volume_and_health() -> None:
    stage = last_stage()

    assert stage["EXPOSE"] == "8040"
    assert stage["VOLUME"] == "/var/lib/vivavoce"
    assert "http://127.0.0.1:8040/healthz" in stage["HEALTHCHECK"]
    assert '"--port", "8040"' in stage["CMD"]


def test_last_stage_installs_nothing_and_takes_only_the_built_environment() -> None:
    stages = [i for i, (keyword, _) in enumerate(instructions()) if keyword == "FROM"]
    stage = instructions()[stages[-1] :]

    assert len(stages) == 2
    assert [argument for keyword, argument in stage if keyword == "COPY"] == [
        "--from=build /opt/vivavoce /opt/vivavoce"
    ]
    assert not any("pip" in argument for keyword, argument in stage if keyword == "RUN")


def test_packages_are_installed_with_hashes_and_every_copied_file_exists() -> None:
    installs = re.findall(r"pip install (.+?)(?: &&|$)", "\n".join(a for k, a in instructions() if k == "RUN"), re.M)
    sources = [a.split()[:-1] for k, a in instructions() if k == "COPY" and not a.startswith("--from")]

    assert installs
    assert all("--require-hashes" in i or i.strip() == "--no-deps dist/*.whl" for i in installs)
    assert [name for names in sources for name in names if not (ROOT / name).exists()] == []
