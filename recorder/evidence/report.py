"""``REPORT.html``: what a bundle holds and lacks, to be read and printed; English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from recorder.evidence.camera_signed import total, words
from recorder.evidence.manifest import HELP
from recorder.evidence.words import cause_words
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND, format_instant, parse_instant

_STYLE = """
:root{color-scheme:light}
body{font:14px/1.5 system-ui,"Noto Sans","Noto Sans CJK SC","Microsoft YaHei",sans-serif;
color:#1a1a1a;background:#fff;max-width:62rem;margin:2rem auto;padding:0 1.5rem}
h1{font-size:1.6rem;margin:0 0 .2rem}h2{font-size:1.2rem;margin:2.2rem 0 .6rem;
border-bottom:2px solid #1a1a1a;padding-bottom:.2rem}h3{font-size:1rem;margin:1.4rem 0 .4rem}
.zh{color:#555;font-weight:normal}table{border-collapse:collapse;width:100%;margin:.4rem 0}
th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;
border-bottom:1px solid #ddd}th{font-weight:600;white-space:nowrap}
code,.mono{font:12px/1.4 ui-monospace,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.facts th{width:17rem}.facts td{overflow-wrap:anywhere}
.bar{display:block;width:100%;height:28px;border:1px solid #1a1a1a;margin:.4rem 0 .2rem}
.ends{display:flex;justify-content:space-between;font-size:12px;color:#555}
.pictures{display:flex;flex-wrap:wrap;gap:.8rem}figure{margin:0;width:calc(50% - .4rem)}
img{width:100%;border:1px solid #999}figcaption{font-size:12px}
.warn{border-left:4px solid #b00020;padding:.3rem .8rem;background:#fdf1f2;margin:.6rem 0}
@media print{body{margin:0;padding:0;max-width:none}code,.mono{font-size:10px}
h2{break-after:avoid}tr,figure{break-inside:avoid}}
"""


def write_report(body: Mapping[str, Any], manifest_sha256: str, signer: str) -> bytes:
    """Write the report of a manifest.

    ``signer``: fingerprint of the key that signs the bundle.
    """
    made = body["made"]
    title = f"Video evidence {made.get('case') or body['id']}"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        '<p class="zh">视频证据报告</p>',
        _about(body),
        *(
            text
            for camera in body["cameras"]
            for text in _camera(camera, body["asked"], copies="copies" in body)
        ),
        _seals(manifest_sha256, signer, body),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode()


def _when(text: str) -> str:
    """Write a time for people: to the millisecond; the manifest has all of it."""
    shown = format_instant(parse_instant(text), 3)
    return f"{shown[:10]} {shown[11:-1]} UTC"


def _burnt(said: Mapping[str, Any] | None) -> str:
    """Say what was burnt into copies; nothing of a bundle that has what was recorded."""
    if said is None:
        return ""
    masks = ["masks over parts of the picture"] if said["masked"] else []
    mark = ["a mark: " + " / ".join(said["mark"])] if said["mark"] else []
    return "with " + " and ".join([*masks, *mark]) + "; the originals are not in this bundle"


def _rows(rows: Sequence[tuple[str, str, str]]) -> str:
    lines = (
        f'<tr><th>{escape(name)} <span class="zh">{zh}</span></th><td>{escape(text)}</td></tr>'
        for name, zh, text in rows
        if text
    )
    return f'<table class="facts">{"".join(lines)}</table>'


def _about(body: Mapping[str, Any]) -> str:
    made, asked = body["made"], body["asked"]
    clock = made.get("clock", {})
    return _rows(
        [
            ("Case", "案件", made.get("case", "")),
            ("Purpose", "用途", made.get("purpose", "")),
            ("Range asked for", "请求时段", f"{_when(asked['start'])} to {_when(asked['end'])}"),
            ("Made", "制作时间", _when(made["at"])),
            ("By", "制作人", made["by"]),
            ("At site, node", "站点、节点", f"{made['site']}, {made['node']}"),
            ("Recorder", "录像软件", made.get("software", "")),
            ("Recorder's clock, now", "录像时钟（制作时）", clock.get("said", "")),
            ("Bundle", "证据包编号", body["id"]),
            ("Copies", "处理后的副本", _burnt(body.get("copies"))),
        ]
    )


_MADE = {
    False: "Made of the same pictures, without change; they begin and end as asked.",
    True: "Copies: decoded, covered with what was burnt in, and encoded anew; each picture has the "
    "time of the one it was made of.",
}


def _camera(camera: Mapping[str, Any], asked: Mapping[str, str], *, copies: bool) -> Iterator[str]:
    name = f"{camera['site']}/{camera['camera']}"
    about = camera["about"]
    label = f"<bdi>{escape(about['label'])}</bdi> · " if about["label"] else ""
    yield f'<h2>{label}{escape(name)} <span class="zh">摄像机</span></h2>'
    segments, gaps = camera["segments"], camera["gaps"]
    covered, missing = camera["covered_seconds"], camera["missing_seconds"]
    yield _rows(
        [
            ("Place", "位置", about["location"] or ""),
            ("Coordinates (WGS 84)", "坐标", _coordinates(about["coordinates"])),
            ("Stream", "码流", camera["stream"]),
            ("Footage", "有录像", f"{covered:.3f} s in {number_of(len(segments), 'segment')}"),
            ("Missing", "缺失", f"{missing:.3f} s in {number_of(len(gaps), 'gap')}"),
            ("Codecs", "编码", ", ".join(dict.fromkeys(one["codecs"] for one in segments))),
            ("Camera's clock", "摄像机时钟", _offsets(segments)),
            ("Signed by the camera itself", "摄像机自签名", _signed(segments)),
            ("Policy in force", "保存策略", camera.get("policy", {}).get("said", "")),
        ]
    )
    yield _bar(asked, gaps)
    for problem in camera["problems"]:
        yield f'<p class="warn">{escape(problem)}</p>'
    yield from _gaps(gaps)
    yield from _pictures(camera["pictures"])
    yield '<h3>Segments as they were recorded <span class="zh">原始录像段</span></h3>'
    if copies:
        yield '<p class="warn">They are <b>not in this bundle</b>: they are named by their digests '
        yield "alone. Ask the site for them to compare. "
        yield '<span class="zh">本证据包不含原始录像段，仅列出其摘要。</span></p>'
    yield _files([{"file": one["key"], **one} for one in segments])
    if camera["clips"]:
        yield '<h3>Clips to play <span class="zh">可播放片段</span></h3>'
        yield f"<p>{_MADE[copies]}</p>"
        yield _files([_with_times(one) for one in camera["clips"]])
    if camera.get("c2pa"):
        yield "<p>Each has a C2PA manifest beside it, in <code>c2pa/</code>.</p>"
    if camera.get("onvif"):
        yield "<h3>The same clips in ONVIF Export File Format (IEC 62676-2-32)</h3>"
        times = {one["file"]: _with_times(one) for one in camera["clips"]}
        yield _files([{**times.get(one["clip"], {}), **one} for one in camera["onvif"]])


def _coordinates(place: Mapping[str, float] | None) -> str:
    return f"{place['latitude']:.6f}, {place['longitude']:.6f}" if place else ""


def _with_times(clip: Mapping[str, Any]) -> dict[str, object]:
    parts = clip["parts"]
    return {**clip, "start": parts[0]["start"], "end": parts[-1]["end"]}


def _signed(segments: Sequence[Mapping[str, Any]]) -> str:
    """Say whether the camera has signed what it sent."""
    counts = [one.get("media_signatures", {}) for one in segments]
    if not any(counts):
        return "no: none of its signatures is in the segments"
    held = sum(bool(one) for one in counts)
    many = number_of(len(counts), "segment")
    return f"{words(total(counts))}, in {held} of {many}; not checked here"


def _offsets(segments: Sequence[Mapping[str, Any]]) -> str:
    """Say by how much the camera's clock was ahead of the recorder's, as it was measured."""
    known = [
        one["camera_clock_offset_ns"] / SECOND
        for one in segments
        if one["camera_clock_offset_ns"] is not None
    ]
    if not known:
        return "not told by the camera"
    low, high = min(known), max(known)
    if high - low < 0.0005:
        return f"{low:+.3f} s against the recorder's"
    return f"{low:+.3f} to {high:+.3f} s against the recorder's"


def _bar(asked: Mapping[str, str], gaps: Sequence[Mapping[str, str]]) -> str:
    """Draw the range: what is there is dark, what is missing is red."""
    start, end = parse_instant(asked["start"]), parse_instant(asked["end"])
    length = max(1, end - start)
    holes = []
    for gap in gaps:
        begin, stop = parse_instant(gap["start"]), parse_instant(gap["end"])
        x, width = 1000 * (begin - start) / length, max(1.0, 1000 * (stop - begin) / length)
        said = f"{_when(gap['start'])} to {_when(gap['end'])}: {cause_words(gap['cause'])[0]}"
        holes.append(
            f'<rect x="{x:.2f}" y="0" width="{width:.2f}" height="28" fill="#d64545">'
            f"<title>{escape(said)}</title></rect>"
        )
    return (
        '<svg class="bar" viewBox="0 0 1000 28" preserveAspectRatio="none" role="img" '
        'aria-label="footage and gaps"><rect width="1000" height="28" fill="#2f5d8a"/>'
        f"{''.join(holes)}</svg>"
        f'<div class="ends"><span>{_when(asked["start"])}</span>'
        f"<span>blue: footage 有录像 · red: missing 缺失</span>"
        f"<span>{_when(asked['end'])}</span></div>"
    )


def _gaps(gaps: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if not gaps:
        yield '<p>Nothing is missing in the range. <span class="zh">该时段录像完整。</span></p>'
        return
    yield '<h3>What is missing, and why <span class="zh">缺失时段及原因</span></h3><table>'
    yield "<tr><th>From 自</th><th>To 至</th><th>Length 时长</th><th>Why 原因</th></tr>"
    for gap in gaps:
        length = (parse_instant(gap["end"]) - parse_instant(gap["start"])) / SECOND
        english, chinese = cause_words(gap["cause"])
        yield (
            f'<tr><td class="mono">{_when(gap["start"])}</td>'
            f'<td class="mono">{_when(gap["end"])}</td><td>{length:.3f} s</td>'
            f'<td>{escape(english)} <span class="zh">{escape(chinese)}</span></td></tr>'
        )
    yield "</table>"


def _pictures(pictures: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not pictures:
        return
    yield '<div class="pictures">'
    for one in pictures:
        name = escape(one["file"], quote=True)
        yield (
            f'<figure><img src="{name}" alt="picture at {_when(one["at"])}">'
            f'<figcaption class="mono">{_when(one["at"])}</figcaption></figure>'
        )
    yield "</div>"


def _files(files: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><td class="mono">{_when(one["start"])}<br>{_when(one["end"])}</td>'
        f"<td>{one['bytes']:,}</td>"
        f"<td><code>{escape(one['file'])}</code><br><code>{escape(one['sha256'])}</code></td></tr>"
        for one in files
    )
    head = "<tr><th>Time 时间</th><th>Bytes 字节</th><th>File, SHA-256 文件与摘要</th></tr>"
    return f"<table>{head}{rows}</table>"


def _seals(manifest_sha256: str, signer: str, body: Mapping[str, Any]) -> str:
    certificate = body.get("signed", {}).get("certificate") or {}
    stamp = body.get("signed", {}).get("timestamp") or {}
    issued = f"{certificate['subject']}, issued by {certificate['issuer']}" if certificate else ""
    return (
        '<h2>How to verify <span class="zh">如何验证</span></h2>'
        f"<p>Follow <code>{HELP}</code>: it needs <code>sha256sum</code> and "
        "<code>openssl</code> alone. Compare the fingerprint below with the one that site "
        f"{escape(body['made']['site'])} has told you some other way. "
        '<span class="zh">请按 VERIFY.txt 操作，并将下列指纹与站点另行告知的指纹比对。</span></p>'
        + _rows(
            [
                ("Key that signs", "签名密钥指纹", signer),
                ("Certificate that signs, too", "签名证书", issued),
                ("SHA-256 of certificate", "证书指纹", certificate.get("certificate_sha256", "")),
                ("Time stamp by", "时间戳机构", stamp.get("authority", "")),
                ("SHA-256 of manifest.json", "清单摘要", manifest_sha256),
            ]
        )
    )
