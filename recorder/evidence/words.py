"""What a bundle says to people, in two languages: how it is verified, why footage is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recorder.evidence.manifest import (
    CHAIN,
    CHECKPOINT,
    NAME,
    P256_SIGNATURE,
    SIGNATURE,
    SIGNER,
    STAMP,
    STAMP_CA,
    STAMPED,
    SUMS,
    UNSUMMED,
)
from recorder.model.counting import number_of
from recorder.model.timebase import SECOND, parse_instant

CAUSES: Mapping[str, tuple[str, str]] = {
    "source": ("the camera sent nothing, or could not be reached", "摄像机无信号或无法连接"),
    "stall": ("the camera's stream stood still", "摄像机码流停滞"),
    "node": ("the recorder did not run", "录像节点未运行"),
    "spool-full": ("the recorder's disk was full", "录像节点磁盘已满"),
    "off-schedule": ("nothing was to be recorded then", "该时段未安排录像"),
    "no-event": ("nothing happened that was to be recorded", "无触发录像的事件"),
    "lost": ("it was recorded and is lost", "录像曾存在，现已丢失"),
    "purged": ("it was recorded, and deleted under the retention policy", "已按保存策略删除"),
    "not-yet": ("it had not been recorded yet", "尚未录制"),
}


def cause_words(cause: str) -> tuple[str, str]:
    """Say what a cause means, in English and Chinese.

    >>> cause_words("source")[0]
    'the camera sent nothing, or could not be reached'
    """
    return CAUSES.get(cause, (cause, cause))


def gaps_words(count: int) -> str:
    """Say how many gaps there are.

    >>> gaps_words(0), gaps_words(1)
    ('no gap', '1 gap, with its cause')
    """
    if not count:
        return "no gap"
    return number_of(count, "gap, with its cause", "gaps, each with its cause")


def _copies(body: Mapping[str, object]) -> str:
    if "copies" not in body:
        return ""
    return """\
This bundle has COPIES, in which parts of the picture are covered or a mark is
burnt in. The segments that they were made of are not in it: the manifest names
them by their digests. So the copies are what the site handed out, and nothing
here shows that they are what was recorded; the site has the originals.
本证据包仅含处理后的副本，不含原始录像段；清单列出原始录像段的摘要，可向站点索取比对。

"""


def verify_help(body: Mapping[str, Any], signer: str) -> bytes:
    """Write ``VERIFY.txt``: how to check a bundle with sha256sum and openssl alone."""
    site = body["made"]["site"]
    return f"""\
HOW TO VERIFY THIS BUNDLE                                        如何验证本证据包
===============================================================================
Bundle {body["id"]}, made by site {site}.
Nothing but sha256sum and openssl (3.0 or later) is needed. Run all commands in
the folder that holds this file.
只需 sha256sum 与 openssl（3.0 及以上）。请在本文件所在目录运行以下命令。

{_four_steps(site, signer)}{_certificate(body)}{_stamp(body)}
These prove that what lies here is, byte for byte, what site {site}
handed out. What it is (which camera, which time, what is missing and why) is said
by {NAME}, and for reading by REPORT.html. `recorder verify` proves more: that
each segment says itself what the manifest says of it, that no gap is hidden, and
that the export stands in the site's audit log ({CHECKPOINT}).
以上各步证明：本目录内容与站点 {site} 交出时逐字节一致。`recorder verify` 还会核对：
每个录像段自身所记的摄像机与时间、是否有未列出的缺口、本次导出是否记入审计日志。

{_copies(body)}If any step fails, the bundle is not what was handed out. Say so, keep it as it
is, and ask the site for it again.
任一步失败，即说明证据包与交出时不符：请保持原状，并向站点重新索取。
""".encode()


def _four_steps(site: str, signer: str) -> str:
    return f"""\
1. Whose key is it?  密钥属于谁？

     openssl pkey -pubin -in {SIGNER} -outform DER | sha256sum

   must print

     {signer}

   and this must be the fingerprint that site {site} has told you SOME OTHER
   WAY than with this bundle (on paper, by telephone, on its web page). This file
   proves nothing about it: who forges a bundle forges this line, too.
   输出须与上面的指纹一致，并且须与该站点通过其他途径（书面、电话、官网）告知的
   指纹一致。本文件自身不能证明这一点。

2. Has that key signed the sums?  该密钥是否签署了校验和清单？

     openssl pkeyutl -verify -pubin -inkey {SIGNER} -rawin \\
       -in {SUMS} -sigfile {SIGNATURE}

   must print "Signature Verified Successfully".

3. Are the files those that were signed?  文件是否与签署时一致？

     sha256sum --check --quiet --strict {SUMS}

   must print nothing, and end with status 0.

4. Is nothing added?  是否有多余文件？

     find . ! -type d | sort

   must list the files of {SUMS}, and besides at most
   {_unsummed()};
   what else is there belongs to nobody.
"""


def _unsummed() -> str:
    return ", ".join(sorted(UNSUMMED))


def _certificate(body: Mapping[str, Any]) -> str:
    """Tell how an organisation's signature is checked, where there is one."""
    said = body.get("signed", {}).get("certificate")
    if not said:
        return ""
    return f"""
5. Whose certificate signs it, too?  另由谁的证书签署？

     openssl x509 -in {CHAIN} -noout -subject -issuer -dates

   must print {said["subject"]}. Has its key signed the sums?

     openssl x509 -in {CHAIN} -noout -pubkey -out /tmp/organisation.pem
     openssl dgst -sha256 -verify /tmp/organisation.pem \\
       -signature {P256_SIGNATURE} {SUMS}

   must print "Verified OK". Does a CA that you trust vouch for it? Take its
   certificate from elsewhere, as CA.pem:

     openssl verify -attime {parse_instant(body["made"]["at"]) // SECOND} \\
       -CAfile CA.pem -untrusted {CHAIN} {CHAIN}

   must print "{CHAIN}: OK": valid when the bundle says it was made.
   CA.pem 须另行取得；应显示 OK。
"""


def _stamp(body: Mapping[str, Any]) -> str:
    """Tell how the time stamp is checked, where there is one."""
    said = body.get("signed", {}).get("timestamp")
    if not said:
        return ""
    number = 6 if _certificate(body) else 5
    return f"""
{number}. When was it signed?  何时签署？

     sha256sum --check --quiet --strict {STAMPED}

   must print nothing: what is stamped is these signatures. Take the certificates
   of the CAs of {said["authority"]} from elsewhere, as TSA.pem
   ({STAMP_CA} has them as the site knew them):

     openssl ts -verify -data {STAMPED} -in {STAMP} -CAfile TSA.pem

   must print "Verification: OK". The time itself, and who stamped it:

     openssl ts -reply -in {STAMP} -text

   The stamp shows that the signatures were there then; with certificates that have
   expired since, add -attime and that time in seconds.
   时间戳证明签名在该时刻已存在。
"""
