"""What is condemned is judged again, by facts that hold today; no share is too small to count."""

from __future__ import annotations

from dataclasses import replace

from policies.explain import Kept, explain
from policies.facts import Capacity, StoreFacts
from policies.forecast import forecast
from policies.read import parse_policy
from policies.replicate import replicate
from recorder.model.holds import Hold
from recorder.model.places import parse_place
from recorder.model.timebase import DAY, TimeRange
from tests.support.plans import ALL, NOW, going, lane, plan


def test_what_went_within_the_hour_belongs_to_what_its_share_is_of() -> None:
    gone = Capacity(condemned_lately_bytes=900, stored_bytes=100)
    assert plan({"rules": [ALL], "blast_radius": "100%"}, lane(60), capacity=gone).stopped == ""
    assert "100 %" in plan({"rules": [ALL], "blast_radius": "99%"}, lane(60), capacity=gone).stopped


def test_a_share_is_of_our_own_footage_not_of_what_else_lies_on_the_disk() -> None:
    room = Capacity(free_bytes=10**12, total_bytes=2 * 10**12, stored_bytes=100)
    assert "100 %" in plan({"rules": [ALL]}, lane(60), capacity=room).stopped


def test_what_grows_old_as_time_passes_is_no_reason_to_stop() -> None:
    hour = 1 / 24
    steady = lane(*[30 + i * hour / 60 for i in range(60)])
    assert plan({"rules": [ALL]}, steady).stopped == "", "the cameras are gone, their footage ages"
    gone = Capacity(condemned_lately_bytes=6000, arrived_lately_bytes=6000, stored_bytes=6000)
    assert plan({"rules": [ALL]}, steady, capacity=gone).stopped == "", "as much came as went"


def test_what_is_condemned_is_judged_again_by_what_holds_today() -> None:
    one = lane(60, 40, 20, 10)
    one.condemned.update({0, 2})
    made = plan({"rules": [ALL], "blast_radius": "100%"}, one)
    assert [action.start for action in made.actions] == [one.starts[1]]
    assert [action.start for action in made.condemned] == [one.starts[0]]
    (back,) = made.spares
    assert (back.start, back.reason) == (one.starts[2], "its time is not up")
    assert "bytes" not in made.warnings
    assert made.kept == 2


def test_what_one_wrong_answer_of_a_store_condemned_is_taken_back_by_the_next() -> None:
    document = {"rules": [{"name": "all", "keep": {"any": "90d"}}], "blast_radius": "100%"}
    full, one = Capacity(free_bytes=0, total_bytes=400), lane(60, 40, 20, 10)
    wrong = plan(document, one, capacity=full)
    assert wrong.actions
    one.condemned.update(range(len(wrong.actions)))
    again = plan(document, one, capacity=full)
    assert (len(again.condemned), again.actions, again.spares) == (len(wrong.actions), (), ())
    right = plan(document, one, capacity=Capacity(free_bytes=300, total_bytes=400))
    assert len(right.spares) == len(wrong.actions)


