// OpenSSL's libcrypto (digests, encryption, key derivation, signatures), and the kernel's random bytes, which Swift's Glibc
// module does not export.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <sys/random.h>

// Writes the digest of the bytes, by the algorithm with this number of two. Returns false if libcrypto fails. A thread
// keeps a context for each algorithm, because a new one costs two allocations.
static inline _Bool relay_digest(const void *bytes, size_t count, void *digest, const EVP_MD *algorithm, int number) {
  static _Thread_local EVP_MD_CTX *contexts[2];
  EVP_MD_CTX *context = contexts[number];
  if (!context) context = contexts[number] = EVP_MD_CTX_new();
  return context && EVP_DigestInit_ex(context, algorithm, NULL) && EVP_DigestUpdate(context, bytes, count) &&
         EVP_DigestFinal_ex(context, digest, NULL);
}
