// Estimates of tokens. C, because its vectors of bytes become instructions of the processor on every target.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The estimated tokens of UTF-8 text, in sixteenths of a token. Takes about two instructions for each byte of
/// ASCII, and six for others. Bytes that are not valid UTF-8 count somehow.
uint64_t relay_tokens_estimate(const void *text, size_t count);
