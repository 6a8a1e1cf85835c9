"""Why ffmpeg ended, and what the next try is given."""

from __future__ import annotations

import pytest

from recorder.capture.command import ANALYZE_S, PATIENT_S
from recorder.capture.ending import CUT_SHORT, MOST_QUIET_S, Patience, why_ended
from recorder.model.causes import cause_of_condition

FIRST = Patience.at_first(5.0)
HEADERLESS = {
    "9": ["[segment @ 0x55] [error] dimensions not set",
          "[out#0/segment @ 0x55] [error] Could not write header (incorrect codec parameters ?): "
          "Invalid argument"],
    "5.1": ["[segment @ 0x55] [error] dimensions not set",
            "[error] Could not write header for output file #0 (incorrect codec parameters ?): "
            "Invalid argument",
            "[error] Error initializing output stream 0:0 --"],
}  # fmt: skip


@pytest.mark.parametrize("release", HEADERLESS)
def test_a_camera_whose_first_picture_comes_late_is_waited_for_longer(release: str) -> None:
    condition, detail = why_ended(HEADERLESS[release], 1, FIRST.quiet_s / 2, FIRST)
    assert (condition, detail) == ("timeout", "no picture came in 3 s; the next try waits longer")
    assert FIRST.after(condition) == Patience(2 * FIRST.quiet_s, ANALYZE_S)


def test_silence_is_a_stall_whoever_notices_it_first() -> None:
    silent = ["[in#0/rtsp @ 0x5] [error] Error during demuxing: Connection timed out"]
    assert why_ended(silent, 0, 0.0, FIRST, footage=True)[0] == "stall"
    assert why_ended(silent, 0, 0.0, FIRST)[0] == "timeout"
    reset = ["[in#0/rtsp @ 0x5] [error] Error during demuxing: Connection reset by peer"]
    assert why_ended(reset, 0, 0.0, FIRST, footage=True)[0] == "timeout"


@pytest.mark.parametrize("release", HEADERLESS)
def test_pictures_without_parameter_sets_are_looked_at_longer(release: str) -> None:
    condition, detail = why_ended(HEADERLESS[release], 1, ANALYZE_S + 0.3, FIRST)
    assert (condition, detail) == ("no-parameters", "dimensions not set")
    assert FIRST.after(condition) == Patience(FIRST.quiet_s, PATIENT_S)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("No space left on device", "spool-full"),
        ("Disk quota exceeded", "spool-full"),
        ("Read-only file system", "spool-refused"),
        ("Permission denied", "spool-refused"),
        ("No such file or directory", "spool-failing"),
        ("Input/output error", "spool-failing"),
        ("Too many open files", "no-resources"),
    ],
)
def test_a_disk_that_refuses_the_next_file_is_not_the_cameras_fault(said: str, name: str) -> None:
    """As ffmpeg 5.1 says it: what it tries after the first refusal fails of itself."""
    refused = [
        "[segment @ 0x5569a7d2bc80] [error] Failed to open segment '/spool/000001.mp4'",
        f"[error] av_interleaved_write_frame(): {said}",
        "[error] av_interleaved_write_frame(): Invalid argument",
        "[error] Error writing trailer of /spool/%06d.mp4: Invalid argument",
    ]
    condition, detail = why_ended(refused, 1, 0.0, FIRST)
    assert (condition, detail) == (name, f"av_interleaved_write_frame(): {said}")
    first = ["[error] Could not write header for output file #0 (incorrect codec parameters ?): "
             f"{said}", "[error] Error initializing output stream 0:0 --"]  # fmt: skip
    assert why_ended(first, 1, FIRST.quiet_s, FIRST)[0] == name


def test_a_wait_that_ended_for_another_reason_is_no_lack_of_pictures() -> None:
    refused = ["[rtsp @ 0x55] [error] method PLAY failed: 401 Unauthorized"]
    assert why_ended(refused, 1, 9.0, FIRST)[0] == "auth-refused"
    assert why_ended([], 251, 9.0, FIRST) == ("ended", "ffmpeg ended with status 251")
    assert why_ended(["[error] strange"], 1, 0.0, FIRST) == ("ended", "strange")


def test_a_camera_that_says_nothing_does_not_answer_and_its_url_may_be_right() -> None:
    hung = [
        "[rtsp @ 0x55] [error] Could not find codec parameters",
        "[error] Error opening input files: Invalid data found when processing input",
    ]
    condition, detail = why_ended(hung, 183, FIRST.first_s, FIRST, unheard=True)
    assert (condition, detail) == ("timeout", "it said nothing in 3 s")
    said = "bad-source", CUT_SHORT
    assert why_ended(hung[1:], 183, 1.0, FIRST, unheard=True) == said, (
        "it hung up, or said something"
    )
    ours = [*hung[1:], "[error] Error opening input: Invalid argument"]
    assert (
        why_ended(ours, 183, 1.0, FIRST, unheard=True)[1] == "Error opening input: Invalid argument"
    )
    refused = ["[rtsp @ 0x55] [error] method DESCRIBE failed: 401 Unauthorized", hung[1]]
    named = why_ended(refused, 183, FIRST.quiet_s, FIRST, unheard=True)[0]
    assert named != "timeout", "slowly, but it answered"


def test_patience_has_a_bound_and_a_least() -> None:
    patience = FIRST
    for _ in range(9):
        patience = patience.after("timeout")
    assert patience.quiet_s == MOST_QUIET_S
    assert FIRST.after("auth-refused") == FIRST
    short = Patience.at_first(1.0)
    assert short.is_over(short.quiet_s / 2)
    assert not short.is_over(ANALYZE_S + 0.3), "looking at pictures is no waiting for them"


@pytest.mark.parametrize(
    ("status", "said"), [(-9, "SIGKILL"), (-11, "SIGSEGV"), (-200, "signal 200")]
)
def test_an_ffmpeg_that_was_killed_is_no_fault_of_the_camera(status: int, said: str) -> None:
    ended = why_ended(["[error] 401 Unauthorized"], status, 0, Patience.at_first(10))
    assert ended == ("program-killed", f"ffmpeg was ended by {said}")
    assert cause_of_condition("program-killed", "source", recording=True) == "node"


@pytest.mark.parametrize(
    "line", ["[error] Unrecognized option 'flush_packets'.",
             "[fatal] Error splitting the argument list: Option not found",
             "[error] Option allowed_media_types not found."]
)  # fmt: skip
def test_an_ffmpeg_that_does_not_know_its_options_is_no_fault_of_the_camera(line: str) -> None:
    condition, _ = why_ended([line], 8, 0, Patience.at_first(10))
    assert condition == "program-unfit"
    assert cause_of_condition(condition, "source", recording=False) == "node"


@pytest.mark.parametrize(
    ("foreign", "said"),
    [("error while loading shared libraries: libavdevice.so.59: cannot open shared object file: "
      "No such file or directory", "status 127: error while loading shared libraries"),
     ("", "status 127: -")],
)  # fmt: skip
def test_what_does_not_speak_as_ffmpeg_does_is_no_fault_of_the_camera(
    foreign: str, said: str
) -> None:
    condition, detail = why_ended([], 127, 0, Patience.at_first(10), foreign=foreign)
    assert condition == "cannot-start"
    assert said in detail
    assert cause_of_condition(condition, "source", recording=False) == "node"
