/* A disk that fails: loaded into a program (LD_PRELOAD) it lets its calls fail with the error FAIL_WITH, for whatever lies below the folder
   FAIL_BELOW, as long as there is a file FAIL_WHEN. EIO and ENOSPC come from writing and syncing, any other error from making, renaming and
   removing. With ENOSPC there is no room either. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int fails(const char *path, int writing) {
  const char *when = getenv("FAIL_WHEN"), *below = getenv("FAIL_BELOW"), *with = getenv("FAIL_WITH");
  if (!when || !below || !with || !path || strncmp(path, below, strlen(below)) || access(when, F_OK)) return 0;
  int number = atoi(with);
  if ((number == EIO || number == ENOSPC) != writing) return 0;
  errno = number;
  return 1;
}

static int path_of(int fd, char *path, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, size - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return 1;
}

static int fails_open(int fd) {
  char path[4096];
  return path_of(fd, path, sizeof path) && fails(path, 1);
}

/* What is named within an open folder. */
static int fails_at(int folder, const char *name) {
  char path[4096], full[8192];
  if (folder == AT_FDCWD || name[0] == '/') return fails(name, 0);
  if (!path_of(folder, path, sizeof path)) return 0;
  snprintf(full, sizeof full, "%s/%s", path, name);
  return fails(full, 0);
}

#define REAL(result, name, ...) \
  static result (*real)(__VA_ARGS__); \
  if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *bytes, size_t count) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return fails_open(fd) ? -1 : real(fd, bytes, count);
}

int fsync(int fd) {
  REAL(int, "fsync", int);
  return fails_open(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
  REAL(int, "fdatasync", int);
  return fails_open(fd) ? -1 : real(fd);
}

int statvfs(const char *path, struct statvfs *status) {
  REAL(int, "statvfs", const char *, struct statvfs *);
  int result = real(path, status);
  if (!result && fails(path, 1) && errno == ENOSPC) status->f_bavail = 0;
  return result;
}

int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return fails(to, 0) ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  return fails(path, 0) ? -1 : real(path, mode);
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  return fails(path, 0) ? -1 : real(path);
}

static int makes(int flags) { return flags & (O_CREAT | O_WRONLY | O_RDWR); }

int open(const char *path, int flags, ...) {
  REAL(int, "open", const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return makes(flags) && fails(path, 0) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  REAL(int, "open64", const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return makes(flags) && fails(path, 0) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
  REAL(int, "openat", int, const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return makes(flags) && fails_at(folder, path) ? -1 : real(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
  REAL(int, "openat64", int, const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return makes(flags) && fails_at(folder, path) ? -1 : real(folder, path, flags, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
  REAL(int, "mkdirat", int, const char *, mode_t);
  return fails_at(folder, path) ? -1 : real(folder, path, mode);
}

int unlinkat(int folder, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  return fails_at(folder, path) ? -1 : real(folder, path, flags);
}

int renameat(int from, const char *old, int into, const char *name) {
  REAL(int, "renameat", int, const char *, int, const char *);
  return fails_at(into, name) ? -1 : real(from, old, into, name);
}

int renameat2(int from, const char *old, int into, const char *name, unsigned flags) {
  REAL(int, "renameat2", int, const char *, int, const char *, unsigned);
  return fails_at(into, name) ? -1 : real(from, old, into, name, flags);
}
