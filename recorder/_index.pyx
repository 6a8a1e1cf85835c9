# cython: language_level=3
"""The compiled index.  ``_index_py.py`` is its specification; the two run the same tests."""

from cpython cimport array
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

import array

cdef enum:
    C_END = 0
    C_TORN = 1
    C_MALFORMED = 2

END, TORN, MALFORMED = C_END, C_TORN, C_MALFORMED

cdef int64_t MAX_SAMPLES = 1 << 20
cdef uint64_t NTP_UNIX_S = 2208988800
cdef uint32_t NON_SYNC = 0x00010000
cdef uint32_t T_MFRA = 0x6D667261, T_PRFT = 0x70726674, T_MOOF = 0x6D6F6F66
cdef uint32_t T_MDAT = 0x6D646174, T_TRAF = 0x74726166, T_TFHD = 0x74666864
cdef uint32_t T_TFDT = 0x74666474, T_TRUN = 0x7472756E
cdef int64_t LIMIT = <int64_t>1 << 61
cdef array.array _Q = array.array("q")


cdef struct Vec:
    int64_t* at
    Py_ssize_t n
    Py_ssize_t room

cdef inline int push(Vec* v, int64_t value) except -1 nogil:
    cdef Py_ssize_t room
    cdef int64_t* grown
    if v.n == v.room:
        room = v.room * 2 if v.room else 256
        grown = <int64_t*>realloc(v.at, room * sizeof(int64_t))
        if grown == NULL:
            with gil:
                raise MemoryError()
        v.at = grown
        v.room = room
    v.at[v.n] = value
    v.n += 1
    return 0

cdef object taken(Vec* v):
    """Hand a column over to Python as an ``array('q')``."""
    cdef array.array out = array.clone(_Q, v.n, zero=False)
    if v.n:
        memcpy(out.data.as_chars, v.at, v.n * sizeof(int64_t))
    return out


cdef inline uint32_t u32(const uint8_t* p) noexcept nogil:
    return (<uint32_t>p[0] << 24) | (<uint32_t>p[1] << 16) | (<uint32_t>p[2] << 8) | p[3]

cdef inline uint64_t u64(const uint8_t* p) noexcept nogil:
    return (<uint64_t>u32(p) << 32) | u32(p + 4)

cdef struct Box:
    uint32_t kind
    int64_t payload
    int64_t after

cdef inline bint read_box(const uint8_t* buf, int64_t at, int64_t end, Box* box) noexcept nogil:
    """Read the box at ``at``; false when it does not fit before ``end``."""
    cdef uint64_t size
    cdef int64_t head = 8
    if end - at < 8:
        return False
    size = u32(buf + at)
    if size == 1:
        if end - at < 16:
            return False
        size = u64(buf + at + 8)
        head = 16
    if size < <uint64_t>head or size > <uint64_t>(end - at):
        return False
    box.kind = u32(buf + at + 4)
    box.payload = at + head
    box.after = at + <int64_t>size
    return True

cdef struct Track:
    int64_t track_id
    uint32_t duration, size, flags
    int64_t next_dts
    Vec dts, sizes, durations, cts, sync, offsets, first

cdef tuple columns_of(Track* t):
    """Hand all columns of a track over to Python."""
    push(&t.first, t.dts.n)
    return (taken(&t.dts), taken(&t.sizes), taken(&t.durations), taken(&t.cts),
            taken(&t.sync), taken(&t.offsets), taken(&t.first))

cdef void free_track(Track* t) noexcept:
    free(t.dts.at)
    free(t.sizes.at)
    free(t.durations.at)
    free(t.cts.at)
    free(t.sync.at)
    free(t.offsets.at)
    free(t.first.at)

cdef int truncate(Track* t, Py_ssize_t n, int64_t dts) noexcept nogil:
    t.dts.n = t.sizes.n = t.durations.n = t.cts.n = t.sync.n = t.offsets.n = n
    t.next_dts = dts
    return 0

cdef inline int bits_of(uint32_t value) noexcept nogil:
    cdef int n = 0
    while value:
        n, value = n + (value & 1), value >> 1
    return n

cdef struct Run:
    int64_t low, high, cursor, base
    uint32_t duration, size, flags

