// Room for requests and answers. malloc keeps blocks of up to 1 KB at hand for each thread, but most requests need some
// that are larger. Above 1 KB and up to 8 KB room comes in blocks of 2, 4 and 8 KB, and an event loop's thread keeps those
// that it had in use at once, 128 KB of each size at most. Above 64 KB room comes in steps of 64 KB, and is kept as `kept.h` says.
#pragma once
#include "kept.h"
#include <stdbool.h>
#include <stddef.h>

/// Moves the first `used` of a block's `bytes`, which may be none at null, to a larger block of at least `wanted` bytes, and
/// sets `wanted` to its length. Null: there is no memory, and nothing has changed.
void *relay_block_grow(void *block, size_t bytes, size_t used, size_t *wanted);

/// - Parameter bytes: the block's length, as `relay_block_grow` told it.
void relay_block_free(void *block, size_t bytes);

/// The calling thread keeps blocks from now on, or frees those it kept and keeps none any more.
void relay_keep_blocks(bool keeps);
