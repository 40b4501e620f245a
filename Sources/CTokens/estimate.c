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

INLINE bool is_letter(uint8_t byte) { return (uint8_t)((byte | 0x20) - 'a') < 26; }

/// Returns the parts of sixty-four bytes, of those whose bit in `valid` is set. The same as `add`, by masks. `before` is the byte
/// before them.
AVX2 INLINE uint64_t block(const uint8_t *text, uint64_t valid, uint8_t before) {
  __m256i low = _mm256_loadu_si256((const __m256i *)text), high = _mm256_loadu_si256((const __m256i *)(text + 32));
  uint64_t letter = range(low, high, 0x20, 'a', 25), wide = bits(low, high);
  uint64_t small = bits(_mm256_slli_epi16(low, 2), _mm256_slli_epi16(high, 2));
  uint64_t digit = range(low, high, 0, '0', 9), control = range(low, high, 0, 0, 31), space = range(low, high, 0, ' ', 0);
  uint64_t sign = ~(letter | digit | control | space | wide);
  uint64_t last_letter = letter << 1 | is_letter(before);
  uint64_t begins = letter & ~(last_letter | wide << 1 | before >> 7);
  uint64_t camel = letter & last_letter & ~small & (small << 1 | (before >> 5 & 1));
  uint64_t total = ones(letter & valid) * A_LETTER + ones(begins & valid) * A_WORD + ones(camel & valid) * A_CAMEL +
                   ones(digit & valid) * A_DIGIT + ones(space & valid) * A_SPACE + ones(control & valid) * A_CONTROL +
                   ones(sign & valid) * A_SIGN;
  // The first bytes of characters that are not ASCII have two bits set.
  wide &= valid;
  if (wide) wide &= bits(_mm256_slli_epi16(low, 1), _mm256_slli_epi16(high, 1));
  for (; wide; wide &= wide - 1) total += wide_parts[text[__builtin_ctzll(wide)]];
  return total;
}

#define ALL(value) _mm256_set1_epi8((char)(value))

/// Returns which bytes are in `first...last`, for bytes that are ASCII. The sum is the largest byte for `last`, and negative above.
AVX2 INLINE __m256i within(__m256i bytes, uint8_t first, uint8_t last) {
  return _mm256_cmpgt_epi8(_mm256_add_epi8(bytes, ALL(127 - last)), ALL(127 - last + first - 1));
}

/// Returns the parts of thirty-two bytes less `A_SIGN` each. The bytes and the one before them are ASCII.
AVX2 INLINE __m256i ascii(const uint8_t *text) {
  __m256i here = _mm256_loadu_si256((const __m256i *)text), last = _mm256_loadu_si256((const __m256i *)(text - 1));
  __m256i letter = within(_mm256_or_si256(here, ALL(0x20)), 'a', 'z');
  __m256i last_letter = within(_mm256_or_si256(last, ALL(0x20)), 'a', 'z');
  __m256i space = _mm256_cmpeq_epi8(here, ALL(' ')), control = _mm256_cmpgt_epi8(ALL(' '), here);
  __m256i begins = _mm256_andnot_si256(last_letter, letter), follows = _mm256_and_si256(letter, last_letter);
  // A capital after a small letter lacks the bit 0x20 that the byte before has.
  __m256i camel = _mm256_and_si256(_mm256_andnot_si256(here, last), _mm256_and_si256(follows, ALL(0x20)));
  _Static_assert(A_LETTER == A_SPACE && A_CAMEL == 0x20 >> 1, "letters and spaces are one mask, and the bit 0x20 is shifted");
  __m256i parts = _mm256_srli_epi16(camel, 1);
  parts = _mm256_sub_epi8(parts, _mm256_and_si256(_mm256_or_si256(letter, space), ALL(A_SIGN - A_LETTER)));
  parts = _mm256_add_epi8(parts, _mm256_and_si256(within(here, '0', '9'), ALL(A_DIGIT - A_SIGN)));
  parts = _mm256_add_epi8(parts, _mm256_and_si256(control, ALL(A_CONTROL - A_SIGN)));
  return _mm256_add_epi8(parts, _mm256_and_si256(begins, ALL(A_WORD)));
}