cdef int read_trun(const uint8_t* buf, int64_t p, int64_t end, Run* run, Track* t) except -1 nogil:
    """Append the samples of a ``trun``; 1 when it is malformed."""
    cdef uint32_t bits, count, length, size, flag, i
    cdef int64_t q = p + 8, first_flags = -1, cts
    cdef uint8_t version
    if end - p < 8:
        return 1
    version = buf[p]
    bits = u32(buf + p) & 0xFFFFFF
    count = u32(buf + p + 4)
    if count > <uint64_t>MAX_SAMPLES:
        return 1
    if end - q < 4 * ((bits & 1) + ((bits >> 2) & 1)) + <int64_t>4 * bits_of(bits & 0xF00) * count:
        return 1
    if bits & 0x01:
        run.cursor = run.base + <int32_t>u32(buf + q)
        q += 4
    if bits & 0x04:
        first_flags = u32(buf + q)
        q += 4
    for i in range(count):
        length, size, flag, cts = run.duration, run.size, run.flags, 0
        if bits & 0x100:
            length = u32(buf + q)
            q += 4
        if bits & 0x200:
            size = u32(buf + q)
            q += 4
        if bits & 0x400:
            flag = u32(buf + q)
            q += 4
        elif i == 0 and first_flags >= 0:
            flag = <uint32_t>first_flags
        if bits & 0x800:
            cts = <int32_t>u32(buf + q) if version else <int64_t>u32(buf + q)
            q += 4
        if run.cursor < run.low or <int64_t>size > run.high - run.cursor:
            return 1
        push(&t.dts, t.next_dts)
        push(&t.sizes, size)
        push(&t.durations, length)
        push(&t.cts, cts)
        push(&t.sync, 0 if flag & NON_SYNC else 1)
        push(&t.offsets, run.cursor)
        t.next_dts += length
        run.cursor += size
    return 0

cdef int read_traf(const uint8_t* buf, int64_t at, int64_t end, Run* run, Track* tracks,
                   int n_tracks) except -1 nogil:
    cdef Box box
    cdef Track* t = NULL
    cdef uint32_t bits
    cdef uint64_t base, value
    cdef int64_t p, q, moof = run.base
    cdef bint seen = False
    cdef int i
    run.duration = run.size = run.flags = 0
    while at < end:
        if not read_box(buf, at, end, &box):
            return 1
        p = box.payload
        if box.kind == T_TFHD:
            if box.after - p < 8:
                return 1
            bits = u32(buf + p) & 0xFFFFFF
            t = NULL
            for i in range(n_tracks):
                if tracks[i].track_id == u32(buf + p + 4):
                    t = &tracks[i]
                    break
            run.duration = run.size = run.flags = 0
            if t != NULL:
                run.duration, run.size, run.flags = t.duration, t.size, t.flags
            if box.after - p < 8 + 8 * <int64_t>(bits & 1) + 4 * bits_of(bits & 0x3A):
                return 1
            q = p + 8
            if bits & 0x01:
                base = u64(buf + q)
                if base > <uint64_t>1 << 62:
                    return 1
                run.base = <int64_t>base
                q += 8
            if bits & 0x02:
                q += 4
            if bits & 0x08:
                run.duration = u32(buf + q)
                q += 4
            if bits & 0x10:
                run.size = u32(buf + q)
                q += 4
            if bits & 0x20:
                run.flags = u32(buf + q)
            seen = True
        elif box.kind == T_TFDT and t != NULL:
            if box.after - p < 8 or (buf[p] == 1 and box.after - p < 12):
                return 1
            value = u64(buf + p + 4) if buf[p] == 1 else u32(buf + p + 4)
            t.next_dts = <int64_t>value  # a start before zero is written so for B-frames
            if t.next_dts > LIMIT or t.next_dts < -LIMIT:
                return 1
        elif box.kind == T_TRUN:
            if not seen:
                return 1
            if t != NULL and read_trun(buf, p, box.after, run, t):
                return 1
        at = box.after
    run.base = moof
    return 0

cdef int read_moof(const uint8_t* buf, int64_t at, int64_t end, Run* run, Track* tracks,
                   int n_tracks) except -1 nogil:
    cdef Box box
    while at < end:
        if not read_box(buf, at, end, &box):
            return 1
        if box.kind == T_TRAF and read_traf(buf, box.payload, box.after, run, tracks, n_tracks):
            return 1
        at = box.after
    return 0

