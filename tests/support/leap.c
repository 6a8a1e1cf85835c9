/* Preloaded into a process, this lets its clock be set wrong while it runs: the file named by
   LEAP_FILE holds an int64 of nanoseconds that are added to the time.  What never steps is left
   alone (libfaketime 0.9.10 fails or steps there).  */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("LEAP_FILE");
  int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *at = mmap(0, sizeof *shift, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (at != MAP_FAILED) shift = at;
}

static void move(int64_t *s, int64_t *ns) {
  int64_t all = *ns + (shift ? *shift : 0);
  int64_t left = all % 1000000000;
  if (left < 0) left += 1000000000;
  *s += (all - left) / 1000000000;
  *ns = left;
}

int clock_gettime(clockid_t id, struct timespec *out) {
  int code = syscall(SYS_clock_gettime, id, out);
  if (!code && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
    int64_t s = out->tv_sec, ns = out->tv_nsec;
    move(&s, &ns);
    out->tv_sec = s;
    out->tv_nsec = ns;
  }
  return code;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  struct timespec now;
  (void)zone;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
