#include "blocks.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { sizes = 3, smallest = 2048, most_kept = 64, large_step = 65536 };

static _Thread_local struct {
  bool are_kept;
  int counts[sizes];
  void *blocks[sizes][most_kept];
} own;

// Returns the index of the block size for this many bytes; below 0 if malloc provides the block.
static int size_for(size_t bytes) {
  if (bytes <= smallest / 2) return -1;
  for (int size = 0; size < sizes; size++) {
    if (bytes <= (size_t)smallest << size) return size;
  }
  return -1;
}

// Large blocks have few different sizes, so that the next request may reuse them.
static size_t whole_steps(size_t bytes) {
  if (bytes <= large_step || bytes > SIZE_MAX - large_step) return bytes;
  return (bytes + large_step - 1) / large_step * large_step;
}

void *relay_block_grow(void *block, size_t bytes, size_t used, size_t *wanted) {
  // Most blocks are small.
  if (*wanted <= smallest / 2 && bytes <= smallest / 2) return realloc(block, *wanted);
  int size = size_for(*wanted);
  size_t given = size < 0 ? whole_steps(*wanted) : (size_t)smallest << size;
  void *grown = NULL;
  if (size >= 0 && own.counts[size]) grown = own.blocks[size][--own.counts[size]];
  else if (given > large_step) grown = relay_kept_take(&given, free);
  if (!grown) {
    // If both blocks have malloc's size, realloc may avoid a copy.
    bool moves = size < 0 && size_for(bytes) < 0;
    grown = moves ? realloc(block, given) : malloc(given);
    if (!grown) return NULL;
    if (moves) block = NULL;
  }
  *wanted = given;
  if (!block) return grown;
  memcpy(grown, block, used);
  relay_block_free(block, bytes);
  return grown;
}

void relay_block_free(void *block, size_t bytes) {
  if (bytes <= smallest / 2) return free(block);
  int size = size_for(bytes);
  if (bytes > large_step && relay_kept_give(block, bytes, free)) return;
  if (size < 0 || !own.are_kept || own.counts[size] >= most_kept >> size) return free(block);
  own.blocks[size][own.counts[size]++] = block;
}

void relay_keep_blocks(bool keeps) {
  own.are_kept = keeps;
  for (int size = 0; !keeps && size < sizes; size++) {
    while (own.counts[size]) free(own.blocks[size][--own.counts[size]]);
  }
}
