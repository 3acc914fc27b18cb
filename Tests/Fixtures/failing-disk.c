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

static int fails_open(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(path, 1);
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
