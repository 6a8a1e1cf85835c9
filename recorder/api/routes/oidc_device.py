"""Signing in at an OpenID provider from a machine without a browser (RFC 8628)."""

from __future__ import annotations

from fastapi import Request, Response

from recorder import telemetry
from recorder.access.permissions import Permission as P
from recorder.accounts import device
from recorder.api.accounts import DeviceBody
from recorder.api.deps import ANSWERS, AppDep
from recorder.api.gate import needs
from recorder.api.routes.oidc import ask, provider_of, take_in
from recorder.api.routing import Routes
from recorder.api.sessions import give_session, show_me
from recorder.api.shown import ShownDevice, ShownMe, ShownWait
from recorder.errors import NotAllowed, NotKnown, ProviderUnreachable, RequestError

router = Routes(prefix="/api/v1/access/oidc/device", tags=("access",))


@router.post("", dependencies=[needs(P.PUBLIC)])
async def begin_on_device(request: Request, response: Response) -> ShownDevice:
    """Begin to sign in where no browser is: a code that a person types in at the provider.

    Whoever shows ``device`` to ``redeem`` gets the session: keep it to yourself.
    """
    provider = provider_of(request)
    begun = await ask(provider, device.begin, provider)
    response.headers["cache-control"] = "no-store"
    return {
        "device": begun.device,
        "code": begun.code,
        "address": begun.address,
        "whole_address": begun.whole_address,
        "lasts_seconds": begun.lasts_s,
        "wait_seconds": begun.step_s,
    }


@router.post("/redeem", dependencies=[needs(P.PUBLIC)], responses={202: {"model": ShownWait}})
async def redeem_on_device(
    body: DeviceBody, app: AppDep, request: Request, response: Response
) -> ShownMe | ShownWait:
    """Get the session, once the person has signed in; 202 until then, to be asked again.

    ``wait_seconds`` is how much longer than before to wait each time.
    """
    provider, shown = provider_of(request), body.get("device")
    if not isinstance(shown, str) or not 0 < len(shown) <= device.MOST_TEXT:
        raise RequestError("device: must be what /access/oidc/device answered")
    response.headers["cache-control"] = "no-store"
    try:
        wanted = (provider.part.name, provider.part.groups)
        found = await ask(provider, device.claims, provider, shown, wanted)
        if isinstance(found, int):
            response.status_code = 202
            return {"wait_seconds": found}
        account = await take_in(app, request, provider, found)
    except ProviderUnreachable:
        telemetry.SIGNED_IN.labels("unavailable").inc()
        raise
    except (NotKnown, NotAllowed):
        telemetry.SIGNED_IN.labels("wrong").inc()
        raise
    telemetry.SIGNED_IN.labels("right").inc()
    known = await ANSWERS.run(give_session, app, request, response, account, "oidc")
    return show_me(app, known, on=True)
