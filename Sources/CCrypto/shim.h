// OpenSSL's libcrypto (digests, encryption, key derivation, signatures), and the kernel's random bytes, which Swift's Glibc
// module does not export.
#pragma once
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
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

// Writes the HMAC-SHA-256 (32 bytes) of the bytes. Returns false if libcrypto fails. A thread keeps a context: libcrypto's `HMAC`
// looks both algorithms up in each call, which takes three times as long.
static inline _Bool relay_hmac(const void *key, size_t key_count, const void *bytes, size_t count, unsigned char *code) {
  static _Thread_local EVP_MAC_CTX *context;
  if (!context) {
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *fresh = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0), OSSL_PARAM_construct_end()};
    if (!fresh || !EVP_MAC_CTX_set_params(fresh, params)) return 0;
    context = fresh;
  }
  size_t written;
  return EVP_MAC_init(context, key, key_count, NULL) && EVP_MAC_update(context, bytes, count) &&
         EVP_MAC_final(context, code, &written, 32);
}