def test_room_is_made_for_what_comes_while_the_condemned_wait_for_their_grace() -> None:
    document = {"rules": [{"name": "all", "keep": {"any": "90d"}}], "blast_radius": "100%"}
    one = lane(9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
    a_day = Capacity(free_bytes=150, total_bytes=1150, arriving_bytes=100)
    assert len(plan(document, one, capacity=a_day).actions) == 1
    one.condemned.add(0)
    steady = plan(document, one, capacity=a_day)
    assert (len(steady.condemned), steady.actions, steady.spares) == (1, (), ())


def test_a_copy_whose_clock_was_wrong_ages_from_when_it_was_committed() -> None:
    one = lane(60, 50, 40, 10)
    one.since[1] = NOW - 3 * DAY
    made = plan({"rules": [ALL], "blast_radius": "100%"}, one)
    assert [action.start for action in made.actions] == [one.starts[0], one.starts[2]]


def test_at_a_level_that_the_document_does_not_list_everything_is_kept_and_that_is_said() -> None:
    document = {
        "rules": [{"name": "all", "keep": {"post": "1d", "centre": "1d", "sub-centre": "1d"}}],
        "blast_radius": "100%",
    }
    assert len(plan(document, lane(60)).actions) == 1
    made = plan(document, lane(60), level="outpost")
    assert made.actions == ()
    assert "'outpost' is not among the document's" in made.warnings[0]


def test_what_another_recorder_wrote_goes_only_by_a_rule_that_names_it() -> None:
    theirs = lane(60, 50)
    theirs.writers = ["VendorX", "VendorX"]
    full = Capacity(free_bytes=0, total_bytes=200)
    for room in (Capacity(), full):
        made = plan({"rules": [ALL], "blast_radius": "100%"}, theirs, capacity=room)
        assert made.actions == ()
    named = {"name": "theirs", "match": {"camera": "cam"}, "keep": {"any": "30d"}}
    assert len(plan({"rules": [named, ALL], "blast_radius": "100%"}, theirs).actions) == 2
    assert len(plan({"rules": [ALL], "blast_radius": "100%"}, lane(60, 50)).actions) == 2


def test_of_one_camera_what_another_recorder_wrote_stays_and_what_we_wrote_goes() -> None:
    """A camera that records into the bucket itself, under the name that it has here."""
    mixed = lane(60, 50, 40)
    mixed.writers = ["n.1", "VendorX", "n.1"]
    made = plan({"rules": [ALL], "blast_radius": "100%"}, mixed)
    assert going(made) == [60, 40]
    mixed.writers = ["VendorX", "n.1", "n.1"]
    full = Capacity(free_bytes=0, total_bytes=300)
    made = plan({"rules": [ALL], "blast_radius": "100%"}, mixed, capacity=full)
    assert going(made) == [50, 40]


def test_what_is_condemned_is_not_sent_up() -> None:
    document = {
        "rules": [
            {"name": "a", "keep": {"post": "90d", "centre": "90d"}, "replicate": [{"to": "centre"}]}
        ]
    }
    one = lane(3, 2, 1)
    one.condemned = {1}
    facts = StoreFacts("main", "post", [one], NOW)
    assert [each.start for each in replicate(parse_policy(document), facts)] == [
        one.starts[0],
        one.starts[2],
    ]


def test_a_forecast_leaves_room_for_what_waits_for_its_grace() -> None:
    policy = parse_policy({"rules": [{"name": "all", "keep": {"any": "90d"}}]})
    one = lane(*range(20), size=1000)
    bare, waiting = (
        forecast(policy, StoreFacts("main", "post", [one], NOW, capacity=room))
        for room in (
            Capacity(free_bytes=30_000, total_bytes=50_000),
            Capacity(free_bytes=30_000, total_bytes=50_000, arriving_bytes=5_000),
        )
    )
    assert bare.usable_bytes is not None
    assert waiting.usable_bytes == bare.usable_bytes - 5_000
    assert waiting.full_at is not None
    assert bare.full_at is not None
    assert waiting.full_at < bare.full_at


def test_a_store_that_others_fill_and_nothing_goes_into_has_a_forecast() -> None:
    room = Capacity(free_bytes=10, total_bytes=1000)
    document = {"rules": [ALL], "stores": {"any": {"floor": "5%"}}}
    found = forecast(parse_policy(document), StoreFacts("main", "post", (), NOW, capacity=room))
    assert (found.bytes_per_day, found.usable_bytes, found.full_at) == (0, -40, None)


def test_a_hold_is_said_to_keep_what_lies_below_once_it_is_there() -> None:
    policy, one = parse_policy({"rules": [{"name": "all", "keep": {"any": "90d"}}]}), lane(60)
    range_ = TimeRange(one.starts[0], one.ends[0])
    hold = Hold("h", ("s/cam",), range_, "case", "theft", "ann", 0)
    copies = [Kept(parse_place(place), "post") for place in ("../main", "post1/main")]
    stays = "at post1/main (post) it stays, as soon as the hold is there"
    assert explain(policy, one.stream, "", range_, (), copies, [hold], NOW)[-1] == stays
    ended = replace(hold, released=NOW - 1)
    assert stays not in explain(policy, one.stream, "", range_, (), copies, [ended], NOW)


def test_a_rule_that_lets_footage_go_as_it_comes_and_sends_none_of_it_up_is_told() -> None:
    rule: dict[str, object] = {"name": "all", "keep": {"centre": "90d"}}
    nowhere = {"rules": [rule], "blast_radius": "100%"}
    made = plan(nowhere, lane(0.1))
    assert len(made.actions) == 1
    said = "all: nothing kept at post, and sends none of it up: what is recorded of 1 stream goes"
    assert made.warnings[0].startswith(said)
    sent = {**rule, "replicate": [{"what": "all", "to": "centre"}]}
    assert plan({**nowhere, "rules": [sent]}, lane(0.1)).warnings == ()
    there = lane(0.1)
    there.copied.add(0)
    assert plan(nowhere, there).warnings == (), "it is above"
    assert plan(nowhere, lane(0.1), level="centre").warnings == ()
