// Masks by libpng. C, because libpng leaves its functions by longjmp, which Swift cannot take part in.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum {
  RELAY_MASK_MADE = 0,
  RELAY_MASK_BROKEN,      // no PNG, or a damaged one
  RELAY_MASK_TOO_LARGE,   // more pixels than allowed
  RELAY_MASK_NO_ALPHA,    // nothing in it says what is transparent
  RELAY_MASK_NO_MEMORY,
} relay_mask_result;

/// Makes a grey PNG of the same size: white where `bytes`, a PNG, is more transparent than not, else black.
/// `*mask` is for free(). Takes about four bytes for a pixel if the picture is interlaced, else a few rows.
relay_mask_result relay_mask_make(const uint8_t *bytes, size_t count, uint32_t most_pixels, uint8_t **mask, size_t *mask_count);
