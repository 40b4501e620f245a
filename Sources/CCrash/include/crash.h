// The line that a crash leaves in the log. A signal handler writes it, so all is prepared before: see signal-safety(7).
#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Writes `line` to `descriptor` when `signal` arrives, calls the handler that was there before, which is that of Swift's
/// backtraces where a toolchain is installed, and ends the process by the signal. The 24 bytes at `time` are replaced by the
/// time, as `2026-01-01T12:00:00.123Z`. False: the line has over 512 bytes, there is no memory, or the system refused; nothing
/// has changed.
bool relay_crash_prepare(int signal, int descriptor, const void *line, size_t length, size_t time);

/// Gives the calling thread a second stack for the handler, since a crash may be the end of the first one.
void relay_crash_add_stack(void);

/// Frees the second stack of the calling thread, which does nothing more that may crash.
void relay_crash_free_stack(void);