cdef int64_t read_prft(const uint8_t* buf, int64_t p, int64_t end) noexcept nogil:
    cdef uint64_t ntp, seconds
    if end - p < 20:
        return -1
    ntp = u64(buf + p + 8)
    seconds = ntp >> 32
    if seconds < NTP_UNIX_S:
        return -1
    return <int64_t>((seconds - NTP_UNIX_S) * 1000000000
                     + ((<uint64_t><uint32_t>ntp * 1000000000) >> 32))


cdef class _Scan:
    """Owns the columns while a scan grows them."""

    cdef Vec offsets, ends, prfts
    cdef Track[64] tracks
    cdef int n_tracks

    def __dealloc__(self):
        cdef int i
        free(self.offsets.at)
        free(self.ends.at)
        free(self.prfts.at)
        for i in range(self.n_tracks):
            free_track(&self.tracks[i])

    cdef int walk(self, const uint8_t* buf, int64_t start, int64_t total,
                  int64_t* stop) except -1 nogil:
        cdef int64_t at = start, begin = start, prft = -1
        cdef Py_ssize_t[64] marks
        cdef int64_t[64] dts
        cdef Box box, mdat
        cdef Run run
        cdef int i
        stop[0] = start
        while at < total:
            if not read_box(buf, at, total, &box):
                return C_TORN
            if box.kind == T_MFRA:
                return C_END
            if box.kind == T_PRFT:
                prft = read_prft(buf, box.payload, box.after)
            elif box.kind == T_MOOF:
                for i in range(self.n_tracks):
                    marks[i] = self.tracks[i].dts.n
                    dts[i] = self.tracks[i].next_dts
                if not read_box(buf, box.after, total, &mdat):
                    return C_TORN
                run.low, run.high, run.cursor, run.base = mdat.payload, mdat.after, mdat.payload, at
                if mdat.kind != T_MDAT or read_moof(
                    buf, box.payload, box.after, &run, self.tracks, self.n_tracks
                ):
                    for i in range(self.n_tracks):
                        truncate(&self.tracks[i], marks[i], dts[i])
                    return C_MALFORMED
                for i in range(self.n_tracks):
                    push(&self.tracks[i].first, marks[i])
                push(&self.offsets, begin)
                push(&self.ends, mdat.after)
                push(&self.prfts, prft)
                prft = -1
                at = begin = stop[0] = mdat.after
                continue
            at = box.after
            if box.kind != T_PRFT:
                begin = at
                prft = -1
        return C_END


def scan(buf, start, specs):
    """Walk the fragments of a file from byte ``start``; see the twin."""
    cdef const uint8_t[::1] view
    cdef _Scan s = _Scan()
    cdef int64_t stop = start, begin = start, total
    cdef int reason, i
    cdef const uint8_t* p = NULL
    if start < 0 or start > len(buf):
        raise ValueError("start outside the buffer")
    if len(specs) > 64:
        raise ValueError("too many tracks")
    for i, (track_id, duration, size, flags) in enumerate(specs):
        s.tracks[i].track_id = track_id
        s.tracks[i].duration, s.tracks[i].size, s.tracks[i].flags = duration, size, flags
        s.n_tracks = i + 1
    total = len(buf)
    if total:
        view = buf
        p = &view[0]
    with nogil:
        reason = s.walk(p, begin, total, &stop)
    tracks = []
    for i in range(s.n_tracks):
        tracks.append(columns_of(&s.tracks[i]))
    return taken(&s.offsets), taken(&s.ends), taken(&s.prfts), tracks, stop, reason


# -- frame table bytes -----------------------------------------------------------------------
cdef inline uint64_t zig(int64_t value) noexcept nogil:
    return (<uint64_t>value << 1) ^ <uint64_t>(value >> 63)

cdef inline int64_t zag(uint64_t value) noexcept nogil:
    return <int64_t>((value >> 1) ^ (0 - (value & 1)))


