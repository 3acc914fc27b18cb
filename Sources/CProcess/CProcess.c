#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Only async-signal-safe calls: another thread may have held any lock at the fork.
static void run_child(const struct cprocess_request *request, pid_t parent, int report) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // the parent ended before the line above
  setpgid(0, 0);
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (request->umask >= 0) umask((mode_t)request->umask);
  struct rlimit core;
  if (request->core >= 0 && getrlimit(RLIMIT_CORE, &core) == 0) {
    core.rlim_cur = request->core == INT64_MAX ? RLIM_INFINITY : (rlim_t)request->core;
    setrlimit(RLIMIT_CORE, &core);
  }

  // Lift the four descriptors out of the way of 0, 1 and 2 before these are overwritten.
  int input = fcntl(request->input, F_DUPFD_CLOEXEC, 10);
  int output = fcntl(request->output, F_DUPFD_CLOEXEC, 10);
  int error = fcntl(request->error, F_DUPFD_CLOEXEC, 10);
  int status = fcntl(report, F_DUPFD_CLOEXEC, 10);
  if (input >= 0 && output >= 0 && error >= 0 && status >= 0 && dup2(input, 0) == 0 && dup2(output, 1) == 1 &&
      dup2(error, 2) == 2 && dup2(status, 3) == 3 && fcntl(3, F_SETFD, FD_CLOEXEC) == 0) {
    close_range(4, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(request->path, request->argv, request->envp);
    status = 3;
  }
  int failure = errno;
  if (write(status, &failure, sizeof failure) < 0) _exit(126);
  _exit(127);
}

pid_t cprocess_spawn(const struct cprocess_request *request) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return -errno;

  // With all signals blocked no handler of the parent can run in the child.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) run_child(request, parent, report[1]);
  int fork_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  close(report[1]);
  if (child < 0) {
    close(report[0]);
    return -fork_error;
  }

  int exec_error = 0;
  ssize_t got;
  do got = read(report[0], &exec_error, sizeof exec_error);
  while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got == 0) return child;  // the exec closed the pipe
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
  return got == sizeof exec_error && exec_error != 0 ? -exec_error : -EIO;
}

int cprocess_pipe(int ends[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
  fcntl(ends[0], F_SETPIPE_SZ, 1 << 20);  // a smaller one works too, only slower
  return 0;
}

int cprocess_pidfd(pid_t pid) {
  long descriptor = syscall(SYS_pidfd_open, pid, 0);
  return descriptor < 0 ? -errno : (int)descriptor;
}

int cprocess_rename_new(int folder, const char *from, const char *to) {
  return renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0 ? 0 : -errno;
}

// Set before the first thread is made, and only read afterwards.
static sigset_t stop_signals;

// nohup ignores SIGHUP, a shell without job control SIGQUIT. Blocked they would be kept for the waiting thread all the same.
static void add_unless_ignored(int number) {
  struct sigaction action;
  if (sigaction(number, NULL, &action) != 0 || action.sa_handler != SIG_IGN) sigaddset(&stop_signals, number);
}

int cprocess_block_stop_signals(void) {
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  add_unless_ignored(SIGHUP);
  add_unless_ignored(SIGQUIT);
  return -pthread_sigmask(SIG_BLOCK, &stop_signals, NULL);
}

int cprocess_wait_stop_signal(void) {
  int number = 0;
  int failure = sigwait(&stop_signals, &number);
  return failure == 0 ? number : -failure;
}

int cprocess_punch_hole(int descriptor, int64_t offset, int64_t length) {
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0 ? 0 : -errno;
}

int cprocess_sync_file_system(int descriptor) { return syncfs(descriptor) == 0 ? 0 : -errno; }

ssize_t cprocess_convert(
    const char *to, const char *from, const char *text, size_t length, char *out, size_t room) {
  iconv_t way = iconv_open(to, from);
  if (way == (iconv_t)-1) return -errno;
  char *in = (char *)text, *next = out;
  size_t left = room;
  size_t lost = iconv(way, &in, &length, &next, &left);
  if (lost == 0) lost = iconv(way, NULL, NULL, &next, &left);
  int failure = errno;
  iconv_close(way);
  if (lost == (size_t)-1) return -failure;
  return lost == 0 ? (ssize_t)(room - left) : -EILSEQ;
}

int cprocess_terminal_columns(int descriptor) {
  struct winsize size;
  return isatty(descriptor) && ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

int64_t cprocess_no_core(void) {
  struct rlimit core;
  if (getrlimit(RLIMIT_CORE, &core) != 0) return -1;
  rlim_t before = core.rlim_cur;
  // 1 and not 0: the kernel does not look at 0 where cores go to a program.
  core.rlim_cur = core.rlim_max < 1 ? core.rlim_max : 1;
  if (setrlimit(RLIMIT_CORE, &core) != 0) return -1;
  return before > INT64_MAX ? INT64_MAX : (int64_t)before;
}
