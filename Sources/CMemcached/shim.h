// libmemcached 1.1.4.
#pragma once
#include <libmemcached/memcached.h>

// memcached_return_t is an enum whose unknown values must stay representable: all results are plain numbers here.

static inline int relay_memcached_set(memcached_st *handle, memcached_behavior_t behavior, uint64_t value) {
  return (int)memcached_behavior_set(handle, behavior, value);
}

static inline int relay_memcached_add_server(memcached_st *handle, const char *host, uint16_t port) {
  return (int)memcached_server_add(handle, host, port);
}

// The handle's own result is filled the first time, after that a new one: free each. At the end of a list libmemcached
// frees it itself.
static inline memcached_result_st *relay_memcached_fetch(memcached_st *handle, int *code) {
  memcached_return_t result = MEMCACHED_FAILURE;
  memcached_result_st *found = memcached_fetch_result(handle, NULL, &result);
  *code = (int)result;
  return found;
}

// Seconds of the first server's clock; 0 when it does not answer. The handle's lists are freed here: the getter hands
// out copies made by the handle's allocator, which is malloc.
static inline long relay_memcached_time(memcached_st *handle) {
  memcached_return_t result = MEMCACHED_FAILURE;
  memcached_stat_st *stats = memcached_stat(handle, NULL, &result);
  long seconds = stats && result == MEMCACHED_SUCCESS ? (long)stats[0].time : 0;
  if (stats) memcached_stat_free(handle, stats);
  return seconds;
}
