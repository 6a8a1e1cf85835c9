"""Read a policy document, from whatever a person wrote."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from policies.document import Policy, schema
from policies.doubts import doubts
from policies.law import Law
from policies.sense import mistakes
from recorder.errors import BadDocument, RequestError
from recorder.model.checks import check_json
from recorder.model.unknown import told


def parse_policy(
    document: Mapping[str, object],
    version: int = 0,
    *,
    stored: bool = False,
    law: Law | None = None,
) -> Policy:
    """Read and check a policy document.

    ``stored``: it was accepted once, perhaps by an older release or a site above; what is refused
    only because it is likely to be a mistake goes on counting.  ``law``: what it is held to.
    Raises: ``BadDocument`` with the path of one mistake: a field nobody knows, else the first.

    >>> parse_policy({"rules": [{"name": "all", "keep": {"any": "30d"}}]}).rules[0].name
    'all'
    """
    if "version" in document:
        raise BadDocument("version: no such field")
    try:
        check_json(document, "document")
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc
    try:
        policy = Policy.model_validate(
            {**document, "version": version}, context={"written": not stored}
        )
    except ValidationError as exc:
        said, hint = told(exc.errors(), schema())[0]
        raise BadDocument(said, hint=hint) from exc
    for path, said, hint in mistakes(policy):
        raise BadDocument(f"{path}: {said}", hint=hint)
    for path, said, hint in () if stored else doubts(policy):
        raise BadDocument(f"{path}: {said}", hint=hint)
    if law is not None:
        law.check(policy)
    return policy
