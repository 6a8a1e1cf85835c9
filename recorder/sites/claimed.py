"""A name that has a key is spoken for by whoever has the key, and by nobody else."""

from __future__ import annotations

from recorder.errors import NotAllowed
from recorder.model.caller import Caller, CallerKind
from recorder.ports import Peers

CHILD = "child"


def check_speaks(peers: Peers, caller: Caller, said: object) -> None:
    """Let a child speak by its own name alone; ``said``: the name it says is its own.

    A name that was never given a key may be anybody's, where access is off; one that was cast out
    is nobody's.
    Raises: ``NotAllowed``.
    """
    if caller.kind is CallerKind.SITE:
        if said != caller.name:
            name = str(said)[:63]
            raise NotAllowed(
                f"site {caller.name} speaks as {name!r}, which it is not",
                hint=f"has {name!r} the node.key of {caller.name} in its folder? put its own back",
            )
        return
    keys = [one for one in peers.all() if one.kind == CHILD and said in (one.name, "")]
    if keys and not said:
        raise NotAllowed("footage comes from a site that does not say which it is")
    if keys and all(one.ended is not None for one in keys):
        raise NotAllowed(
            f"site {said} was cast out", hint="at the parent: recorder site invite, to let it back"
        )
    if keys:
        raise NotAllowed(
            f"site {said} has a key, and this is not signed with it",
            hint="if it lost its key: recorder site invite at the parent, then recorder site join",
        )
