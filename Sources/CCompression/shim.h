// zlib and zstd, which decode compressed request bodies.
#pragma once
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

// A macro of zlib: Swift does not see it.
static inline int relay_inflate_begin(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }
