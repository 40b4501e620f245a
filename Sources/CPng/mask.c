#include "cpng.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

// All resources of a conversion, so that one function frees them, however libpng was left.
typedef struct {
  const uint8_t *bytes;
  size_t count, next;
  png_structp reader, writer;
  png_infop reader_info, writer_info;
  png_bytep picture, grey;
  uint8_t *out;
  size_t out_count, out_capacity;
  uint32_t most_pixels;
  jmp_buf left;
  relay_mask_result result;
} work;

static _Noreturn void leave(work *work, relay_mask_result result) {
  work->result = result;
  longjmp(work->left, 1);
}

static void on_error(png_structp png, png_const_charp text) {
  (void)text;
  leave(png_get_error_ptr(png), RELAY_MASK_BROKEN);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void take(png_structp png, png_bytep room, size_t count) {
  work *work = png_get_io_ptr(png);
  if (count > work->count - work->next) leave(work, RELAY_MASK_BROKEN);
  memcpy(room, work->bytes + work->next, count);
  work->next += count;
}

static void give(png_structp png, png_bytep bytes, size_t count) {
  work *work = png_get_io_ptr(png);
  if (count > work->out_capacity - work->out_count) {
    size_t capacity = work->out_capacity * 2 + count + 4096;
    uint8_t *out = realloc(work->out, capacity);
    if (!out) leave(work, RELAY_MASK_NO_MEMORY);
    work->out = out;
    work->out_capacity = capacity;
  }
  memcpy(work->out + work->out_count, bytes, count);
  work->out_count += count;
}

static void flush(png_structp png) { (void)png; }

static void *room(work *work, size_t count) {
  void *memory = malloc(count);
  if (!memory) leave(work, RELAY_MASK_NO_MEMORY);
  return memory;
}

static void convert(work *work) {
  work->reader = png_create_read_struct(PNG_LIBPNG_VER_STRING, work, on_error, on_warning);
  if (!work->reader || !(work->reader_info = png_create_info_struct(work->reader))) leave(work, RELAY_MASK_NO_MEMORY);
  png_structp reader = work->reader;
  png_infop info = work->reader_info;
  png_set_read_fn(reader, work, take);
  // Text, profiles and other chunks are not needed, so none is stored or decompressed.
  png_set_keep_unknown_chunks(reader, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_chunk_cache_max(reader, 16);
  png_set_chunk_malloc_max(reader, 1 << 20);
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer cannot guess check sums
  png_set_crc_action(reader, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  png_set_option(reader, PNG_IGNORE_ADLER32, PNG_OPTION_ON);
#endif
  png_read_info(reader, info);

  png_uint_32 width = png_get_image_width(reader, info), height = png_get_image_height(reader, info);
  if ((uint64_t)width * height > work->most_pixels) leave(work, RELAY_MASK_TOO_LARGE);
  if (!(png_get_color_type(reader, info) & PNG_COLOR_MASK_ALPHA) && !png_get_valid(reader, info, PNG_INFO_tRNS))
    leave(work, RELAY_MASK_NO_ALPHA);
  png_set_expand(reader);  // palettes, small bit depths and tRNS become whole samples; the last of each pixel is alpha
  png_set_strip_16(reader);
  int passes = png_set_interlace_handling(reader);
  png_read_update_info(reader, info);
  size_t row_bytes = png_get_rowbytes(reader, info), channels = png_get_channels(reader, info);
  if (row_bytes != width * channels || (channels != 2 && channels != 4)) leave(work, RELAY_MASK_BROKEN);

  // Each pass of an interlaced image has some pixels of all rows.
  work->picture = room(work, passes > 1 ? row_bytes * height : row_bytes);
  for (int pass = 1; pass < passes; pass++)
    for (png_uint_32 y = 0; y < height; y++) png_read_row(reader, work->picture + row_bytes * y, NULL);

  work->writer = png_create_write_struct(PNG_LIBPNG_VER_STRING, work, on_error, on_warning);
  if (!work->writer || !(work->writer_info = png_create_info_struct(work->writer))) leave(work, RELAY_MASK_NO_MEMORY);
  png_set_write_fn(work->writer, work, give, flush);
  png_set_IHDR(work->writer, work->writer_info, width, height, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(work->writer, 1);  // the image has two values only, so that a higher level gains little
  png_set_filter(work->writer, 0, PNG_FILTER_NONE);
  png_write_info(work->writer, work->writer_info);
  work->grey = room(work, width);
  for (png_uint_32 y = 0; y < height; y++) {
    png_bytep row = passes > 1 ? work->picture + row_bytes * y : work->picture;
    png_read_row(reader, row, NULL);
    for (png_uint_32 x = 0; x < width; x++) work->grey[x] = row[x * channels + channels - 1] < 128 ? 255 : 0;
    png_write_row(work->writer, work->grey);
  }
  png_read_end(reader, NULL);
  png_write_end(work->writer, work->writer_info);
}

relay_mask_result relay_mask_make(const uint8_t *bytes, size_t count, uint32_t most_pixels, uint8_t **mask, size_t *mask_count) {
  work *held = calloc(1, sizeof *held);
  if (!held) return RELAY_MASK_NO_MEMORY;
  held->bytes = bytes;
  held->count = count;
  held->most_pixels = most_pixels;
  if (!setjmp(held->left)) convert(held);
  if (held->reader) png_destroy_read_struct(&held->reader, &held->reader_info, NULL);
  if (held->writer) png_destroy_write_struct(&held->writer, &held->writer_info);
  free(held->picture);
  free(held->grey);
  relay_mask_result result = held->result;
  if (result == RELAY_MASK_MADE) {
    *mask = held->out;
    *mask_count = held->out_count;
  } else {
    free(held->out);
  }
  free(held);
  return result;
}
