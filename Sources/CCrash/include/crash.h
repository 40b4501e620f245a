// The last log line of a crashing process. A signal handler writes it, so everything is prepared in advance: see
// signal-safety(7).
#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Prepares to write `line` to `descriptor` when `signal` arrives. The handler then calls the previous handler, which
/// is that of Swift's backtraces if a toolchain is installed, and ends the process with the signal. The 24 bytes at
/// `time` are replaced by the time, as in `2026-01-01T12:00:00.123Z`. Returns false, and changes nothing, if the line
/// has over 512 bytes, there is no memory, or the system refused.
bool relay_crash_prepare(int signal, int descriptor, const void *line, size_t length, size_t time);

/// Gives the calling thread a second stack for the handler, since a crash may be an overflow of the first one.
void relay_crash_add_stack(void);

/// Frees the second stack of the calling thread. The thread must not do anything afterwards that may crash.
void relay_crash_free_stack(void);
