// Conversion of masks with libpng. The code is in C because libpng reports errors by longjmp, which is not safe in
// Swift.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum {
  RELAY_MASK_MADE = 0,
  RELAY_MASK_BROKEN,      // not a PNG, or a damaged one
  RELAY_MASK_TOO_LARGE,   // more pixels than allowed
  RELAY_MASK_NO_ALPHA,    // the image does not say what is transparent
  RELAY_MASK_NO_MEMORY,
} relay_mask_result;

/// Creates a grey PNG of the same size as the PNG in `bytes`: white where that is more transparent than not, else
/// black. The caller frees `*mask` with free(). Needs about four bytes per pixel if the image is interlaced, else a few
/// rows.
relay_mask_result relay_mask_make(const uint8_t *bytes, size_t count, uint32_t most_pixels, uint8_t **mask, size_t *mask_count);
