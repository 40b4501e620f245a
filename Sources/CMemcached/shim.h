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

// The result of the last call: key and version until the next call, the value too unless the call handed it out.
static inline memcached_result_st *relay_memcached_result(memcached_st *handle) { return &handle->result; }

// The next of what `memcached_mget` asked for, in the handle's own result as `memcached_fetch` has it; NULL: no more.
static inline memcached_result_st *relay_memcached_fetch(memcached_st *handle, int *code) {
  memcached_return_t result = MEMCACHED_FAILURE;
  memcached_result_st *found = memcached_fetch_result(handle, &handle->result, &result);
  *code = (int)result;
  return found;
}

// The value, to be freed by the caller, which is NULL where it is empty; key and version stay in the handle's result.
// Values come from the handle's allocator, which is malloc.
static inline char *relay_memcached_get(memcached_st *handle, const char *key, size_t count, size_t *length, int *code) {
  memcached_return_t result = MEMCACHED_FAILURE;
  uint32_t flags = 0;
  char *value = memcached_get(handle, key, count, length, &flags, &result);
  *code = (int)result;
  return value;
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
