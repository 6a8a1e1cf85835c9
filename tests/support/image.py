"""The image of the Containerfile, built without a registry: its base is Debian by debootstrap.

Reads as much of the language as our file speaks; takes root.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MIRROR = "http://deb.debian.org/debian"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Image:
    """A stage: its files, and how it runs."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    workdir: str = "/"
    user: str = "0:0"
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)


def instructions(text: str) -> list[tuple[str, str]]:
    """Return a Containerfile's instructions: word and the rest."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    found = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(word, rest.strip()) for word, _, rest in found]


def make_base(folder: Path) -> Path:
    """Make what Debian's slim image is: its smallest system."""
    subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(folder), MIRROR],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")
    return folder


def build(base: Path, folder: Path) -> Image:
    """Build the image; what is built is the tree that git knows."""
    stages: dict[str, Image] = {}
    image = Image(base)
    for word, rest in instructions((ROOT / "Containerfile").read_text()):
        if word == "FROM":
            _, _, name = rest.partition(" AS ")
            image = Image(folder / (name or "image"))
            stages[name or "image"] = image
            subprocess.run(["cp", "-a", str(base), str(image.root)], check=True)
        elif word == "RUN":
            _run(image, rest)
        elif word == "COPY":
            _copy(image, rest, stages)
        elif word == "ENV":
            image.env |= dict(one.split("=", 1) for one in rest.split())
        elif word in ("USER", "WORKDIR"):
            setattr(image, word.lower(), rest)
        elif word in ("ENTRYPOINT", "CMD", "VOLUME"):
            names = {"ENTRYPOINT": "entry", "CMD": "command", "VOLUME": "volumes"}
            setattr(image, names[word], json.loads(rest))
        else:
            assert word in ("ARG", "EXPOSE", "STOPSIGNAL"), word
    return image


def _run(image: Image, command: str) -> None:
    given = {key: value for key, value in os.environ.items() if key.startswith("PIP_")}
    given |= {key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")}
    trusted = image.root / BUNDLE.relative_to("/")
    script = f"mount -t proc proc {image.root}/proc && exec chroot {image.root} /bin/sh -c "
    if trusted.exists():  # the machine's own authorities, where packages come through a proxy
        script = f"mount --bind {BUNDLE} {trusted} && {script}"
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{script} "cd {image.workdir} && $0"', command],
        check=True, env=image.env | given | {"DEBIAN_FRONTEND": "noninteractive"},
        stdout=subprocess.DEVNULL,
    )  # fmt: skip


def _copy(image: Image, rest: str, stages: dict[str, Image]) -> None:
    *options, source, target = rest.split()
    into = image.root / target.lstrip("/")
    into.parent.mkdir(parents=True, exist_ok=True)
    if options:
        stage = stages[options[0].removeprefix("--from=")]
        subprocess.run(["cp", "-a", str(stage.root / source.lstrip("/")), str(into)], check=True)
        return
    assert source == "."
    into.mkdir()
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(
        ["tar", "-C", str(ROOT), "--files-from=-", "-cf", str(into) + ".tar"],
        input=listed, check=True,
    )  # fmt: skip
    subprocess.run(["tar", "-C", str(into), "-xf", str(into) + ".tar"], check=True)


def started(image: Image, data: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start it as a cluster does: its user, a read-only root, no capability, volumes of its own."""
    uid, gid = image.user.split(":")
    os.chown(data, int(uid), int(gid))
    root = image.root
    script = " && ".join(
        [
            f"mount --bind {root} {root}",
            f"mount --bind {data} {root}/var/lib/recorder",
            f"mount -t tmpfs -o mode=1777 tmpfs {root}/tmp",
            f"mount -t proc proc {root}/proc",
            f"mount --bind /dev {root}/dev",
            f"mount -o remount,bind,ro {root}",
            f"exec /usr/sbin/chroot {root} setpriv --reuid {uid} --regid {gid} --clear-groups "
            '--no-new-privs --bounding-set -all --inh-caps -all "$0" "$@"',
        ]
    )
    return subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, *image.entry, *image.command],
        env=image.env | env, stderr=subprocess.PIPE,
    )  # fmt: skip
