"""A command imports what it needs: to say a version, or a line of help, takes no second."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import recorder.cli
from recorder.catalog import migrate
from recorder.catalog.schema import REVISION

WEB = {"fastapi", "uvicorn", "starlette", "minio", "alembic", "rich", "ffmpeg", "apscheduler"}
"""What serving, capturing, upgrading and drawing need."""


def imported(folder: Path, *arguments: str) -> set[str]:
    """Run a command in a process of its own; return the packages it imported."""
    script = (
        "import sys, json, atexit\n"
        f"atexit.register(lambda: open({str(folder / 'said')!r}, 'w').write("
        "json.dumps([name.split('.')[0] for name in sys.modules])))\n"
        "from recorder.cli import main\n"
        "main()\n"
    )
    argv = [sys.executable, "-c", script, "--data", str(folder / "data"), *arguments]
    subprocess.run(argv, check=True, capture_output=True, cwd=folder)
    return set(json.loads((folder / "said").read_text()))


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["hold", "--help"]])
def test_version_and_help_need_no_library_but_the_one_for_commands(
    tmp_path: Path, arguments: list[str]
) -> None:
    found = imported(tmp_path, *arguments)
    assert "click" in found
    assert not found & (WEB | {"sqlalchemy", "pydantic"})


@pytest.fixture(scope="module")
def cataloged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose data have a catalog, made by the steps of its schema."""
    folder = tmp_path_factory.mktemp("cataloged")
    imported(folder, "camera", "list")
    return folder


@pytest.mark.parametrize(
    "arguments",
    [["camera", "list"], ["node", "list"], ["hold", "list"], ["event", "list"], ["site"]],
)
def test_a_command_that_reads_the_catalog_needs_only_what_reads_it(
    cataloged: Path, arguments: list[str]
) -> None:
    found = imported(cataloged, *arguments)
    assert "sqlalchemy" in found
    assert not found & WEB


def test_every_command_is_named_where_it_lies() -> None:
    context = click.Context(recorder.cli.recorder)
    places = recorder.cli.Commands.places
    for name in recorder.cli.recorder.list_commands(context):
        command = recorder.cli.recorder.get_command(context, name)
        assert command is not None
        assert command.name == name
    assert recorder.cli.recorder.get_command(context, "nothing") is None
    found = set()
    for module in pkgutil.iter_modules(recorder.cli.__path__, "recorder.cli."):
        commands = getattr(__import__(module.name, fromlist=["x"]), "COMMANDS", ())
        found |= {(one.name, module.name) for one in commands}
    assert found == {(name, place) for name, (place, _) in places.items()}


def test_the_schema_is_what_the_newest_step_made() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "steps"))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


AT_REST = """
import asyncio, json, sys
from pathlib import Path
from recorder.api.door import Door
from recorder.app import App
from recorder.config import Settings
from recorder.jobs import retention, signing
from recorder.service import Service

app = App(Settings(site="s", node="n1", data=Path(sys.argv[1]), api={"listen": "127.0.0.1:0"}))
jobs = (retention.sweep_alone, retention.keep_documents, retention.scrub_alone,
        retention.prove_catalog, signing.make_key, signing.sign_log, signing.settle_secrets,
        signing.let_rows_leave)
for job in jobs:
    job(app)

async def ask():
    door = Door(app, Service(app))
    await door.open()
    for path in sys.argv[2:]:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(f"GET {path} HTTP/1.1\\r\\nhost: localhost\\r\\n\\r\\n".encode())
        assert b" 200 " in await reader.readline(), path
        writer.close()
    await door.close()

asyncio.run(ask())
print(json.dumps(list(sys.modules)))
"""


def at_rest(folder: Path, *paths: str) -> set[str]:
    """What a node in a process of its own has imported once it was asked these."""
    argv = [sys.executable, "-c", AT_REST, str(folder / "data"), *paths]
    said = subprocess.run(argv, check=True, capture_output=True)
    return set(json.loads(said.stdout))


def test_a_node_without_s3_that_begins_carries_neither_what_speaks_it_nor_steps_of_the_schema(
    tmp_path: Path,
) -> None:
    found = at_rest(tmp_path, "/api/v1/answering")
    assert "fastapi" in found
    assert not found & {"minio", "Crypto", "argon2", "alembic", "psycopg", "httpx", "rich"}


def test_a_node_that_is_asked_only_how_it_does_carries_no_more_of_the_api(tmp_path: Path) -> None:
    found = at_rest(tmp_path, "/healthz", "/metrics")
    assert not found & {"fastapi", "opentelemetry", "recorder.handover"}
