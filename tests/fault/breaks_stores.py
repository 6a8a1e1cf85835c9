"""What happens to stores, and to what lies in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fault.tree import Site, Tree
from tests.support.ports import until


def media(store: Path) -> dict[str, Path]:
    """Return the segments in a directory store, by key."""
    return {str(one.relative_to(store)): one for one in store.rglob("*.mp4")
            if not one.name.startswith(".")}  # fmt: skip


def _listed(store: Path) -> list[str]:
    return sorted(str(one) for one in store.rglob("*"))


@contextmanager
def a_store_is_away(tree: Tree) -> Iterator[None]:
    """A store's folder is not there, is an empty one, or is another store's."""
    site = tree.dice.choice(list(tree.sites.values()))
    with tree.taking(f"store {site.name}") as free:
        away = site.store.with_name(f"{site.name}-away")
        put = tree.dice.choice(["nothing", "an empty folder", "another store"])
        before: list[str] = []
        if free:
            tree.say(f"store of {site.name} away, {put} in its place")
            site.store.rename(away)
            _stand_in(tree, site, put)
            before = _listed(site.store)
        yield
        if free:
            assert _listed(site.store) == before, "somebody wrote into what is not the store"
            if site.store.exists():
                shutil.rmtree(site.store)
            away.rename(site.store)


def _stand_in(tree: Tree, site: Site, put: str) -> None:
    if put == "nothing":
        return
    site.store.mkdir()
    if put == "another store":
        other = next(one for one in tree.sites.values() if one is not site)
        name = "spanstore.json"
        if (other.store / name).exists():
            shutil.copy(other.store / name, site.store / name)


@contextmanager
def objects_are_damaged(tree: Tree) -> Iterator[None]:
    """Some objects are deleted, cut, or altered, of which another site has a whole copy."""
    post = tree.dice.choice(tree.posts)
    site, other = tree.dice.sample([post, tree.centre], 2)
    needs = [f"store {one.name}" for one in (site, other)]
    with tree.taking(*needs) as free:
        if free:
            _damage(tree, site, other)
        yield


def _damage(tree: Tree, site: Site, other: Site) -> None:
    """Damage a few that both stores have, and nobody deletes soon."""
    theirs = media(other.store)
    both = sorted(key for key in media(site.store) if key in theirs)
    clean = [key for key in both if not {site.store / key, other.store / key} & set(tree.damaged)]
    chosen = tree.dice.sample(clean, min(len(clean), tree.dice.randint(1, 3)))
    for key in chosen:
        path = site.store / key
        how = tree.dice.choice(["deleted", "cut", "altered", "emptied"])
        tree.say(f"{site.name}: {key} {how}")
        tree.damaged.append(path)
        body = bytearray(path.read_bytes())
        if how == "deleted":
            path.unlink()
        elif how == "altered":
            body[tree.dice.randrange(len(body))] ^= 1 << tree.dice.randrange(8)
            path.write_bytes(body)
        else:
            path.write_bytes(body[: len(body) // 2 if how == "cut" else 0])


@contextmanager
def a_store_is_emptied(tree: Tree) -> Iterator[None]:
    """All footage is gone from a store that is itself there, and is put back."""
    site = tree.dice.choice(list(tree.sites.values()))
    with tree.taking(f"store {site.name}") as free:
        away = site.store.with_name(f"{site.name}-emptied")
        moved: dict[str, Path] = {}
        if free:
            tree.say(f"store of {site.name} emptied")
            moved = media(site.store)
            for key, path in moved.items():
                (away / key).parent.mkdir(parents=True, exist_ok=True)
                path.rename(away / key)
        yield
        for key, path in moved.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            (away / key).rename(path)


def scrubbed(tree: Tree) -> None:
    """Have every site read all of its copies again, until none is damaged."""
    for site in tree.sites.values():

        def whole(site: Site = site) -> bool:
            done = site.node.run("scrub", "--json")
            if done.returncode:
                raise OSError(f"{site.name}: {done.stdout} {done.stderr}")
            return True

        until(whole, 120, "all is whole")  # once one site has told the other what it has again
    tree.damaged.clear()


BREAKS = [(2, a_store_is_away), (2, objects_are_damaged), (1, a_store_is_emptied)]
