// Scanning of JSON text, sixteen bytes at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/// Returns a bit for each of sixteen bytes that needs an escape: a control character, `"` or `\`.
static inline unsigned relay_json_marks16(const void *bytes) {
#if defined(__SSE2__)
  __m128i text = _mm_loadu_si128((const __m128i *)bytes);
  __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(text, _mm_set1_epi8(31)), text);
  __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')), _mm_cmpeq_epi8(text, _mm_set1_epi8('\\')));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, mark));
#elif defined(__aarch64__)
  static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t text = vld1q_u8((const uint8_t *)bytes);
  uint8x16_t mark = vorrq_u8(vceqq_u8(text, vdupq_n_u8('"')), vceqq_u8(text, vdupq_n_u8('\\')));
  uint8x16_t bits = vandq_u8(vorrq_u8(vcltq_u8(text, vdupq_n_u8(32)), mark), vld1q_u8(weights));
  return vaddv_u8(vget_low_u8(bits)) | (unsigned)vaddv_u8(vget_high_u8(bits)) << 8;
#else
  const uint8_t *text = (const uint8_t *)bytes;
  unsigned found = 0;
  for (int place = 0; place < 16; place++) {
    found |= (unsigned)(text[place] < 32 || text[place] == '"' || text[place] == '\\') << place;
  }
  return found;
#endif
}

/// Returns the number of bytes, of sixteen, before the first one that needs an escape.
static inline unsigned relay_json_unescaped(const void *bytes) {
  return (unsigned)__builtin_ctz(relay_json_marks16(bytes) | 1U << 16);
}

/// Returns the number of bytes, of sixteen, before the first one that needs an escape or is not ASCII.
static inline unsigned relay_json_plain(const void *bytes) {
  unsigned marks = relay_json_marks16(bytes);
#if defined(__SSE2__)
  marks |= (unsigned)_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)bytes));
#else
  const uint8_t *text = (const uint8_t *)bytes;
  for (int place = 0; place < 16; place++) marks |= (unsigned)(text[place] >> 7) << place;
#endif
  return (unsigned)__builtin_ctz(marks | 1U << 16);
}

/// Returns a bit for each of sixty-four bytes that needs an escape.
static inline uint64_t relay_json_marks(const uint8_t *bytes) {
  uint64_t found = 0;
#pragma clang loop unroll(full)
  for (int place = 0; place < 64; place += 16) found |= (uint64_t)relay_json_marks16(bytes + place) << place;
  return found;
}

/// Writes the escape of a byte that needs one, and returns its length: 2 or 6.
static inline size_t relay_json_escape(uint8_t *room, uint8_t byte) {
  char letter = byte == '\n' ? 'n' : byte == '"' || byte == '\\' ? (char)byte : byte == '\t' ? 't' : byte == '\r' ? 'r' : 0;
  room[0] = '\\';
  if (letter) {
    room[1] = (uint8_t)letter;
    return 2;
  }
  memcpy(room + 1, byte < 16 ? "u000" : "u001", 4);
  room[5] = (uint8_t)"0123456789abcdef"[byte & 15];
  return 6;
}

/// Copies `count` bytes in steps of 16: reads and writes up to 15 more.
static inline void relay_json_copy(uint8_t *room, const uint8_t *text, size_t count) {
  for (size_t place = 0; place < count; place += 16) memcpy(room + place, text + place, 16);
}

enum { relay_json_room = 512 };