/// Adds the parts of blocks of sixty-four bytes, up to one that is not all ASCII. Returns the place after them.
AVX2 INLINE size_t add_ascii(const uint8_t *text, size_t place, size_t count, uint64_t *total) {
  __m256i sums = _mm256_setzero_si256();
  bool is_ascii = true;
  while (is_ascii && place + 64 <= count) {
    __m256i parts = _mm256_setzero_si256();
    int blocks = 0;
    for (; blocks < BLOCKS / 2 && place + 64 <= count; blocks++, place += 64) {
      __m256i low = _mm256_loadu_si256((const __m256i *)(text + place)), high = _mm256_loadu_si256((const __m256i *)(text + place + 32));
      is_ascii = !_mm256_movemask_epi8(_mm256_or_si256(low, high));
      if (!is_ascii) break;
      parts = _mm256_add_epi8(parts, _mm256_add_epi8(ascii(text + place), ascii(text + place + 32)));
    }
    parts = _mm256_add_epi8(parts, ALL(2 * blocks * A_SIGN));
    sums = _mm256_add_epi64(sums, _mm256_sad_epu8(parts, _mm256_setzero_si256()));
  }
  for (int lane = 0; lane < 4; lane++) *total += (uint64_t)((words4)sums)[lane];
  return place;
}

#define AVX512 __attribute__((target("avx2,popcnt,avx512f,avx512bw,avx512vbmi")))

/// The parts of each ASCII character that do not depend on the one before, and what it is.
enum { LETTER = 0x80, SMALL = 0x40, PARTS = 0x3f };
static const uint8_t ascii_parts[128] __attribute__((aligned(64))) = {
    [0 ... 31] = A_CONTROL,       [' '] = A_SPACE,         ['!'... '/'] = A_SIGN, ['0' ... '9'] = A_DIGIT,
    [':'... '@'] = A_SIGN,        ['['... '`'] = A_SIGN,   ['{' ... 127] = A_SIGN,
    ['A' ... 'Z'] = LETTER | A_LETTER, ['a' ... 'z'] = LETTER | SMALL | A_LETTER,
};

/// The same as `add_ascii`, by tables of 128 bytes.
AVX512 INLINE size_t add_ascii_by_table(const uint8_t *text, size_t place, size_t count, uint64_t *total) {
  __m512i first = _mm512_load_si512(ascii_parts), second = _mm512_load_si512(ascii_parts + 64), sums = _mm512_setzero_si512();
  uint64_t words = 0, camels = 0;
  uint64_t last_letter = ascii_parts[text[place - 1]] >> 7, last_small = ascii_parts[text[place - 1]] >> 6 & 1;
  for (; place + 64 <= count; place += 64) {
    __m512i here = _mm512_loadu_si512(text + place);
    if (_mm512_movepi8_mask(here)) break;
    __m512i values = _mm512_permutex2var_epi8(first, here, second);
    uint64_t letter = _mm512_movepi8_mask(values), small = _mm512_movepi8_mask(_mm512_add_epi8(values, values));
    __m512i parts = _mm512_and_si512(values, _mm512_set1_epi8(PARTS));
    sums = _mm512_add_epi64(sums, _mm512_sad_epu8(parts, _mm512_setzero_si512()));
    words += ones(letter & ~(letter << 1 | last_letter));
    camels += ones(letter & ~small & (small << 1 | last_small));
    last_letter = letter >> 63;
    last_small = small >> 63;
  }
  *total += (uint64_t)_mm512_reduce_add_epi64(sums) + words * A_WORD + camels * A_CAMEL;
  return place;
}

#define ESTIMATE(name, target, add_ascii)                                                   \
  target static uint64_t name(const uint8_t *text, size_t count) {                          \
    uint64_t total = 0;                                                                     \
    uint8_t before = 0;                                                                     \
    size_t place = 0;                                                                       \
    while (place + 64 <= count) {                                                           \
      total += block(text + place, ~0ULL, before);                                          \
      place += 64;                                                                          \
      if (text[place - 1] < 0x80) place = add_ascii(text, place, count, &total);            \
      before = text[place - 1];                                                             \
    }                                                                                       \
    if (place == count) return total;                                                       \
    uint8_t rest[64] = {0};                                                                 \
    memcpy(rest, text + place, count - place);                                              \
    return total + block(rest, (1ULL << (count - place)) - 1, before);                      \
  }
ESTIMATE(estimate_avx2, AVX2, add_ascii)
ESTIMATE(estimate_avx512, AVX512, add_ascii_by_table)
#endif

enum relay_tokens_code relay_tokens_best_code(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw")) return RELAY_TOKENS_AVX512;
  if (__builtin_cpu_supports("avx2")) return RELAY_TOKENS_AVX2;
#endif
  return RELAY_TOKENS_PLAIN;
}

uint64_t relay_tokens_estimate_by(enum relay_tokens_code code, const void *text, size_t count) {
#if defined(__x86_64__)
  if (code == RELAY_TOKENS_AVX512) return estimate_avx512((const uint8_t *)text, count);
  if (code == RELAY_TOKENS_AVX2) return estimate_avx2((const uint8_t *)text, count);
#endif
  return estimate((const uint8_t *)text, count);
}

uint64_t relay_tokens_estimate(const void *text, size_t count) {
  return relay_tokens_estimate_by(relay_tokens_best_code(), text, count);
}
