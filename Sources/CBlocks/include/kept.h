// A cache of what requests and responses need above 64 KB (blocks of bytes, JSON parsers). Any thread adds to it and
// takes from it. Without it, the system would map the memory again each time, with a page fault for each 4 KB.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Starts the cache, with at most `most_bytes` in all. Call it once, before other threads start.
///
/// `take` is called before a thing is cached, on any thread, and may refuse its bytes. `give` is called when it leaves
/// the cache.
void relay_keep_large(size_t most_bytes, void *context, bool (*take)(void *, size_t), void (*give)(void *, size_t));

/// Returns a cached thing with this `end`, of at least this many bytes and at most twice as many, and sets `bytes` to
/// its size. Returns null if there is none.
void *relay_kept_take(size_t *bytes, void (*end)(void *thing));

/// Caches a thing, which `end` frees. Returns false if there is no room; then the caller still owns the thing.
bool relay_kept_give(void *thing, size_t bytes, void (*end)(void *thing));

/// Begins a turn, and ends the things that were cached for this many turns. Returns the bytes that they had.
size_t relay_kept_turn(unsigned turns);

/// Ends cached things, the oldest first, until this many bytes are freed or the cache is empty.
void relay_kept_end(size_t bytes);

#ifdef __cplusplus
}
#endif
