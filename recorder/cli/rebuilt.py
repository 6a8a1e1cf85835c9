"""What is printed of a rebuild, store by store."""

from __future__ import annotations

from recorder.cli.context import echo
from recorder.janitor.intake import Rebuilt
from recorder.model.counting import number_of

SHOWN = 20
"""So many objects that were left out are named; ``--json`` names all."""


def say_rebuilt(name: str, done: Rebuilt) -> None:
    """Print what was found in a store, and what was left out."""
    echo(
        f"store {name}: {number_of(done.ours, 'segment')} of ours, {done.foreign} of others, "
        f"{len(done.unreadable)} left out, {number_of(done.gone, 'copy')} gone"
    )
    for site, count in sorted(done.elsewhere.items()):
        echo(
            f"  {number_of(count, 'object')} of site {site}, which writes there itself: left to it "
            f"(if it is no more: --of {site})"
        )
    if done.held:
        echo(
            f"  legal holds that no hold here named: held as {', '.join(done.held[:SHOWN])}"
            f"{' …' if len(done.held) > SHOWN else ''}; see recorder hold list"
        )
    if done.locks_unknown:
        many = number_of(done.locks_unknown, "object")
        echo(
            f"  whether a legal hold is on it the store does not say of {many}: "
            "give these keys the right to read legal holds, and run it again"
        )
    told = done.contradicted + done.doubtful + done.unreadable
    for key, why in told[:SHOWN]:
        echo(f"  {key}: {why}")
    if len(told) > SHOWN:
        echo(f"  and {len(told) - SHOWN} more: --json names them all")
