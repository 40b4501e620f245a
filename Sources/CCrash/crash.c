#include "crash.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// The stack has room for the kernel's copy of all registers, which takes 11 KB on processors with AMX.
enum { line_room = 512, time_length = 24, last_signal = 31, stack_bytes = 32 << 10, patience_milliseconds = 1000 };

static const int crashes[] = {SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV};

static struct {
  char *line;
  size_t length, time;
  int descriptor;
  struct sigaction before;
} prepared[last_signal + 1];

static _Thread_local void *stack;

static void put(char *text, long number, int digits) {
  for (; digits--; number /= 10) text[digits] = (char)('0' + number % 10);
}

// Writes the current time without gmtime_r, which may wait for a lock. The calculation lets years begin in March, so
// that a leap day ends its year. 146,097 days are 400 years, as in Timestamp.swift.
static void put_time(char *text) {
  struct timespec now = {0};
  clock_gettime(CLOCK_REALTIME, &now);
  long days = now.tv_sec / 86400 + 719468, second = now.tv_sec % 86400;
  long day = days % 146097, year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  long of_year = day - (365 * year + year / 4 - year / 100), from_march = (5 * of_year + 2) / 153;
  put(text, days / 146097 * 400 + year + (from_march >= 10), 4);
  put(text + 5, from_march < 10 ? from_march + 3 : from_march - 9, 2);
  put(text + 8, of_year - (153 * from_march + 2) / 5 + 1, 2);
  put(text + 11, second / 3600, 2);
  put(text + 14, second / 60 % 60, 2);
  put(text + 17, second % 60, 2);
  put(text + 20, now.tv_nsec / 1000000, 3);
}

// Writes a copy of the line, since several threads may crash at once. A log that nobody reads must not keep the process
// from ending.
static void write_line(int signal) {
  char line[line_room];
  memcpy(line, prepared[signal].line, prepared[signal].length);
  put_time(line + prepared[signal].time);
  struct pollfd reader = {.fd = prepared[signal].descriptor, .events = POLLOUT};
  if (poll(&reader, 1, patience_milliseconds) <= 0) return;
  ssize_t written = write(reader.fd, line, prepared[signal].length);
  (void)written;
}

// The second signal stays blocked until the handler returns, so a core dump shows the position of the crash.
static void on_crash(int signal, siginfo_t *info, void *context) {
  write_line(signal);
  const struct sigaction *before = &prepared[signal].before, normal = {.sa_handler = SIG_DFL};
  if (before->sa_flags & SA_SIGINFO) before->sa_sigaction(signal, info, context);
  sigaction(signal, &normal, NULL);
  raise(signal);
}

bool relay_crash_prepare(int signal, int descriptor, const void *line, size_t length, size_t time) {
  if (signal < 1 || signal > last_signal || length > line_room || time + time_length > length) return false;
  char *copy = malloc(length);
  if (!copy) return false;
  memcpy(copy, line, length);
  memcpy(copy + time, "0000-00-00T00:00:00.000Z", time_length);
  prepared[signal].line = copy;
  prepared[signal].length = length;
  prepared[signal].time = time;
  prepared[signal].descriptor = descriptor;
  struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) sigaddset(&action.sa_mask, crashes[i]);
  return sigaction(signal, &action, &prepared[signal].before) == 0;
}

void relay_crash_add_stack(void) {
  void *memory = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  stack_t own = {.ss_sp = memory, .ss_size = stack_bytes};
  if (sigaltstack(&own, NULL) != 0) munmap(memory, stack_bytes);
  else stack = memory;
}

void relay_crash_free_stack(void) {
  if (!stack) return;
  stack_t none = {.ss_flags = SS_DISABLE};
  sigaltstack(&none, NULL);
  munmap(stack, stack_bytes);
  stack = NULL;
}
