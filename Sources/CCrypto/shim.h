// OpenSSL's libcrypto (digests, encryption, key derivation), and the kernel's random bytes, which Swift's Glibc module
// does not export.
#pragma once
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/random.h>
