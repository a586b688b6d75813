/* Faults at file operations: loaded before the C library (LD_PRELOAD), it counts what a process changes on disk, and at
 * the n-th does what was asked for. Also what C++ libraries write is counted, which Python sees nothing of.
 *
 * faults_arm(n, kind, exchange) begins to count at 0; faults_count() says how many there were, and faults_name(i) what
 * the i-th was. Only regular files and folders count: pipes and terminals do not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, INTERRUPT, FULL, DENIED, READ_ONLY };
#define MOST 100000

static int armed, kind, can_exchange, fired;
static long target, counter;
static const char *names[MOST];

void faults_arm(long n, int what, int exchange) {
  target = n; kind = what; can_exchange = exchange; counter = 0; fired = 0;
  __atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
}
void faults_disarm(void) { __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST); }
long faults_count(void) { return counter < MOST ? counter : MOST; }
int faults_fired(void) { return fired; }
const char *faults_name(long i) { return i >= 0 && i < MOST && names[i] ? names[i] : ""; }

/* 1 if the operation must fail, with errno set. `takes_room` says whether a full disk refuses it. */
static int fault(const char *name, int takes_room) {
  if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST)) return 0;
  long now = __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
  if (now < MOST) names[now] = name;
  if (kind == COUNT || now < target) return 0;
  if (kind == KILL) { kill(getpid(), SIGKILL); for (;;) pause(); }
  if (kind == INTERRUPT) { if (now == target) { fired = 1; kill(getpid(), SIGINT); } return 0; }
  if (kind == FULL && takes_room) { fired = 1; errno = ENOSPC; return 1; }
  if (kind == DENIED && now == target) { fired = 1; errno = EACCES; return 1; }
  if (kind == READ_ONLY) { fired = 1; errno = EROFS; return 1; }
  return 0;
}

static int is_file(int fd) {
  struct stat told;
  if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST)) return 0;
  return fstat(fd, &told) == 0 && (S_ISREG(told.st_mode) || S_ISDIR(told.st_mode));
}

#define REAL(type, name, ...) \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);

static int writes(int flags) { return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC); }
static int device(const char *path) { return path && !strncmp(path, "/dev/", 5) && strncmp(path, "/dev/shm/", 9); }

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(int, #name, const char *, int, mode_t) \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (writes(flags) && !device(path) && fault("open", flags & (O_CREAT | O_TRUNC))) return -1; \
    return real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)
#define OPENAT(name) \
  int name(int at, const char *path, int flags, ...) { \
    REAL(int, #name, int, const char *, int, mode_t) \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (writes(flags) && !device(path) && fault("open", flags & (O_CREAT | O_TRUNC))) return -1; \
    return real(at, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)
#define FOPEN(name) \
  FILE *name(const char *path, const char *mode) { \
    REAL(FILE *, #name, const char *, const char *) \
    if (strpbrk(mode, "wa+") && fault("open", 1)) return NULL; \
    return real(path, mode); \
  }
FOPEN(fopen)
FOPEN(fopen64)
size_t fwrite(const void *data, size_t size, size_t number, FILE *file) {
  REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *)
  if (is_file(fileno(file)) && fault("write", 1)) return 0;
  return real(data, size, number, file);
}
ssize_t write(int fd, const void *data, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t)
  if (is_file(fd)) {
    if (fault("write", 1)) return -1;
    /* Whoever is killed while writing has written a part. */
    if (armed && kind == KILL && counter == target && size > 1) return real(fd, data, size / 2);
  }
  return real(fd, data, size);
}
#define PWRITE(name, offset_type) \
  ssize_t name(int fd, const void *data, size_t size, offset_type at) { \
    REAL(ssize_t, #name, int, const void *, size_t, offset_type) \
    if (is_file(fd) && fault("write", 1)) return -1; \
    return real(fd, data, size, at); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
ssize_t writev(int fd, const struct iovec *parts, int number) {
  REAL(ssize_t, "writev", int, const struct iovec *, int)
  if (is_file(fd) && fault("write", 1)) return -1;
  return real(fd, parts, number);
}
#define SENDFILE(name, offset_type) \
  ssize_t name(int to, int from, offset_type *at, size_t size) { \
    REAL(ssize_t, #name, int, int, offset_type *, size_t) \
    if (is_file(to) && fault("copy", 1)) return -1; \
    return real(to, from, at, size); \
  }
SENDFILE(sendfile, off_t)
SENDFILE(sendfile64, off64_t)
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags) {
  REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned)
  if (fault("copy", 1)) return -1;
  return real(from, at, to, there, size, flags);
}
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  REAL(int, "renameat2", int, const char *, int, const char *, unsigned)
  if (armed && !can_exchange && flags) { errno = EINVAL; return -1; }
  if (fault(flags ? "exchange" : "rename", 0)) return -1;
  return real(from_at, from, to_at, to, flags);
}

#define CALL(name, told, room, parameters, types, values) \
  int name parameters { \
    REAL(int, #name, types) \
    if (fault(told, room)) return -1; \
    return real values; \
  }
#define TYPES(...) __VA_ARGS__
CALL(rename, "rename", 0, (const char *from, const char *to), TYPES(const char *, const char *), (from, to))
CALL(renameat, "rename", 0, (int a, const char *from, int b, const char *to), TYPES(int, const char *, int, const char *),
     (a, from, b, to))
CALL(unlink, "unlink", 0, (const char *path), TYPES(const char *), (path))
CALL(unlinkat, "unlink", 0, (int at, const char *path, int flags), TYPES(int, const char *, int), (at, path, flags))
CALL(remove, "unlink", 0, (const char *path), TYPES(const char *), (path))
CALL(rmdir, "rmdir", 0, (const char *path), TYPES(const char *), (path))
CALL(mkdir, "mkdir", 1, (const char *path, mode_t mode), TYPES(const char *, mode_t), (path, mode))
CALL(mkdirat, "mkdir", 1, (int at, const char *path, mode_t mode), TYPES(int, const char *, mode_t), (at, path, mode))
CALL(link, "link", 1, (const char *from, const char *to), TYPES(const char *, const char *), (from, to))
CALL(linkat, "link", 1, (int a, const char *from, int b, const char *to, int flags),
     TYPES(int, const char *, int, const char *, int), (a, from, b, to, flags))
CALL(symlink, "link", 1, (const char *from, const char *to), TYPES(const char *, const char *), (from, to))
CALL(fsync, "fsync", 1, (int fd), TYPES(int), (fd))
CALL(fdatasync, "fsync", 1, (int fd), TYPES(int), (fd))
CALL(syncfs, "fsync", 0, (int fd), TYPES(int), (fd))
CALL(ftruncate, "truncate", 0, (int fd, off_t size), TYPES(int, off_t), (fd, size))
CALL(ftruncate64, "truncate", 0, (int fd, off64_t size), TYPES(int, off64_t), (fd, size))
CALL(truncate, "truncate", 0, (const char *path, off_t size), TYPES(const char *, off_t), (path, size))
