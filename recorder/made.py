"""What settings name, made or found: stores, and the ffmpeg that is run."""

from __future__ import annotations

import shutil

from recorder.config import Settings, StorePart
from recorder.errors import MissingProgram
from recorder.keyring import Keyring
from recorder.pointers import secret
from recorder.ports import DeletableStore


def make_keys(settings: Settings) -> Keyring:
    """Make the keys that secrets are encrypted under, from the settings."""
    return Keyring(settings.secrets.key, settings.data / "secrets.key")


def make_store(part: StorePart) -> DeletableStore:
    """Make a store from its settings."""
    if part.kind == "s3":
        from recorder.store.s3 import S3Store

        keys = (
            secret(part.access_key, f"stores.{part.name}.access_key"),
            secret(part.secret_key, f"stores.{part.name}.secret_key"),
        )
        return S3Store(
            part.name, part.endpoint, part.bucket, keys, region=part.region, ca_file=part.ca_file
        )
    from recorder.store.files import FileStore

    assert part.path is not None  # noqa: S101 - checked by the settings
    return FileStore(part.name, part.path)


def find_ffmpeg(named: str) -> str:
    """Return the ffmpeg to run: the one the settings name, else the one from PyPI.

    Raises: ``MissingProgram``.
    """
    if named:
        found = shutil.which(named)
        if found is None:
            raise MissingProgram(
                f"ffmpeg {named!r} is not there or not executable",
                hint="correct capture.ffmpeg, or leave it out to use the one from PyPI",
            )
        return found
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as exc:
        raise MissingProgram(f"no ffmpeg: {exc}", hint="name one in capture.ffmpeg") from exc
