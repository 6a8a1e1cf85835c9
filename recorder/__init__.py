"""Spanstore: a recorder and store for HD surveillance video.

The rooms, from the top down (each imports only what is below it; ``make check`` holds that,
a test holds this map to it):

    cli         the command line
    client      the API as Python, for services and the command line
    api         the HTTP door
    demo        synthetic cameras and a county of six sites, for people and tests
    service     what runs as long as the process does, by role
    presence    what a node says of itself and its streams
    jobs        what is done from time to time
    metrics     what Prometheus is told of streams, of the moment it asks
    doctor      what is missing or slow on this machine
    exports     bundles of evidence as jobs: asked for, made, given out, let go
    above       the link to the site above, made of what a node has
    wanted      what should be recorded, also while the catalog is away
    event_mode  which sealed files leave the spool, where events decide it
    flow        the way of footage through a node: taken in, sent, received, kept in room
    namesake    two machines under the name of one node: which of them ends
    handover    bundles of evidence: held while they are made, signed, in the log
    app         builds every component when it is first asked for; alone knows them all
    made        stores and ffmpeg, as the settings name them
    admission   which stores are this site's own
    sites       the tree of sites: the feed and footage up, documents down, reads across
    config      settings
    accounts    who is who: passwords, sessions, tokens, keys of other sites
    capture     an ffmpeg per stream, watched; its files are sealed
    ingest      sealed files into the catalog
    ship        from the spool to the store, verified
    playback    HLS over stored segments, single frames
    export      clips, archives, bundles of evidence
    logbook     the audit log: written before anything goes out, signed, put in a store
    keyring     the keys that secrets in the catalog are encrypted under
    janitor     carries plans out; thins, scrubs, checks, rebuilds
    reading     one view of all footage, wherever its bytes are
    spool       a node's local disk of segments: its room, and who may leave what there
    store       a directory, an S3 bucket: where segments last
    catalog     segments, spans, copies, gaps, documents in SQLite or PostgreSQL
    process     children that never outlive this one
    private     what is on disk is for its owner alone
    limits      settings of how long words count, and how much one may ask for
    oidc        settings of the provider that people sign in with
    signing     settings of what signs evidence besides the site's key
    pointers    secrets that settings point to, fetched
    door        where the API listens, and what it takes to be reached from elsewhere
    clock       the machine's time, chance and names
    rounds      work that comes round, by a clock that nobody sets
    patience    questions to the catalog, which are not waited for without end
    throttle    the one place where something is kept from going faster than it may
    side_by_side  asking several that may hang at once
    threads     threads for work that may hang
    turns       what only one at a time may do, by name
    failing     what goes on, jobs that fail, plans that warn: said once, not each time
    telemetry   metrics that are counted where something happens
    logs        a line each, as text or JSON
    ports       what rooms need of one another, as Protocols
    durable     files that are there whole, old or new, whatever happens
    regular     files alone are opened, and nothing else that lies in the place of one
    room        what a file system has room for, in bytes and in files
    uncached    long files that are written past the page cache
    mapped      files mapped into memory, of which all can be read

and the pure half: no I/O, no clock, no log.

    access      who may do what: one decision, with its reason
    evidence    what a bundle of evidence says, and whether that is so
    audit       the audit log's bytes: entries, the Merkle tree over them, signed notes
    cut         a time range and segments, to what is taken of each
    activity    how much changes in a picture, by frame sizes
    thinning    a segment of another's clean points alone
    attributes  names and values that a stored object carries
    sealing     what capture left of a file, to segments that describe themselves
    segment     its parts: arrivals, true times, sound, bytes laid out
    bmff        boxes of ISO/IEC 14496-12
    clean_points  where decoding can begin in a segment, packed for the catalog
    index       frame tables: scan, encode, locate, sample tables (compiled; a twin in Python)
    model       nouns: time, keys, media, timeline, cameras
    errors      what can go wrong, grouped by the caller's next move

What policy decides is a package of its own, pure as well: :mod:`policies`.  In which module a
decision is made: ``docs/design/where.md``.
"""
