// libmemcached 1.1.4.
#pragma once
#include <libmemcached/memcached.h>

// memcached_return_t is an enum whose unknown values must stay representable, so all results are plain numbers here.

static inline int relay_memcached_set(memcached_st *handle, memcached_behavior_t behavior, uint64_t value) {
  return (int)memcached_behavior_set(handle, behavior, value);
}

static inline int relay_memcached_add_server(memcached_st *handle, const char *host, uint16_t port) {
  return (int)memcached_server_add(handle, host, port);
}