cdef class _Writer:
    cdef uint8_t* at
    cdef Py_ssize_t n, room

    def __dealloc__(self):
        free(self.at)

    cdef int put(self, uint64_t value) except -1:
        cdef uint8_t* grown
        if self.room - self.n < 10:
            grown = <uint8_t*>realloc(self.at, self.room * 2 + 1024)
            if grown == NULL:
                raise MemoryError()
            self.at = grown
            self.room = self.room * 2 + 1024
        while value > 0x7F:
            self.at[self.n] = <uint8_t>(value & 0x7F | 0x80)
            self.n += 1
            value >>= 7
        self.at[self.n] = <uint8_t>value
        self.n += 1
        return 0

    cdef bytes done(self):
        return (<char*>self.at)[: self.n] if self.n else b""


cdef class _Reader:
    cdef const uint8_t[::1] view
    cdef const uint8_t* p
    cdef Py_ssize_t at, end

    def __init__(self, buf):
        self.at, self.end, self.p = 0, len(buf), NULL
        if self.end:
            self.view = buf
            self.p = &self.view[0]

    cdef uint64_t get(self) except? 1:
        cdef uint64_t value = 0, byte
        cdef int shift = 0
        while True:
            if self.at >= self.end or shift > 63:
                raise ValueError("number runs past the table")
            byte = self.p[self.at]
            self.at += 1
            if shift == 63 and (byte & 0x7F) > 1:
                if byte >= 0x80:
                    raise ValueError("number runs past the table")
                raise ValueError("number too large")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    cdef int64_t zag(self) except? -9223372036854775807:
        return zag(self.get())

cdef struct State:
    int64_t dts, size, duration, cts


def encode_table(offsets, ends, prfts, walls, list tracks, init_size):
    """Pack fragment and frame columns; see the twin."""
    cdef const int64_t[::1] offset_, end_, prft_, wall_
    cdef const int64_t[::1] dts, size, duration, cts, sync, at, first
    cdef _Writer out = _Writer()
    cdef State[64] states
    cdef State* now
    cdef Py_ssize_t i, j, n = len(offsets)
    cdef int k
    cdef int64_t last_end = init_size, last_prft = 0, last_wall = 0, expected
    cdef bint jump, late
    out.put(len(tracks))
    out.put(n)
    if not n:
        return out.done()
    offset_, end_, prft_, wall_ = offsets, ends, prfts, walls
    for k in range(len(tracks)):
        states[k].dts = states[k].size = states[k].duration = states[k].cts = 0
    for i in range(n):
        out.put(zig(offset_[i] - last_end))
        out.put(zig(end_[i] - offset_[i]))
        out.put(zig(prft_[i] - last_prft))
        out.put(zig(wall_[i] - last_wall))
        last_end, last_prft, last_wall = end_[i], prft_[i], wall_[i]
        for k in range(len(tracks)):
            now = &states[k]
            first = tracks[k][6]
            out.put(first[i + 1] - first[i])
            if first[i + 1] == first[i]:
                continue
            dts, size, duration, cts, sync, at = tracks[k][:6]
            expected = offset_[i]
            for j in range(first[i], first[i + 1]):
                jump = at[j] != expected
                late = dts[j] != now.dts
                out.put((zig(size[j] - now.size) << 5) | (<uint64_t>late << 4)
                        | (<uint64_t>jump << 3) | (<uint64_t>(cts[j] != now.cts) << 2)
                        | (<uint64_t>(duration[j] != now.duration) << 1) | <uint64_t>(sync[j] != 0))
                if duration[j] != now.duration:
                    out.put(zig(duration[j] - now.duration))
                if cts[j] != now.cts:
                    out.put(zig(cts[j] - now.cts))
                if jump:
                    out.put(zig(at[j] - expected))
                if late:
                    out.put(zig(dts[j] - now.dts))
                now.dts = dts[j] + duration[j]
                now.size, now.duration, now.cts = size[j], duration[j], cts[j]
                expected = at[j] + size[j]
    return out.done()

cdef inline int64_t added(int64_t a, int64_t b) except? -9223372036854775807:
    """Add; refuse sums that leave the 64-bit range, as the twin's arrays do."""
    if (b > 0 and a > 9223372036854775807 - b) or (b < 0 and a < -9223372036854775807 - 1 - b):
        raise ValueError("number too large")
    return a + b

