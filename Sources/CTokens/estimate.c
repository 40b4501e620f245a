#include "ctokens.h"
#include <stdbool.h>
#include <string.h>

typedef uint8_t bytes32 __attribute__((vector_size(32)));
typedef uint64_t words4 __attribute__((vector_size(32)));

// The values are sixteenths of a token. They fit o200k_base on code, prose and JSON (docs/tokens.md).
enum {
  A_LETTER = 1,
  A_WORD = 14,    // more for the letter that begins a word
  A_CAMEL = 16,   // more for a capital after a small letter
  A_DIGIT = 13,
  A_SPACE = 1,
  A_CONTROL = 12, // usually a line end
  A_SIGN = 8,
};

/// The largest number of blocks whose parts fit into a sum of one byte: no ASCII byte has more than 17.
enum { BLOCKS = 15 };

/// The parts of a character by its first byte; the following bytes have none. The values are those of `TokenEstimate`.
static const uint8_t wide_parts[256] = {
    [0xc2] = 8,           [0xc3 ... 0xcd] = 11, [0xce ... 0xcf] = 7,  [0xd0 ... 0xd4] = 5,  [0xd5 ... 0xd7] = 7,
    [0xd8 ... 0xdb] = 6,  [0xdc ... 0xdf] = 8,  [0xe0] = 7,           [0xe1 ... 0xe2] = 8,  [0xe3] = 11,
    [0xe4 ... 0xe9] = 13, [0xea ... 0xed] = 11, [0xee ... 0xef] = 12, [0xf0 ... 0xff] = 32,
};

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t sum(const bytes32 *parts) {
  words4 words = (words4)*parts;
  words4 pairs = (words & 0x00ff00ff00ff00ffULL) + ((words >> 8) & 0x00ff00ff00ff00ffULL);
  uint64_t total = 0;
  for (int lane = 0; lane < 4; lane++) total += pairs[lane] * 0x0001000100010001ULL >> 48;
  return total;
}

/// Adds the parts of thirty-two bytes. `before` points to the bytes before each of them. Returns the parts of those
/// that are not ASCII.
INLINE uint64_t add(const uint8_t *text, const uint8_t *before, bytes32 *parts) {
  bytes32 here, last;
  memcpy(&here, text, sizeof here);
  memcpy(&last, before, sizeof last);
  bytes32 letter = (bytes32)((bytes32)((here | 0x20) - 'a') < 26);
  bytes32 last_letter = (bytes32)((bytes32)((last | 0x20) - 'a') < 26);
  bytes32 wide = (bytes32)(here >= 0x80);
  bytes32 begins = letter & ~(last_letter | (bytes32)(last >= 0x80));
  bytes32 camel = letter & last_letter & (bytes32)((here & 0x20) < (last & 0x20));
  bytes32 digit = (bytes32)((bytes32)(here - '0') < 10);
  bytes32 space = (bytes32)(here == ' ');
  bytes32 control = (bytes32)(here < ' ');
  bytes32 sign = ~(letter | digit | space | control | wide);
  *parts += ((letter & A_LETTER) | (space & A_SPACE) | (digit & A_DIGIT) | (control & A_CONTROL) | (sign & A_SIGN)) +
            (begins & A_WORD) + (camel & A_CAMEL);
  words4 marks = (words4)wide;
  if (!(marks[0] | marks[1] | marks[2] | marks[3])) return 0;
  uint64_t more = 0;
  for (int place = 0; place < 32; place++) more += wide_parts[text[place]];
  return more;
}

INLINE uint64_t estimate(const uint8_t *text, size_t count) {
  uint64_t total = 0;
  size_t place = 0;
  uint8_t edge[33];
  while (place < count) {
    bytes32 parts = {0};
    for (int block = 0; block < BLOCKS && place < count; block++) {
      size_t left = count - place;
      if (place > 0 && left >= 32) {
        total += add(text + place, text + place - 1, &parts);
      } else {
        // The bytes after the text have no parts, like the following bytes of a character.
        memset(edge, 0x80, sizeof edge);
        edge[0] = place > 0 ? text[place - 1] : ' ';
        memcpy(edge + 1, text + place, left < 32 ? left : 32);
        total += add(edge + 1, edge, &parts);
      }
      place += left < 32 ? left : 32;
    }
    total += sum(&parts);
  }
  return total;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static uint64_t estimate_avx2(const uint8_t *text, size_t count) {
  return estimate(text, count);
}
#endif

uint64_t relay_tokens_estimate(const void *text, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return estimate_avx2((const uint8_t *)text, count);
#endif
  return estimate((const uint8_t *)text, count);
}
