/* Preloaded into a process, this lets a disk hang while it runs: while the file named by HANG_FILE
   holds a byte that is not 0, whatever is asked of a path with HANG_PATH in it waits.  So do
   programs that the process starts.  A signal is handled, and then it waits again. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static volatile char *hung;
static const char *part;

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("HANG_FILE");
  part = getenv("HANG_PATH");
  int file = name && part ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *at = mmap(0, 1, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (at != MAP_FAILED) hung = at;
}

static void wait_for(const char *path) {
  struct timespec step = {0, 20000000};
  while (hung && *hung && path && strstr(path, part)) nanosleep(&step, 0);
}

static void wait_of(int file) {
  char link[32], path[4096];
  if (!hung || !*hung) return;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  path[size < 0 ? 0 : size] = 0;
  wait_for(path);
}

#define REAL(type, name, ...)                                \
  static type (*real)(__VA_ARGS__);                          \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define OPEN(name)                                           \
  int name(const char *path, int flags, ...) {               \
    REAL(int, #name, const char *, int, ...);                \
    va_list more;                                            \
    va_start(more, flags);                                   \
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
    va_end(more);                                            \
    wait_for(path);                                          \
    return real(path, flags, mode);                          \
  }
OPEN(open)
OPEN(open64)
#define STAT(name, type)                                     \
  int name(const char *path, struct type *out) {             \
    REAL(int, #name, const char *, struct type *);           \
    wait_for(path);                                          \
    return real(path, out);                                  \
  }
STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)
STAT(statvfs, statvfs)
STAT(statvfs64, statvfs64)
#define ONE(type, name)                                      \
  type name(const char *path) {                              \
    REAL(type, #name, const char *);                         \
    wait_for(path);                                          \
    return real(path);                                       \
  }
ONE(DIR *, opendir)
ONE(int, unlink)
ONE(int, rmdir)
int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  wait_for(path);
  return real(path, mode);
}
int rename(const char *path, const char *to) {
  REAL(int, "rename", const char *, const char *);
  wait_for(path);
  return real(path, to);
}
ssize_t read(int file, void *to, size_t size) {
  REAL(ssize_t, "read", int, void *, size_t);
  wait_of(file);
  return real(file, to, size);
}
ssize_t write(int file, const void *from, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  wait_of(file);
  return real(file, from, size);
}
int fsync(int file) {
  REAL(int, "fsync", int);
  wait_of(file);
  return real(file);
}
