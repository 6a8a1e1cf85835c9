"""Metrics (Prometheus) and logs (fields, not prose)."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody reads
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

_LABELS = ["camera", "stream"]
MISSING = Counter(
    "recorder_capture_missing_frames",
    "Frames a steady stream seems not to have sent",
    _LABELS,
    registry=REGISTRY,
)
GAP_SECONDS = Gauge(
    "recorder_timeline_gap_seconds",
    "Missing of the last 24 hours, by cause",
    [*_LABELS, "cause"],
    registry=REGISTRY,
)
UNREADABLE = Counter("recorder_catalog_unreadable_rows", "Rows left out", registry=REGISTRY)
LOG_LOST = Counter("recorder_log_lost_lines", "Lines that nobody took", registry=REGISTRY)
SEALED = Counter("recorder_capture_sealed_segments", "Segments sealed", registry=REGISTRY)
SPOOL_BYTES = Gauge("recorder_spool_bytes", "Bytes in the spool", ["folder"], registry=REGISTRY)
SPOOL_FILL = Gauge("recorder_spool_fill_ratio", "Share of the spool in use", registry=REGISTRY)
SPOOL_ABSENT = Gauge(
    "recorder_spool_absent_segments",
    "Segments that the catalog has in this node's spool alone, and that are not there",
    registry=REGISTRY,
)
SPOOL_LEFT = Gauge(
    "recorder_spool_left_seconds",
    "Until the spool is full at the present rate, store away",
    registry=REGISTRY,
)
CERTIFICATE_ENDS = Gauge(
    "recorder_api_certificate_end_timestamp_seconds",
    "When the certificate of the API ends; 0 where it has none",
    registry=REGISTRY,
)
SIGNED_IN = Counter("recorder_access_logins", "Tries to sign in", ["result"], registry=REGISTRY)
ACCESS_REFUSED = Counter(
    "recorder_access_refused",
    "Requests refused for who asks, by what they needed",
    ["permission", "status"],
    registry=REGISTRY,
)
CATALOG_REFUSING = Gauge(
    "recorder_catalog_refusing_writes", "1 while the catalog takes nothing", registry=REGISTRY
)
SHED = Counter("recorder_spool_shed_segments", "Segments lost to a full spool", registry=REGISTRY)
SPOOL_DAMAGED = Counter(
    "recorder_spool_damaged_segments", "Sealed files found damaged, put aside", registry=REGISTRY
)
SHIPPED_BYTES = Counter("recorder_ship_bytes", "Bytes committed to the store", registry=REGISTRY)
SHIP_FAILURES = Counter("recorder_ship_failures", "Failed tries", ["error"], registry=REGISTRY)
SHIP_WAITING = Gauge(
    "recorder_ship_waiting_segments", "Sealed, not in the store", registry=REGISTRY
)
SHIP_LAG = Histogram(
    "recorder_ship_lag_seconds",
    "From a segment's end to its commit",
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400),
    registry=REGISTRY,
)
CONNECTIONS_REFUSED = Counter(
    "recorder_api_refused_connections",
    "Connections refused, or dropped before they asked, because there were too many",
    registry=REGISTRY,
)
FEED_ASIDE = Counter(
    "recorder_sites_set_aside",
    "Things sites below said that were not taken in, by what it was",
    ["what"],
    registry=REGISTRY,
)
TURNED_AWAY = Counter(
    "recorder_sites_turned_away",
    "Messages of sites below whose name is another site's",
    ["site"],
    registry=REGISTRY,
)
FEED_REFUSED = Counter(
    "recorder_sites_refused_changes",
    "Changes that the parent found bad, and are told no more",
    registry=REGISTRY,
)
UNSENT = Gauge(
    "recorder_sites_unsent_segments",
    "Set aside because they could not be sent up; each is tried again by itself",
    registry=REGISTRY,
)
CAMERAS = Gauge(
    "recorder_sites_cameras",
    "Cameras of this site and below, by state; dark ones by dark, too",
    ["site", "state"],
    registry=REGISTRY,
)
DARK = Gauge(
    "recorder_sites_camera_dark_timestamp_seconds",
    "Since when a camera of this site or below is dark, Unix time; there is none of others",
    ["site", "camera", "label", "cause"],
    registry=REGISTRY,
)
STORED_BYTES = Gauge(
    "recorder_store_footage_bytes",
    "Footage that the catalog knows there, of the last sweep",
    ["store"],
    registry=REGISTRY,
)
STORE_FREE = Gauge(
    "recorder_store_free_bytes", "Room left, where the store says it", ["store"], registry=REGISTRY
)
STORE_REFUSING = Gauge(
    "recorder_store_refusing_writes", "1 while the last write failed", ["store"], registry=REGISTRY
)
STORE_WRITTEN = Gauge(
    "recorder_store_last_write_timestamp_seconds",
    "When the last write went well, Unix time",
    ["store"],
    registry=REGISTRY,
)
STORE_SIZE = Gauge(
    "recorder_store_size_bytes",
    "Room in all, where the store says it",
    ["store"],
    registry=REGISTRY,
)
PLAN_STOPPED = Gauge(
    "recorder_janitor_plan_stopped",
    "1 while a plan waits for an admin's word",
    ["store"],
    registry=REGISTRY,
)
POLICY_UNLAWFUL = Gauge(
    "recorder_janitor_policy_unlawful",
    "1 while the policy in force passes a limit of the settings (retention)",
    registry=REGISTRY,
)
OTHER_OWNER = Gauge(
    "recorder_janitor_other_owner",
    "1 while nothing is deleted in a store because another recorder writes there, or may",
    ["store"],
    registry=REGISTRY,
)
AUDIT_ENTRIES = Counter("recorder_audit_entries", "Entries written", registry=REGISTRY)
AUDIT_FAILURES = Counter(
    "recorder_audit_failures", "Entries that could not be written", registry=REGISTRY
)
AUDIT_WAITING = Gauge(
    "recorder_audit_waiting_entries", "Written, and in no signed checkpoint yet", registry=REGISTRY
)
AUDIT_SIGNED = Gauge(
    "recorder_audit_last_checkpoint_timestamp_seconds",
    "When the log was last found signed up to its end, Unix time",
    registry=REGISTRY,
)
AUDIT_COUNTERSIGNED = Gauge(
    "recorder_audit_countersigned_timestamp_seconds",
    "When the parent last vouched for the log, Unix time",
    registry=REGISTRY,
)
AUDIT_LEFT = Counter(
    "recorder_audit_left_entries",
    "Entries whose rows have left the catalog, proven in two stores",
    registry=REGISTRY,
)
AUDIT_OLDEST = Gauge(
    "recorder_audit_oldest_row_timestamp_seconds",
    "When the oldest entry was written that the catalog has a row of, Unix time",
    registry=REGISTRY,
)
AUDIT_STAY = Gauge(
    "recorder_audit_rows_stay",
    "Whether old rows stay in the catalog because of a doubt",
    registry=REGISTRY,
)
AUDIT_REFILLED = Counter(
    "recorder_audit_refilled_tiles",
    "Tiles of the log that its store had lost, put back as they were signed",
    registry=REGISTRY,
)
AUDIT_LACKS = Gauge(
    "recorder_audit_tiles_lack",
    "Whether the log's store lacks tiles that could not be put back",
    registry=REGISTRY,
)
AUDIT_CONFLICTS = Counter(
    "recorder_audit_conflicts",
    "Checkpoints of sites below that do not go on from what was vouched for",
    ["site"],
    registry=REGISTRY,
)
CLOCK_AHEAD = Gauge(
    "recorder_clock_ahead_seconds",
    "How far this node's clock is ahead of the one its site shares",
    registry=REGISTRY,
)
CLOCK_DOUBTED = Gauge(
    "recorder_janitor_clock_doubted",
    "1 while nothing is deleted because the clock may be wrong",
    registry=REGISTRY,
)
UNDELETED = Counter(
    "recorder_janitor_refused_deletions",
    "Objects that their store refused to delete; asked again each hour",
    ["store"],
    registry=REGISTRY,
)
ENDED_UPLOADS = Counter(
    "recorder_janitor_ended_uploads",
    "Uploads in parts that broke off, of ours, which were ended",
    ["store"],
    registry=REGISTRY,
)
OTHERS_UPLOADS = Gauge(
    "recorder_janitor_others_uploads",
    "Uploads in parts that broke off, not of ours: they take room, and are left alone",
    ["store"],
    registry=REGISTRY,
)
PURGED_BYTES = Counter(
    "recorder_janitor_purged_bytes", "Bytes deleted from stores", ["store"], registry=REGISTRY
)
EXPIRED_EVENTS = Counter(
    "recorder_janitor_expired_events", "Events forgotten by policy", registry=REGISTRY
)
MOVED_BYTES = Counter(
    "recorder_janitor_moved_bytes", "Bytes moved into a store", ["store"], registry=REGISTRY
)
WAITING = Gauge(
    "recorder_janitor_waiting_segments",
    "Past their age, and still there, by why",
    ["store", "why"],
    registry=REGISTRY,
)
SCRUBBED_BYTES = Counter(
    "recorder_janitor_scrubbed_bytes", "Bytes read again to prove their digests", registry=REGISTRY
)
SCRUB_BEGAN = Gauge(
    "recorder_janitor_scrub_began_timestamp_seconds",
    "When the last pass began, Unix time",
    ["store"],
    registry=REGISTRY,
)
DAMAGED = Gauge(
    "recorder_janitor_damaged_copies",
    "Copies that no other copy could repair",
    ["store"],
    registry=REGISTRY,
)
PUT_BACK = Counter(
    "recorder_janitor_put_back", "Stores put back to an older state", ["store"], registry=REGISTRY
)
EXPORTS = Gauge("recorder_export_jobs", "Exports in the catalog", ["state"], registry=REGISTRY)
EXPORT_BYTES = Gauge("recorder_export_bytes", "Bundles here, also half made", registry=REGISTRY)
EXPORT_SECONDS = Histogram(
    "recorder_export_seconds",
    "From asking for an export until its bundle can be fetched",
    buckets=(10, 30, 60, 300, 900, 3600, 14400, 86400, 259200),
    registry=REGISTRY,
)
EXPORT_FAILURES = Counter("recorder_export_failures", "Exports that failed", registry=REGISTRY)
REQUESTS = Histogram(
    "recorder_api_request_seconds",
    "Until the first byte of the answer",
    ["route", "method", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)
READERS_DROPPED = Counter(
    "recorder_api_readers_dropped", "Clients that took nothing and made room", registry=REGISTRY
)
READERS = Gauge("recorder_api_readers", "Answers of footage being sent now", registry=REGISTRY)
DRAWING = Gauge("recorder_api_pictures", "Pictures being made for callers now", registry=REGISTRY)
DRAWING_REFUSED = Counter("recorder_api_pictures_refused", "Too many at once", registry=REGISTRY)
API_WAITING = Gauge("recorder_api_waiting", "Requests that wait for footage", registry=REGISTRY)


def replace(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """Publish these values of a gauge, and no others: what it had of other labels is dropped."""
    before = [sample for metric in gauge.collect() for sample in metric.samples]
    for labels in (tuple(sample.labels.values()) for sample in before):
        if labels not in values:
            gauge.remove(*labels)
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
