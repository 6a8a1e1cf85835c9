"""What the doctor says of access and of the API's certificate, and the metric of its end."""

from __future__ import annotations

from pathlib import Path

from recorder import telemetry
from recorder.above import link_of
from recorder.api.tls import Certificate
from recorder.app import App
from recorder.cli.site import standing_said
from recorder.config import ApiPart, load_settings
from recorder.doctor import Finding, examine
from recorder.door import certificate_ends
from recorder.model.timebase import DAY, SECOND, format_instant
from tests.support.access import ADMIN, make_guarded
from tests.support.tls import make_certificate


def finding(app: App, subject: str) -> Finding:
    (found,) = [one for one in examine(app) if one.subject == subject]
    return found


def test_the_doctor_says_that_access_is_off(tmp_path: Path) -> None:
    app = App(load_settings(None, data=tmp_path))
    assert "is off" in finding(app, "access").detail
    assert "has none" in finding(app, "certificate").detail
    app.close()


def test_the_doctor_misses_an_admin_and_names_tokens_that_end_soon(tmp_path: Path) -> None:
    app = make_guarded(tmp_path)
    found = finding(app, "access")
    assert (found.level, "no admin" in found.detail) == ("note", True)
    app.people.put("ana", ADMIN)
    app.people.set_password("ana", "a long enough password", "")
    app.people.put("wall", [{"role": "viewer"}], "service")
    _, later = app.people.add_token("wall", "", None, 15 * DAY)
    assert finding(app, "access").level == "ok"
    _, soon = app.people.add_token("wall", "", None, 13 * DAY)
    found = finding(app, "access")
    assert (found.level, soon.credential_id in found.detail) == ("note", True)
    assert later.credential_id not in found.detail
    app.close()


def test_the_doctor_and_a_metric_say_when_the_certificate_ends(tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    made.chmod(0o600)
    app = App(load_settings(None, data=tmp_path / "d", api=ApiPart(certificate=made)))
    found = finding(app, "certificate")
    assert (found.level, "valid until" in found.detail) == ("note", True)
    Certificate(made, None)
    (sample,) = [
        one for family in telemetry.REGISTRY.collect() for one in family.samples
        if one.name == "recorder_api_certificate_end_timestamp_seconds"
    ]  # fmt: skip
    assert sample.value == certificate_ends(made) / SECOND
    assert 0 < certificate_ends(made) - app.clock.now() <= 2 * DAY
    app.close()


def test_a_site_tells_above_how_its_access_stands_and_when_its_certificate_ends(
    tmp_path: Path,
) -> None:
    made = make_certificate(tmp_path)
    made.chmod(0o600)
    part = ApiPart(certificate=made)
    settings = load_settings(
        None, data=tmp_path / "d", site="post1", api=part, parent="https://centre.example.org"
    )
    app = App(settings)
    app.people.put("ana", ADMIN)
    app.people.set_password("ana", "a long enough password", "")
    app.people.add_token("ana", "", None, 13 * DAY)
    end = certificate_ends(made)
    link = link_of(app)
    told = link.settings.about()
    assert told == {
        "access": {"on": True, "admins": 1, "ending": 1},
        "certificate_end": format_instant(end, 0),
    }
    assert standing_said(told, end - DAY) == (
        f"; access on, 1 token ends soon; certificate until {format_instant(end, 0)[:10]}"
    )
    assert "CERTIFICATE ENDED" in standing_said(told, end)
    link.stop()
    app.close()


def test_what_a_site_says_of_itself_is_shown_as_far_as_it_is_understood() -> None:
    assert standing_said({}, 0) == ""
    assert standing_said({"access": "yes", "certificate_end": 7}, 0) == ""
    assert standing_said({"access": {}, "certificate_end": "x"}, 0) == "; access OFF; certificate x"
