// Texts as they stand in JSON, sixteen bytes at a time.
#pragma once
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/// The number of the sixteen bytes that come before the first one that needs an escape: a control character, `"` or `\`.
static inline unsigned relay_json_unescaped(const void *bytes) {
#if defined(__SSE2__)
  __m128i text = _mm_loadu_si128((const __m128i *)bytes);
  __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(text, _mm_set1_epi8(31)), text);
  __m128i mark = _mm_or_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('"')), _mm_cmpeq_epi8(text, _mm_set1_epi8('\\')));
  return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(_mm_or_si128(control, mark)) | 1U << 16);
#elif defined(__ARM_NEON)
  uint8x16_t text = vld1q_u8((const uint8_t *)bytes);
  uint8x16_t mark = vorrq_u8(vceqq_u8(text, vdupq_n_u8('"')), vceqq_u8(text, vdupq_n_u8('\\')));
  uint8x16_t found = vorrq_u8(vcltq_u8(text, vdupq_n_u8(32)), mark);
  // Four bits of each byte.
  uint64_t bits = vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(found), 4)), 0);
  return bits ? (unsigned)__builtin_ctzll(bits) / 4 : 16;
#else
  const unsigned char *text = (const unsigned char *)bytes;
  unsigned count = 0;
  while (count < 16 && text[count] >= 32 && text[count] != '"' && text[count] != '\\') count++;
  return count;
#endif
}
