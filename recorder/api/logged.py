"""What a route does to access stands in the audit log: before it is done, and if it fails."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import cast

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from recorder.api.deps import ANSWERS, AppDep, CallerDep
from recorder.audit.entry import Result, Subject
from recorder.errors import AuditUnavailable, RecorderError


def logs(action: str) -> Dependency:
    """Have a route's action written; the site, or what else it is on, is part of its address."""

    async def written(request: Request, app: AppDep, caller: CallerDep) -> AsyncIterator[None]:
        named = dict(request.path_params)
        about = Subject(str(named.pop("site", "")), name=str(next(iter(named.values()), "")))
        await ANSWERS.run(app.book.note, caller, action, about)
        try:
            yield
        except RecorderError as exc:
            reason = str(exc)[:500]
            with contextlib.suppress(AuditUnavailable):  # what failed did not happen
                await ANSWERS.run(
                    lambda: app.book.note(caller, action, about, Result.FAILED, reason=reason)
                )
            raise

    return cast(Dependency, Depends(written))
