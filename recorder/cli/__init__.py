"""The command line: thin doors over :mod:`recorder.app`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from recorder.cli import camera, demo, footage, maintenance, marks, node, policy, serve, site
from recorder.cli.context import Context
from recorder.errors import RecorderError
from recorder.model.cameras import mask


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config", "-c", type=click.Path(path_type=Path), envvar="RECORDER_CONFIG",
    help="Settings file (YAML).",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), envvar="RECORDER_DATA",
    help="Folder for what has no place of its own.",
)  # fmt: skip
@click.version_option(package_name="spanstore", prog_name="recorder")
@click.pass_context
def recorder(ctx: click.Context, config: Path | None, data: Path | None) -> None:
    """Record HD cameras, find footage by time, fetch exactly what you ask for.

    Times are RFC 3339 with a zone (2026-01-05T14:03:07.2Z), or relative to now (-90s, -2h).
    """
    ctx.obj = ctx.with_resource(Context(config, data))


for group in (camera, demo, footage, maintenance, marks, node, policy, serve, site):
    for command in group.COMMANDS:
        recorder.add_command(command)


def main() -> None:
    """Run the command line; errors become one sentence, a hint and a sysexits code."""
    logging.getLogger("recorder").addHandler(logging.NullHandler())  # serve says where logs go
    try:
        code = recorder(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except RecorderError as exc:
        click.echo(f"recorder: {mask(str(exc))}", err=True)
        if exc.hint:
            click.echo(f"hint: {mask(exc.hint)}", err=True)
        sys.exit(exc.exit_code)
    except click.ClickException as exc:
        exc.show()
        sys.exit(64)  # EX_USAGE
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
