# Activity: included by _index.pyx; the twin is _activity_py.py.

def activity(const int64_t[::1] size, const int64_t[::1] sync, const int64_t[::1] first,
             int64_t base, int64_t spread):
    """Score every fragment against the running baseline; see the twin."""
    cdef Py_ssize_t n = first.shape[0] - 1, i
    cdef int64_t j, total, count, mean, usual, apart, step, score
    if n < 0:
        return b"", base, spread
    if first[n] > min(size.shape[0], sync.shape[0]) or first[0] < 0:
        raise ValueError("fragments beyond the frames")
    for i in range(n):
        if first[i] > first[i + 1]:
            raise ValueError("fragments out of order")
    cdef bytearray scores = bytearray(n)
    cdef uint8_t[::1] out = scores if n else None
    with nogil:
        for i in range(n):
            total = count = 0
            for j in range(first[i], first[i + 1]):
                if not sync[j]:
                    total += size[j]
                    count += 1
            if count == 0:
                continue
            mean = (total << 8) // count
            if base == 0:
                base, spread = mean + 1, mean >> 4
            usual = max(spread, base >> 6, 64)
            apart = mean - base if mean > base else base - mean
            score = 8 * apart // usual
            out[i] = <uint8_t>(255 if score > 255 else score)
            step = min(apart >> 3, usual >> 2)
            base = max(256, base + step if mean > base else base - step)
            spread = usual + (usual >> 4 if apart > usual else -(usual >> 4))
    return bytes(scores), base, spread
