// Estimates of tokens. The code is in C, because its byte vectors become processor instructions on every target.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Returns the estimated tokens of UTF-8 text, in sixteenths of a token. Needs about two instructions for each ASCII
/// byte and six for others. Invalid UTF-8 is counted in some way.
uint64_t relay_tokens_estimate(const void *text, size_t count);
