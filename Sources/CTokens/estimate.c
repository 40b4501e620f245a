#include "ctokens.h"
#include <stdbool.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

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
#define AVX2 __attribute__((target("avx2,popcnt")))

/// The last byte before a block, by its kind: in the highest bit of each word.
typedef struct { uint64_t letter, small, wide; } edge;

/// Returns the bit 7 of each of sixty-four bytes.
AVX2 INLINE uint64_t bits(__m256i low, __m256i high) {
  return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

/// Returns which of sixty-four bytes are at most `most` after `base` was subtracted and the bits of `fold` were set.
AVX2 INLINE uint64_t range(__m256i low, __m256i high, uint8_t fold, uint8_t base, uint8_t most) {
  __m256i folds = _mm256_set1_epi8((char)fold), bases = _mm256_set1_epi8((char)base), mosts = _mm256_set1_epi8((char)most);
  low = _mm256_sub_epi8(_mm256_or_si256(low, folds), bases);
  high = _mm256_sub_epi8(_mm256_or_si256(high, folds), bases);
  return bits(_mm256_cmpeq_epi8(_mm256_min_epu8(low, mosts), low), _mm256_cmpeq_epi8(_mm256_min_epu8(high, mosts), high));
}

AVX2 INLINE uint64_t ones(uint64_t mask) { return (uint64_t)__builtin_popcountll(mask); }

/// Returns the parts of sixty-four bytes, of those whose bit in `valid` is set. The same as `add`, by masks.
AVX2 INLINE uint64_t block(const uint8_t *text, uint64_t valid, edge *before) {
  __m256i low = _mm256_loadu_si256((const __m256i *)text), high = _mm256_loadu_si256((const __m256i *)(text + 32));
  edge here = {range(low, high, 0x20, 'a', 25), bits(_mm256_slli_epi16(low, 2), _mm256_slli_epi16(high, 2)), bits(low, high)};
  uint64_t digit = range(low, high, 0, '0', 9), control = range(low, high, 0, 0, 31), space = range(low, high, 0, ' ', 0);
  uint64_t sign = ~(here.letter | digit | control | space | here.wide);
  uint64_t last_letter = here.letter << 1 | before->letter >> 63;
  uint64_t begins = here.letter & ~(last_letter | here.wide << 1 | before->wide >> 63);
  uint64_t camel = here.letter & last_letter & ~here.small & (here.small << 1 | before->small >> 63);
  *before = here;
  uint64_t total = ones(here.letter & valid) * A_LETTER + ones(begins & valid) * A_WORD + ones(camel & valid) * A_CAMEL +
                   ones(digit & valid) * A_DIGIT + ones(space & valid) * A_SPACE + ones(control & valid) * A_CONTROL +
                   ones(sign & valid) * A_SIGN;
  // The first bytes of characters that are not ASCII have two bits set.
  uint64_t wide = here.wide & valid;
  if (wide) wide &= bits(_mm256_slli_epi16(low, 1), _mm256_slli_epi16(high, 1));
  for (; wide; wide &= wide - 1) total += wide_parts[text[__builtin_ctzll(wide)]];
  return total;
}

AVX2 static uint64_t estimate_avx2(const uint8_t *text, size_t count) {
  edge before = {0, 0, 0};
  uint64_t total = 0;
  size_t place = 0;
  for (; place + 64 <= count; place += 64) total += block(text + place, ~0ULL, &before);
  if (place == count) return total;
  uint8_t rest[64] = {0};
  memcpy(rest, text + place, count - place);
  return total + block(rest, (1ULL << (count - place)) - 1, &before);
}
#endif

uint64_t relay_tokens_estimate(const void *text, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return estimate_avx2((const uint8_t *)text, count);
#endif
  return estimate((const uint8_t *)text, count);
}
