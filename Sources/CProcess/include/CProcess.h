// Spawning children and the few system calls that Swift's Glibc module does not show.

#ifndef CPROCESS_H
#define CPROCESS_H

#include <stdint.h>
#include <sys/types.h>

/// What a child is started with. `argv` and `envp` end with NULL; the descriptors become 0, 1 and 2 of the child,
/// which inherits nothing else.
struct cprocess_request {
  const char *path;
  char *const *argv;
  char *const *envp;
  int input;
  int output;
  int error;
  /// -1: the umask stays.
  int umask;
  /// -1: the limit of core files stays; INT64_MAX: there is none.
  int64_t core;
};

/// Starts a child in a process group of its own. It gets SIGTERM when the calling THREAD ends, so call this from a
/// thread that lives as long as the process. Returns the pid, or -errno of the fork or of the exec.
pid_t cprocess_spawn(const struct cprocess_request *request);

/// A pipe that no child inherits, with room for 1 MiB: ends[0] to read, ends[1] to write. 0 or -errno.
int cprocess_pipe(int ends[2]);

/// A descriptor that becomes readable when the child ends; -errno on failure.
int cprocess_pidfd(pid_t pid);

/// Renames a file or folder in an open folder (or AT_FDCWD) unless the new name is taken (then -EEXIST). 0 or -errno.
int cprocess_rename_new(int folder, const char *from, const char *to);

/// Blocks SIGINT and SIGTERM in the calling thread and all threads that it starts; SIGHUP and SIGQUIT too, unless the process was started
/// with them ignored. Once, before the first thread. 0 or -errno.
int cprocess_block_stop_signals(void);

/// Waits for one of the signals that were blocked so. Returns the signal, or -errno.
int cprocess_wait_stop_signal(void);

/// Gives a part of a file back to the file system; it reads as zeros afterwards. The file must be open for writing. 0 or -errno.
int cprocess_punch_hole(int descriptor, int64_t offset, int64_t length);

/// Returns once everything on the file system of an open file is on its disk. 0 or -errno.
int cprocess_sync_file_system(int descriptor);

/// Converts text between encodings, by their names of iconv. Returns the bytes written to `out`; -errno where the text is none of its
/// encoding, has no equivalent, or has no room; -EINVAL for an encoding that is not known.
ssize_t cprocess_convert(
    const char *to, const char *from, const char *text, size_t length, char *out, size_t room);

/// Columns of the terminal on a descriptor; 0 when it is none.
int cprocess_terminal_columns(int descriptor);

/// Has the process, and what it starts, write no core file: it would hold passwords. Returns the limit that there was, as in
/// cprocess_request, or -1.
int64_t cprocess_no_core(void);

#endif
