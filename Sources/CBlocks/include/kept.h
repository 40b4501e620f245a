// What requests and responses need over 64 KB (blocks of bytes, parsers of JSON), kept for the next ones by whatever thread is done
// with it: else the system would map it anew each time, with a page fault for each 4 KB.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Things are kept from now on, as many as have `most_bytes` together. Call it once, before other threads start.
///
/// `take` is called before a thing is kept, on any thread, and may refuse its bytes; `give` when it is no longer kept.
void relay_keep_large(size_t most_bytes, void *context, bool (*take)(void *, size_t), void (*give)(void *, size_t));

/// Returns a kept thing with this `end`, of at least so many bytes and at most twice as many, and sets `bytes` to its size. Null:
/// there is none.
void *relay_kept_take(size_t *bytes, void (*end)(void *thing));

/// Keeps a thing, which `end` frees. Returns false if there is no room for it: it is the caller's, then.
bool relay_kept_give(void *thing, size_t bytes, void (*end)(void *thing));

/// Begins a turn, and ends the things that have been kept for so many turns. Returns the bytes that these had.
size_t relay_kept_turn(unsigned turns);

/// Ends kept things, the oldest first, until they had that many bytes or none is left.
void relay_kept_end(size_t bytes);

#ifdef __cplusplus
}
#endif