/// Writes text as the content of a JSON string, with escapes, until the text ends or less than `relay_json_room` is left.
///
/// `room_bytes` is at least `relay_json_room`. Sets `taken` to the bytes of the text that were read; returns the bytes that were
/// written.
static inline size_t relay_json_write(uint8_t *room, size_t room_bytes, const uint8_t *text, size_t count, size_t *taken) {
  size_t from = 0, length = 0;
  // Parts of 64 bytes: up to six times as many are written, and up to 15 more.
  while (from + 80 <= count && length + relay_json_room <= room_bytes) {
    uint64_t marks = relay_json_marks(text + from);
    size_t part = from, end = from + 64;
    while (marks) {
      size_t mark = from + (size_t)__builtin_ctzll(marks);
      marks &= marks - 1;
      relay_json_copy(room + length, text + part, mark - part);
      length += mark - part;
      length += relay_json_escape(room + length, text[mark]);
      part = mark + 1;
    }
    relay_json_copy(room + length, text + part, end - part);
    length += end - part;
    from = end;
  }
  // The end, sixteen bytes at a time; the last ones from a copy, so that no byte behind the text is read.
  while (from < count && length + 32 <= room_bytes) {
    uint8_t last[16] = {0};
    size_t part = count - from;
    const uint8_t *bytes = text + from;
    if (part < 16) bytes = (const uint8_t *)memcpy(last, bytes, part);
    memcpy(room + length, bytes, 16);
    size_t plain = relay_json_unescaped(bytes);
    if (plain > part) plain = part;
    from += plain;
    length += plain;
    if (plain < part && plain < 16) length += relay_json_escape(room + length, text[from++]);
  }
  *taken = from;
  return length;
}

/// Returns a bit for each of sixty-four bytes that equals `byte` after the bits of `fold` were set in it.
static inline uint64_t relay_json_where(const uint8_t *bytes, uint8_t byte, uint8_t fold) {
  uint64_t found = 0;
#if defined(__SSE2__)
  for (int place = 0; place < 64; place += 16) {
    __m128i text = _mm_or_si128(_mm_loadu_si128((const __m128i *)(bytes + place)), _mm_set1_epi8((char)fold));
    __m128i equal = _mm_cmpeq_epi8(text, _mm_set1_epi8((char)byte));
    found |= (uint64_t)(uint32_t)_mm_movemask_epi8(equal) << place;
  }
#else
  for (int place = 0; place < 64; place++) found |= (uint64_t)((bytes[place] | fold) == byte) << place;
#endif
  return found;
}

/// Returns whether an odd number of backslashes is directly before `place`, so that the byte there is escaped.
static inline bool relay_json_escaped(const uint8_t *text, size_t place) {
  size_t first = place;
  while (first > 0 && text[first - 1] == '\\') first--;
  return (place - first) & 1;
}

/// Returns a bit for each of sixty-four bytes that a backslash before it escapes.
///
/// `slashes` has a bit for each backslash. `is_first` says whether the first byte is escaped; it is set for the next sixty-four.
static inline uint64_t relay_json_escapes(uint64_t slashes, uint64_t *is_first) {
  if (!slashes) {
    uint64_t escaped = *is_first;
    *is_first = 0;
    return escaped;
  }
  // Every run of backslashes escapes every other byte of itself, and the byte after it if its length is odd. The subtraction carries
  // through a run, so that its end differs by whether the run begins at an odd position (as in simdjson's scanner).
  const uint64_t odd = 0xaaaaaaaaaaaaaaaaULL;
  uint64_t starts = slashes & ~*is_first;
  uint64_t ends = (((starts << 1) | odd) - starts) ^ odd;
  uint64_t escaped = ends ^ (slashes | *is_first);
  *is_first = (ends & slashes) >> 63;
  return escaped;
}

/// Returns the position of the quote that ends the string whose content begins at `text`; `count` if it does not end. A
/// backslash escapes the byte after it.
static inline size_t relay_json_string(const uint8_t *text, size_t count) {
  // Most strings are short and need no escape.
  size_t place = count >= 16 ? relay_json_unescaped(text) : 0;
  if (place < count && text[place] == '"') return place;
  while (place < count) {
    const uint8_t *quote = (const uint8_t *)memchr(text + place, '"', count - place);
    if (!quote) return count;
    place = (size_t)(quote - text);
    if (!relay_json_escaped(text, place)) return place;
    place++;
    // A text with one escaped quote has many: sixty-four bytes at a time, up to some that have neither a quote nor a backslash.
    uint64_t is_first = 0;
    while (place + 64 <= count) {
      uint64_t quotes = relay_json_where(text + place, '"', 0), slashes = relay_json_where(text + place, '\\', 0);
      if (!(quotes | slashes | is_first)) break;
      quotes &= ~relay_json_escapes(slashes, &is_first);
      if (quotes) return place + (size_t)__builtin_ctzll(quotes);
      place += 64;
    }
  }
  return count;
}

/// Returns whether one of sixty-four bytes is a quote.
static inline bool relay_json_has_quote(const uint8_t *bytes) {
#if defined(__SSE2__)
  __m128i found = _mm_setzero_si128();
#pragma clang loop unroll(full)
  for (int part = 0; part < 64; part += 16) {
    __m128i text = _mm_loadu_si128((const __m128i *)(bytes + part));
    found = _mm_or_si128(found, _mm_cmpeq_epi8(text, _mm_set1_epi8('"')));
  }
  return _mm_movemask_epi8(found);
#else
  return memchr(bytes, '"', 64) != NULL;
#endif
}

/// Counts the commas and colons, and the opening brackets and braces, also those inside strings.
static inline void relay_json_signs(const uint8_t *text, size_t count, size_t *separators, size_t *openings) {
  size_t place = 0;
  *separators = *openings = 0;
#if defined(__SSE2__)
  while (place + 64 <= count) {
    __m128i separate = _mm_setzero_si128(), open = _mm_setzero_si128();
    // After 63 blocks each byte of a sum is at most 252, so that it does not overflow.
    for (int block = 0; block < 63 && place + 64 <= count; block++, place += 64) {
#pragma clang loop unroll(full)
      for (size_t part = 0; part < 64; part += 16) {
        __m128i here = _mm_loadu_si128((const __m128i *)(text + place + part));
        separate = _mm_sub_epi8(separate, _mm_cmpeq_epi8(here, _mm_set1_epi8(',')));
        separate = _mm_sub_epi8(separate, _mm_cmpeq_epi8(here, _mm_set1_epi8(':')));
        // With this bit set, `[` equals `{`.
        open = _mm_sub_epi8(open, _mm_cmpeq_epi8(_mm_or_si128(here, _mm_set1_epi8(32)), _mm_set1_epi8('{')));
      }
    }
    __m128i zero = _mm_setzero_si128();
    separate = _mm_sad_epu8(separate, zero);
    open = _mm_sad_epu8(open, zero);
    *separators += (size_t)(_mm_cvtsi128_si64(separate) + _mm_cvtsi128_si64(_mm_srli_si128(separate, 8)));
    *openings += (size_t)(_mm_cvtsi128_si64(open) + _mm_cvtsi128_si64(_mm_srli_si128(open, 8)));
  }
#endif
  for (; place < count; place++) {
    *separators += text[place] == ',' || text[place] == ':';
    *openings += (text[place] | 32) == '{';
  }
}

/// Returns the length of the array or object that begins at `bytes`; `count` if it does not end.
static inline size_t relay_json_nest(const uint8_t *bytes, size_t count) {
  size_t depth = 0;
  uint64_t within = 0;   // all bits: the sixty-four begin within a string
  uint64_t escaped = 0;  // the first of them is
  for (size_t start = 0; start < count; start += 64) {
    uint8_t rest[64];
    const uint8_t *block = bytes + start;
    if (count - start < 64) {
      memset(rest, ' ', 64);
      block = (const uint8_t *)memcpy(rest, block, count - start);
    }
    uint64_t slashes = relay_json_where(block, '\\', 0);
    uint64_t quotes = relay_json_where(block, '"', 0) & ~relay_json_escapes(slashes, &escaped);
    if (within && !quotes) {
      // A long string: continue with the sixty-four bytes that contain its closing quote.
      size_t next = start + 64;
      while (next + 64 <= count && !relay_json_has_quote(bytes + next)) next += 64;
      if (next > start + 64) escaped = relay_json_escaped(bytes, next);
      start = next - 64;
      continue;
    }
    // The bits from each quote up to the one that ends its string.
    uint64_t strings = quotes;
    for (int step = 1; step < 64; step *= 2) strings ^= strings << step;
    strings ^= within;
    within = 0 - (strings >> 63);
    // With this bit set, `[` equals `{`, and `]` equals `}`.
    uint64_t opening = relay_json_where(block, '{', 32) & ~strings;
    uint64_t closing = relay_json_where(block, '}', 32) & ~strings;
    for (uint64_t nests = opening | closing; nests; nests &= nests - 1) {
      if (opening & nests & (0 - nests)) {
        depth++;
      } else if (--depth == 0) {
        return start + (size_t)__builtin_ctzll(nests) + 1;
      }
    }
  }
  return count;
}
