// Masks: whatever the bytes, a conversion ends, within bounds, with a PNG or a reason.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpng.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
  uint8_t *mask = NULL;
  size_t mask_count = 0;
  relay_mask_result result = relay_mask_make(bytes, count, 1 << 16, &mask, &mask_count);
  if (result == RELAY_MASK_MADE && (mask_count < 57 || memcmp(mask, "\x89PNG\r\n\x1a\n", 8) || memcmp(mask + 16, bytes + 16, 8))) {
    puts("property broken: no mask of the same size");
    abort();
  }
  if (result != RELAY_MASK_MADE && mask) abort();
  free(mask);
  return 0;
}
