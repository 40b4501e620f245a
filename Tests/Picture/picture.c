#include "picture.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  uint8_t *bytes;
  size_t count;
} sink;

static void give(png_structp png, png_bytep bytes, size_t count) {
  sink *sink = png_get_io_ptr(png);
  sink->bytes = realloc(sink->bytes, sink->count + count);
  if (!sink->bytes) abort();
  memcpy(sink->bytes + sink->count, bytes, count);
  sink->count += count;
}

static void flush(png_structp png) { (void)png; }

uint8_t *picture_write(const uint8_t *alphas, uint32_t width, uint32_t height, picture_kind kind, int interlaced, size_t *count) {
  static const int types[] = {PNG_COLOR_TYPE_RGBA, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGBA,
                              PNG_COLOR_TYPE_PALETTE, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB};
  static const size_t sizes[] = {4, 2, 8, 1, 3, 3};
  size_t size = sizes[kind];
  sink sink = {0};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  uint8_t *pixels = calloc((size_t)width * height, size);
  png_bytepp rows = calloc(height, sizeof *rows);
  if (!info || !pixels || !rows) return NULL;
  for (size_t place = 0; place < (size_t)width * height; place++) {
    uint8_t *pixel = pixels + place * size;
    memset(pixel, 77, size);
    if (kind == PICTURE_RGB_KEY) memset(pixel, alphas[place] ? 77 : 5, 3);
    if (kind == PICTURE_RGBA_16) pixel[6] = pixel[7] = alphas[place];
    if (kind == PICTURE_RGBA || kind == PICTURE_GREY_ALPHA || kind == PICTURE_PALETTE) pixel[size - 1] = alphas[place];
  }
  for (uint32_t y = 0; y < height; y++) rows[y] = pixels + (size_t)y * width * size;
  png_set_write_fn(png, &sink, give, flush);
  png_set_IHDR(png, info, width, height, kind == PICTURE_RGBA_16 ? 16 : 8, types[kind],
               interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_color palette[256];
  png_byte transparent[256];
  for (int entry = 0; entry < 256; entry++) {
    palette[entry] = (png_color){9, 9, 9};
    transparent[entry] = (png_byte)entry;
  }
  png_color_16 key = {.red = 5, .green = 5, .blue = 5};
  if (kind == PICTURE_PALETTE) {
    png_set_PLTE(png, info, palette, 256);
    png_set_tRNS(png, info, transparent, 256, NULL);
  }
  if (kind == PICTURE_RGB_KEY) png_set_tRNS(png, info, NULL, 0, &key);
  png_write_info(png, info);
  png_write_image(png, rows);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  free(rows);
  free(pixels);
  *count = sink.count;
  return sink.bytes;
}

uint8_t *picture_read(const uint8_t *bytes, size_t count, uint32_t *width, uint32_t *height) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  if (!png_image_begin_read_from_memory(&image, bytes, count)) return NULL;
  image.format = PNG_FORMAT_GRAY;
  uint8_t *pixels = malloc(PNG_IMAGE_SIZE(image));
  *width = image.width;
  *height = image.height;
  if (pixels && png_image_finish_read(&image, NULL, pixels, 0, NULL)) return pixels;
  png_image_free(&image);
  free(pixels);
  return NULL;
}
