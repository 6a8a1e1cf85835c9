"""An RTSP camera on GStreamer; run by Debian's python3, which has ``gi``.

    /usr/bin/python3 rtsp_server.py PORT NAME=FILE.mkv[:h264|h265][:aac|alaw] …
        [user=NAME:PASSWORD] [certificate=FILE.pem]

Prints ``ready`` when it serves.  Each client gets the file from its start, in real time.
"""

import sys

import gi  # type: ignore[import-not-found, unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # type: ignore[import-not-found, unused-ignore]  # noqa: E402

_VIDEO = {
    "h264": "h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "h265": "h265parse ! rtph265pay name=pay0 pt=96 config-interval=-1",
}
_AUDIO = {
    "aac": "aacparse ! rtpmp4gpay name=pay1 pt=97",
    "alaw": "rtppcmapay name=pay1 pt=8",
}


def _guard(user: str, certificate: str) -> object:
    """Ask for a user, and speak TLS, as far as given."""
    guard = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if user:
        name, _, password = user.partition(":")
        guard.add_basic(GstRtspServer.RTSPAuth.make_basic(name, password), token)
    else:
        guard.set_default_token(token)
    if certificate:
        guard.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    return guard


def _permissions() -> object:
    permissions = GstRtspServer.RTSPPermissions()
    for what in ("media.factory.access", "media.factory.construct"):
        permissions.add_permission_for_role("viewer", what, True)
    return permissions


def main() -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(sys.argv[1])
    pairs = dict(argument.split("=", 1) for argument in sys.argv[2:])
    user, certificate = pairs.pop("user", ""), pairs.pop("certificate", "")
    if user or certificate:
        server.set_auth(_guard(user, certificate))
    for name, rest in pairs.items():
        path, *kinds = rest.split(":")
        video = next((kind for kind in kinds if kind in _VIDEO), "h264")
        audio = next((kind for kind in kinds if kind in _AUDIO), None)
        launch = (
            f"( filesrc location={path} ! matroskademux name=d d.video_0 ! queue ! {_VIDEO[video]}"
        )
        if audio:
            launch += f" d.audio_0 ! queue ! {_AUDIO[audio]}"
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch + " )")
        factory.set_shared("shared" in kinds)
        factory.set_permissions(_permissions())
        server.get_mount_points().add_factory(f"/{name}", factory)
    if server.attach(None) == 0:
        sys.exit("port taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