cdef int decode_run(_Reader reader, Track* t, State* now, int64_t expected) except -1:
    cdef uint64_t count, token, i
    push(&t.first, t.dts.n)
    count = reader.get()
    if count > <uint64_t>(reader.end - reader.at):
        raise ValueError("implausible counts")
    for i in range(count):
        token = reader.get()
        now.size = added(now.size, zag(token >> 5))
        if token & 2:
            now.duration = added(now.duration, reader.zag())
        if token & 4:
            now.cts = added(now.cts, reader.zag())
        if token & 8:
            expected = added(expected, reader.zag())
        if token & 16:
            now.dts = added(now.dts, reader.zag())
        if now.size < 0 or now.duration < 0 or expected < 0:
            raise ValueError("negative size")
        push(&t.dts, now.dts)
        push(&t.sizes, now.size)
        push(&t.durations, now.duration)
        push(&t.cts, now.cts)
        push(&t.sync, token & 1)
        push(&t.offsets, expected)
        now.dts = added(now.dts, now.duration)
        expected = added(expected, now.size)
    return 0


def decode_table(buf, init_size):
    """Unpack a frame table; see the twin."""
    cdef _Reader reader = _Reader(buf)
    cdef _Scan s = _Scan()
    cdef State[64] states
    cdef Vec walls
    cdef uint64_t n_tracks = reader.get(), n_fragments = reader.get(), i
    cdef int64_t last_end = init_size, begin, last_prft = 0, last_wall = 0
    cdef int k
    if n_tracks > 64 or n_fragments > <uint64_t>reader.end:
        raise ValueError("implausible counts")
    walls.at, walls.n, walls.room = NULL, 0, 0
    s.n_tracks = <int>n_tracks
    for k in range(s.n_tracks):
        states[k].dts = states[k].size = states[k].duration = states[k].cts = 0
    try:
        for i in range(n_fragments):
            begin = added(last_end, reader.zag())
            last_end = added(begin, reader.zag())
            last_prft = added(last_prft, reader.zag())
            last_wall = added(last_wall, reader.zag())
            if begin < 0 or last_end < begin:
                raise ValueError("fragment ends before it starts")
            push(&s.offsets, begin)
            push(&s.ends, last_end)
            push(&s.prfts, last_prft)
            push(&walls, last_wall)
            for k in range(s.n_tracks):
                decode_run(reader, &s.tracks[k], &states[k], begin)
        tracks = []
        for k in range(s.n_tracks):
            tracks.append(columns_of(&s.tracks[k]))
        return (taken(&s.offsets), taken(&s.ends), taken(&s.prfts), taken(&walls), tracks,
                reader.at)
    finally:
        free(walls.at)

def pack_ints(values):
    """Pack a column as zig-zag varint deltas."""
    cdef const int64_t[::1] column
    cdef _Writer out = _Writer()
    cdef int64_t last = 0
    cdef Py_ssize_t i
    if not len(values):
        return b""
    column = values
    for i in range(column.shape[0]):
        out.put(zig(column[i] - last))
        last = column[i]
    return out.done()

def unpack_ints(buf):
    """Unpack a column packed by :func:`pack_ints`."""
    cdef _Reader reader = _Reader(buf)
    cdef Vec values
    cdef int64_t last = 0
    values.at, values.n, values.room = NULL, 0, 0
    try:
        while reader.at < reader.end:
            last = added(last, reader.zag())
            push(&values, last)
        return taken(&values)
    finally:
        free(values.at)

def locate(const int64_t[::1] starts, int64_t t):
    """Return the last ``i`` with ``starts[i] <= t``, or -1 when ``t`` is before all."""
    cdef Py_ssize_t lo = 0, hi = starts.shape[0], mid
    while lo < hi:
        mid = (lo + hi) >> 1
        if starts[mid] <= t:
            lo = mid + 1
        else:
            hi = mid
    return lo - 1

def cut(const int64_t[::1] dts, const int64_t[::1] cts, const int64_t[::1] duration,
        const int64_t[::1] sync, span):
    """Choose the frames shown in ``[span[0], span[1])``; see the twin."""
    cdef int64_t low = span[0], high = span[1], pts, first = 0, last = 0, end = 0
    cdef Py_ssize_t i, lo = -1, hi = -1, clean, shown = 0
    for i in range(dts.shape[0]):
        pts = dts[i] + cts[i]
        if low <= pts < high:
            shown += 1
            if lo < 0:
                lo = i
                first = last = pts
                end = pts + duration[i]
            hi = i
            if pts < first:
                first = pts
            if pts > last:
                last = pts
                end = pts + duration[i]
    if lo < 0:
        return 0, 0, 0, 0, 0, 0
    clean = lo
    while clean > 0 and not (
        sync[clean] and dts[clean] + cts[clean] + max(0, sync[clean] - 2) <= first
    ):
        clean -= 1
    return clean, hi + 1, first, last, end, shown

