// For LD_PRELOAD: sets the clocks of one process ahead by as many microseconds as CLOCK_FILE says, in two signed numbers
// of this machine's byte order: the first is for the wall clock, the second for the monotonic ones. Whoever writes there
// steps that clock, at once.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t *ahead;
static int (*wait_for_events)(int, struct epoll_event *, int, int);
static int (*wait_for_semaphore)(sem_t *, clockid_t, const struct timespec *);

// How long a wait lasts before it looks at the clocks again.
enum { lookMilliseconds = 20 };

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CLOCK_FILE");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = file < 0 ? MAP_FAILED : mmap(NULL, 2 * sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) abort();
    close(file);
    ahead = mapped;
    *(void **)&wait_for_events = dlsym(RTLD_NEXT, "epoll_wait");
    *(void **)&wait_for_semaphore = dlsym(RTLD_NEXT, "sem_clockwait");
}

static int64_t ahead_of(clockid_t clock) {
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return __atomic_load_n(&ahead[0], __ATOMIC_RELAXED);
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME: return __atomic_load_n(&ahead[1], __ATOMIC_RELAXED);
    default: return 0;
    }
}

static void add(struct timespec *time, int64_t microseconds) {
    time->tv_sec += microseconds / 1000000;
    time->tv_nsec += microseconds % 1000000 * 1000;
    if (time->tv_nsec < 0) time->tv_sec -= 1, time->tv_nsec += 1000000000;
    if (time->tv_nsec >= 1000000000) time->tv_sec += 1, time->tv_nsec -= 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int code = syscall(SYS_clock_gettime, clock, now);
    if (code == 0 && ahead) add(now, ahead_of(clock));
    return code;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int milliseconds) {
    int isLong = milliseconds < 0 || milliseconds > lookMilliseconds;
    return wait_for_events(epoll, events, most, isLong ? lookMilliseconds : milliseconds);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict deadline) {
    for (;;) {
        struct timespec now, look;
        syscall(SYS_clock_gettime, clock, &look);
        add(&look, lookMilliseconds * 1000);
        int code = wait_for_semaphore(semaphore, clock, &look);
        clock_gettime(clock, &now);
        int isOver = now.tv_sec > deadline->tv_sec || (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
        if (code == 0 || errno != ETIMEDOUT || isOver) return code;
    }
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec precise;
    (void)zone;
    int code = clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return code;
}

time_t time(time_t *out) {
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    if (out) *out = precise.tv_sec;
    return precise.tv_sec;
}
