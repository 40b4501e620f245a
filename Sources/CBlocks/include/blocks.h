// Memory for requests and responses. malloc caches blocks of up to 1 KB for each thread, but most requests need some
// larger blocks. From 1 KB to 8 KB, memory comes in blocks of 2, 4 and 8 KB. An event loop's thread caches the blocks
// that it used at the same time, at most 128 KB of each size. Above 64 KB, memory comes in steps of 64 KB and is cached
// as `kept.h` describes.
#pragma once
#include "kept.h"
#include <stdbool.h>
#include <stddef.h>

/// Moves the first `used` bytes of a block to a larger block of at least `wanted` bytes, and sets `wanted` to its
/// length. `bytes` may be null if there is no block yet. Returns null, and changes nothing, if there is no memory.
void *relay_block_grow(void *block, size_t bytes, size_t used, size_t *wanted);

/// - Parameter bytes: the block's length, as `relay_block_grow` returned it.
void relay_block_free(void *block, size_t bytes);

/// Starts or stops the cache of blocks of the calling thread. Stopping frees the cached blocks.
void relay_keep_blocks(bool keeps);