cdef inline void store_u32(uint8_t* p, uint32_t value) noexcept nogil:
    p[0] = value >> 24
    p[1] = (value >> 16) & 0xFF
    p[2] = (value >> 8) & 0xFF
    p[3] = value & 0xFF

cdef int append_u32(bytearray out, uint32_t value) except -1:
    cdef uint8_t[4] raw
    store_u32(raw, value)
    out += (<char*>raw)[:4]
    return 0

cdef int write_run(bytearray out, int64_t* count, int64_t value) except -1:
    """Write an open run as (count, value) and close it."""
    if count[0]:
        append_u32(out, <uint32_t>count[0])
        append_u32(out, <uint32_t>value)
        count[0] = 0
    return 0


cdef class TrackTables:
    """The sample tables of one track of a clip, grown run by run; see the twin."""

    cdef readonly bytearray stsz, stss, stts, ctts
    cdef Vec parts, offsets, lengths, counts
    cdef readonly int64_t samples, ticks, syncs
    cdef readonly bint has_ctts
    cdef int64_t stts_n, stts_value, ctts_n, ctts_value, next_part, next_offset

    def __init__(self):
        self.stsz, self.stss = bytearray(), bytearray()
        self.stts, self.ctts = bytearray(), bytearray()
        self.samples = self.ticks = self.syncs = 0
        self.stts_n = self.ctts_n = 0
        self.next_part = self.next_offset = -1

    def __dealloc__(self):
        free(self.parts.at)
        free(self.offsets.at)
        free(self.lengths.at)
        free(self.counts.at)

    @property
    def chunks(self):
        """Columns part, offset, length, samples of stretches of source bytes."""
        return taken(&self.parts), taken(&self.offsets), taken(&self.lengths), taken(&self.counts)

    def add(self, int64_t part, columns, Py_ssize_t lo, Py_ssize_t hi, int64_t last_duration):
        """Append frames ``[lo, hi)`` of one source file."""
        cdef const int64_t[::1] size, duration, cts, sync, offset
        cdef Py_ssize_t i, base = len(self.stsz)
        cdef int64_t length
        cdef uint8_t* sizes
        if hi <= lo:
            return
        _, size, duration, cts, sync, offset = columns[:6]
        if lo < 0 or hi > size.shape[0]:
            raise IndexError("frames outside the table")
        self.stsz += bytes(4 * (hi - lo))
        sizes = <uint8_t*><char*>self.stsz
        for i in range(lo, hi):
            length = duration[i]
            if i == hi - 1 and last_duration >= 0:
                length = last_duration
            self.samples += 1
            self.ticks += length
            store_u32(sizes + base + 4 * (i - lo), <uint32_t>size[i])
            if 0 < sync[i] <= 2:
                self.syncs += 1
                append_u32(self.stss, <uint32_t>self.samples)
            if self.stts_n and self.stts_value == length:
                self.stts_n += 1
            else:
                write_run(self.stts, &self.stts_n, self.stts_value)
                self.stts_n, self.stts_value = 1, length
            if self.ctts_n and self.ctts_value == cts[i]:
                self.ctts_n += 1
            else:
                write_run(self.ctts, &self.ctts_n, self.ctts_value)
                self.ctts_n, self.ctts_value = 1, cts[i]
            if cts[i]:
                self.has_ctts = True
            if self.next_part == part and self.next_offset == offset[i]:
                self.lengths.at[self.lengths.n - 1] += size[i]
                self.counts.at[self.counts.n - 1] += 1
            else:
                push(&self.parts, part)
                push(&self.offsets, offset[i])
                push(&self.lengths, size[i])
                push(&self.counts, 1)
            self.next_part, self.next_offset = part, offset[i] + size[i]

    def close(self):
        """Write out the runs still open."""
        write_run(self.stts, &self.stts_n, self.stts_value)
        write_run(self.ctts, &self.ctts_n, self.ctts_value)

include "_index_activity.pxi"
