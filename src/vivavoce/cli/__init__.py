"""The command line. Each command imports what it needs when it runs, so that `--help` is quick."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
assets_app = typer.Typer(no_args_is_help=True, help="Model files: list, fetch, verify.")
config_app = typer.Typer(no_args_is_help=True, help="The effective configuration.")
keys_app = typer.Typer(no_args_is_help=True, help="API keys of the server: create, list, revoke.")
app.add_typer(assets_app, name="assets")
app.add_typer(config_app, name="config")
app.add_typer(keys_app, name="keys")

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")]
DataOption = Annotated[Path | None, typer.Option("--data-dir", help="Folder for what the server keeps.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line of this process."""
    app(prog_name="vivavoce")


@app.callback()
def _vivavoce() -> None:
    """A self-hosted realtime voice server that speaks the OpenAI Realtime API."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder for what the server keeps.")] = None,
    config: ConfigOption = None,
    engine: Annotated[
        str | None, typer.Option(help="What serves by default: embedded, hybrid, scripted, upstream or openai.")
    ] = None,
    speech: Annotated[
        str | None, typer.Option(help="Recogniser and voices: auto, embedded or moonshine (once fetched).")
    ] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Serve other machines without any key.")] = False,
    tls_self_signed: Annotated[
        bool, typer.Option("--tls-self-signed", help="Serve https and wss with a certificate made here.")
    ] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the voice page in a browser.")] = False,
) -> None:
    """Run the server until it is told to stop."""
    from vivavoce.cli.serve import run_serve

    flags = {
        "server.host": host,
        "server.port": port,
        "server.insecure": insecure or None,
        "server.tls_self_signed": tls_self_signed or None,
        "engines.default": engine,
        "engines.speech": speech,
        "data_dir": None if data_dir is None else str(data_dir),
    }
    run_serve(flags, config, open_page=open_page)


@app.command()
def talk(
    url: Annotated[str | None, typer.Option(help="Server to talk to; without it one runs in this process.")] = None,
    text: Annotated[bool, typer.Option("--text", help="Write instead of speak; a line is a turn.")] = False,
    wav: Annotated[Path | None, typer.Option(help="Say what this recording says.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the assistant's voice to this WAV file.")] = None,
    stereo: Annotated[bool, typer.Option("--stereo", help="Write both voices: left is the user.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Speak the recording at full speed.")] = False,
    model: Annotated[str | None, typer.Option(help="Model to ask for.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice of the assistant.")] = None,
    instructions: Annotated[str | None, typer.Option(help="Instructions of the assistant.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="VIVAVOCE_API_KEY", help="Key for --url.")] = None,
    config: ConfigOption = None,
) -> None:
    """Hold a conversation in the terminal: with --wav spoken, else written."""
    from vivavoce.cli.talk import TalkRequest, run_talk

    if wav is not None and text:
        raise typer.BadParameter("--text and --wav exclude each other")
    if wav is None and (fast or stereo):
        raise typer.BadParameter("--fast and --stereo need --wav")
    if stereo and out is None:
        raise typer.BadParameter("--stereo needs --out")
    request = TalkRequest(
        url=url,
        wav=wav,
        out=out,
        is_stereo=stereo,
        is_fast=fast,
        model=model,
        voice=voice,
        instructions=instructions,
        api_key=api_key,
    )
    run_talk(request, config)


@app.command()
def doctor(
    spend: Annotated[
        bool, typer.Option("--spend", help="Ask engines on other machines a few questions, which may cost money.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Test this installation and measure its engines; the exit code is the number of failures."""
    from vivavoce.cli.doctor import run_doctor

    run_doctor(config, as_json=as_json, may_spend=spend)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(f"vivavoce {version('vivavoce')}")


@config_app.command("show")
def config_show(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Print every effective value with its source; secrets are masked."""
    from vivavoce.cli.show import run_config_show

    run_config_show(config, as_json=as_json)


@assets_app.command("list")
def assets_list(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the model files and whether they are installed."""
    from vivavoce.cli.assets import run_list

    run_list(config, as_json=as_json, is_thorough=False)


@assets_app.command("verify")
def assets_verify(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Check the installed model files by their sha256; exit code 1 if one is missing or damaged."""
    from vivavoce.cli.assets import run_list

    run_list(config, as_json=as_json, is_thorough=True)


@assets_app.command("fetch")
def assets_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `assets list`; all without any.")] = None,
    config: ConfigOption = None,
) -> None:
    """Install model files; those that are there and intact stay."""
    from vivavoce.cli.assets import run_fetch

    run_fetch(names or [], config)


@keys_app.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="What the key is for; shown in lists.")] = "",
    expires_days: Annotated[int | None, typer.Option(min=1, max=3660, help="Days until it expires.")] = None,
    data_dir: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key and print it, once; a running server takes it within a second."""
    from vivavoce.cli.keys import KeyPlace, run_create

    run_create(KeyPlace(data_dir, config), name, expires_days)


@keys_app.command("list")
def keys_list(data_dir: DataOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the keys that were made here, also expired and revoked ones; never the keys themselves."""
    from vivavoce.cli.keys import KeyPlace, run_list

    run_list(KeyPlace(data_dir, config), as_json=as_json)


@keys_app.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="Id of a key, or of a client secret.")],
    data_dir: DataOption = None,
    config: ConfigOption = None,
) -> None:
    """Refuse a key and every client secret made with it; running sessions go on."""
    from vivavoce.cli.keys import KeyPlace, run_revoke

    run_revoke(KeyPlace(data_dir, config), id)
