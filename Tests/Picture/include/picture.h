// PNGs of tests, written and read by libpng.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum {
  PICTURE_RGBA,
  PICTURE_GREY_ALPHA,
  PICTURE_RGBA_16,
  PICTURE_PALETTE,  // of grey; entry n has the alpha n
  PICTURE_RGB_KEY,  // one colour is transparent
  PICTURE_RGB,
} picture_kind;

/// A PNG whose pixels have these alphas (a key: 0 is transparent, others are not); for free(). NULL: no memory.
uint8_t *picture_write(const uint8_t *alphas, uint32_t width, uint32_t height, picture_kind kind, int interlaced, size_t *count);
/// The grey values of a PNG; for free(). NULL: none.
uint8_t *picture_read(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height);
