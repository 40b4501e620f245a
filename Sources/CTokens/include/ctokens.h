// Estimates of tokens. The code is in C, because its byte vectors become processor instructions on every target.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The code for an estimate. All give the same result.
enum relay_tokens_code { RELAY_TOKENS_PLAIN, RELAY_TOKENS_AVX2, RELAY_TOKENS_AVX512 };

/// Returns the fastest code that this processor runs. It runs the slower ones, too.
enum relay_tokens_code relay_tokens_best_code(void);

/// Returns the estimate by a code that this processor runs.
uint64_t relay_tokens_estimate_by(enum relay_tokens_code code, const void *text, size_t count);

/// Returns the estimated tokens of UTF-8 text, in sixteenths of a token. For each ASCII byte it needs a third of an
/// instruction with AVX-512, one and a half with AVX2, and two without; six for others. Invalid UTF-8 is counted in
/// some way.
uint64_t relay_tokens_estimate(const void *text, size_t count);
