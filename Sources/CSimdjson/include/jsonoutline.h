// The outline of a JSON text: where the members of its root are, and whether its tools can stay unread. Both are found in the signs
// that simdjson's first step lists.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// A text whose signs are listed: the positions of all brackets, braces, commas and colons outside strings, of the quote before each
/// string, and of the first byte of each other value. The list is simdjson's, made by its first step without an error, so that all
/// strings end, have no control characters and are UTF-8. The grammar is not checked. At least 64 bytes after the text are readable.
typedef struct {
  const uint8_t *text;
  const uint32_t *signs;
  size_t count;
} relay_json_marked;

/// A member of the root as it is written.
typedef struct {
  uint32_t name, name_count;    // between its quotes
  uint32_t value, value_count;  // without white space around it
  uint32_t first, last;         // the numbers of the value's first and last sign
  uint32_t levels;              // how deep arrays and objects are nested in the value
  uint32_t tools;               // the elements of plain tools; 0 for any other value
} relay_json_span;

enum { relay_json_most_spans = 100 };

/// Finds the members of the root. If the text is valid JSON, they are right; for any other text the function only stays within it.
/// Returns their number; -1 if the root is no object, or if it has more than `relay_json_most_spans` members.
///
/// A member called `tools` is checked by `relay_json_plain_tools`.
int relay_json_spans(relay_json_marked text, relay_json_span *spans);

/// Checks that a value is a valid array of plain tools, which need not be read: objects with the type `function` and with a
/// `function`, whose name, description, parameters and strictness have the right form. Returns false for all texts that are invalid,
/// and for some that are valid. `number` is that of the array's first sign; it is moved behind the array.
bool relay_json_plain_tools(relay_json_marked text, size_t *number, uint32_t *tools);

#ifdef __cplusplus
}
#endif
