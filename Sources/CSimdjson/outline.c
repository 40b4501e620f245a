#include "jsonoutline.h"
#include <string.h>

static bool is_space(uint8_t byte) { return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t'; }

/// Returns whether a number or a word may end before this byte.
static bool ends_word(uint8_t byte) {
  return is_space(byte) || byte == ',' || byte == ':' || (byte | 32) == '{' || (byte | 32) == '}';
}

/// Returns the end of a value that is followed by the sign at `end`, without the white space between them.
static uint32_t trimmed(const uint8_t *text, uint32_t start, uint32_t end) {
  while (end > start && is_space(text[end - 1])) end--;
  return end;
}

// MARK: Plain tools

/// A reader of signs. `next` is the number of the next one; the last one is never passed.
typedef struct {
  const uint8_t *text;
  const uint32_t *signs;
  size_t next, end;
} reader;

/// Returns the byte of the next sign; 0 at the end.
static inline uint8_t peek(const reader *signs) {
  return signs->next < signs->end ? signs->text[signs->signs[signs->next]] : 0;
}

static inline const uint8_t *here(const reader *signs) { return signs->text + signs->signs[signs->next]; }

static inline bool take(reader *signs, uint8_t byte) {
  if (peek(signs) != byte) return false;
  signs->next++;
  return true;
}

/// Takes a number, `true`, `false` or `null`. Returns false for numbers that a parser may refuse or change: those with an exponent,
/// or with more than 18 digits.
static bool take_word(reader *signs) {
  const uint8_t *byte = here(signs);
  size_t length = 0;
  if (!memcmp(byte, "true", 4) || !memcmp(byte, "null", 4)) length = 4;
  if (!memcmp(byte, "false", 5)) length = 5;
  if (length) {
    byte += length;
  } else {
    if (*byte == '-') byte++;
    const uint8_t *first = byte;
    while (byte - first < 19 && *byte >= '0' && *byte <= '9') byte++;
    if (byte == first || (*first == '0' && byte - first > 1)) return false;
    if (*byte == '.') {
      const uint8_t *point = byte++;
      while (byte - first < 20 && *byte >= '0' && *byte <= '9') byte++;
      if (byte == point + 1) return false;
    }
    if (byte - first > 18) return false;
  }
  signs->next++;
  return ends_word(*byte);
}

/// Takes a name and its colon.
static inline bool take_name(reader *signs) { return take(signs, '"') && take(signs, ':'); }

/// Takes a whole value whose grammar is valid, up to 60 levels deep. Escapes are checked elsewhere.
static bool take_value(reader *signs) {
  uint64_t objects = 0;  // a bit for each open level, the innermost the lowest: whether it is an object
  unsigned depth = 0;
  for (;;) {
    switch (peek(signs)) {
      case '{':
        signs->next++;
        if (take(signs, '}')) break;
        if (++depth > 60 || !take_name(signs)) return false;
        objects = objects << 1 | 1;
        continue;
      case '[':
        signs->next++;
        if (take(signs, ']')) break;
        if (++depth > 60) return false;
        objects <<= 1;
        continue;
      case '"': signs->next++; break;
      case 0: return false;
      default: if (!take_word(signs)) return false;
    }
    // After a value: the next one of its level, or the ends of levels.
    for (;;) {
      if (!depth) return true;
      uint8_t byte = peek(signs);
      signs->next++;
      if (byte == ',') {
        if ((objects & 1) && !take_name(signs)) return false;
        break;
      }
      if (byte != ((objects & 1) ? '}' : ']')) return false;
      objects >>= 1;
      depth--;
    }
  }
}

/// Returns whether the string at `quote` has this content, without escapes.
static inline bool is(const uint8_t *quote, const char *content, size_t count) {
  return !memcmp(quote + 1, content, count) && quote[count + 1] == '"';
}
#define IS(quote, content) is(quote, content, sizeof(content) - 1)

/// Returns whether the string at `quote` is short and has no escapes.
static bool is_simple(const uint8_t *quote) {
  for (int place = 1; place <= 60; place++) {
    if (quote[place] == '"') return true;
    // The text may end; what is behind it does not matter, as all strings end.
    if (quote[place] == '\\') return false;
  }
  return false;
}

/// Returns whether the string at `quote` can be the name of a function.
static bool is_function_name(const uint8_t *quote) {
  int place = 1;
  for (; place <= 60; place++) {
    uint8_t byte = quote[place];
    bool is_letter = (uint8_t)((byte | 32) - 'a') < 26;
    if (!is_letter && (uint8_t)(byte - '0') >= 10 && byte != '_' && byte != '-') break;
  }
  return place > 1 && quote[place] == '"';
}

enum { NAME = 1, DESCRIPTION = 2, PARAMETERS = 4, STRICT = 8 };

/// Takes the next member of a function, after its name. `found` are the members so far.
static bool take_function_member(reader *signs, const uint8_t *name, unsigned *found) {
  unsigned member = IS(name, "name") ? NAME : IS(name, "description") ? DESCRIPTION : 0;
  if (!member) member = IS(name, "parameters") ? PARAMETERS : IS(name, "strict") ? STRICT : 0;
  if (*found & member) return false;
  *found |= member;
  switch (member) {
    case NAME: return peek(signs) == '"' && is_function_name(here(signs)) && take(signs, '"');
    case DESCRIPTION: return take(signs, '"');
    case PARAMETERS: return peek(signs) == '{' && take_value(signs);
    case STRICT: return (peek(signs) == 't' || peek(signs) == 'f') && take_word(signs);
    default: return is_simple(name) && take_value(signs);
  }
}

static bool take_function(reader *signs) {
  if (!take(signs, '{')) return false;
  unsigned found = 0;
  for (;;) {
    if (peek(signs) != '"') return false;
    const uint8_t *name = here(signs);
    if (!take_name(signs) || !take_function_member(signs, name, &found)) return false;
    if (take(signs, '}')) return found & NAME;
    if (!take(signs, ',')) return false;
  }
}

static bool take_tool(reader *signs) {
  if (!take(signs, '{')) return false;
  bool has_type = false, has_function = false;
  for (;;) {
    if (peek(signs) != '"') return false;
    const uint8_t *name = here(signs);
    if (!take_name(signs)) return false;
    if (IS(name, "type")) {
      if (has_type || peek(signs) != '"' || !IS(here(signs), "function")) return false;
      has_type = take(signs, '"');
    } else if (IS(name, "function")) {
      if (has_function || !take_function(signs)) return false;
      has_function = true;
    } else if (IS(name, "cache_control") || !is_simple(name) || !take_value(signs)) {
      return false;
    }
    if (take(signs, '}')) return has_type && has_function;
    if (!take(signs, ',')) return false;
  }
}

static bool is_hex(uint8_t byte) { return (uint8_t)(byte - '0') < 10 || (uint8_t)((byte | 32) - 'a') < 6; }

/// Returns the number of an escape of four hexadecimal digits; -1 if the text does not begin with one.
static int code_unit(const uint8_t *text) {
  if (text[0] != '\\' || text[1] != 'u') return -1;
  int code = 0;
  for (int place = 2; place < 6; place++) {
    if (!is_hex(text[place])) return -1;
    code = code << 4 | (text[place] <= '9' ? text[place] - '0' : (text[place] | 32) - 'a' + 10);
  }
  return code;
}

/// Returns the length of the escape at a backslash; 0 if it is invalid, as half of a surrogate pair is.
static size_t escape_length(const uint8_t *text) {
  if (text[1] != 'u') return text[1] && strchr("\"\\/bfnrt", text[1]) ? 2 : 0;
  int code = code_unit(text);
  if (code < 0 || code >> 10 == 0xdc00 >> 10) return 0;
  if (code >> 10 != 0xd800 >> 10) return 6;
  return code_unit(text + 6) >> 10 == 0xdc00 >> 10 ? 12 : 0;
}

/// Returns whether each backslash of the text belongs to a valid escape.
static bool has_valid_escapes(const uint8_t *text, const uint8_t *end) {
  while (text < end) {
    text = memchr(text, '\\', (size_t)(end - text));
    if (!text) return true;
    size_t length = escape_length(text);
    if (!length) return false;
    text += length;
  }
  return false;
}

bool relay_json_plain_tools(relay_json_marked text, size_t *number, uint32_t *tools) {
  reader signs = {text.text, text.signs, *number, text.count};
  const uint8_t *start = here(&signs);
  *tools = 0;
  if (!take(&signs, '[')) return false;
  do {
    if (!take_tool(&signs)) return false;
    ++*tools;
  } while (take(&signs, ','));
  if (peek(&signs) != ']' || !has_valid_escapes(start, here(&signs))) return false;
  *number = signs.next + 1;
  return true;
}

// MARK: Members

/// Passes over an array or object: up to the sign that closes it, whatever is between. Returns the levels in it; 0 if it does not
/// end.
static uint32_t pass_nest(relay_json_marked text, size_t *number) {
  uint32_t depth = 0, levels = 0;
  size_t next = *number;
  while (next < text.count) {
    // With this bit set, `[` equals `{`, and `]` equals `}`.
    uint8_t byte = text.text[text.signs[next++]] | 32;
    if (byte == '{') {
      if (++depth > levels) levels = depth;
    } else if (byte == '}' && --depth == 0) {
      *number = next;
      return levels;
    }
  }
  return 0;
}

/// Finds one member, whose name is the next sign. Moves `number` behind its value, where another sign follows.
static bool find_span(relay_json_marked text, size_t *number, relay_json_span *span) {
  const uint8_t *bytes = text.text;
  if (*number + 3 >= text.count) return false;
  uint32_t quote = text.signs[*number], colon = text.signs[*number + 1];
  if (bytes[quote] != '"' || bytes[colon] != ':') return false;
  uint32_t end = trimmed(bytes, quote, colon);
  if (end < quote + 2 || bytes[end - 1] != '"') return false;
  size_t next = *number + 2;
  *span = (relay_json_span){.name = quote + 1, .name_count = end - quote - 2, .first = (uint32_t)next};
  span->value = text.signs[next];
  if ((bytes[span->value] | 32) == '{') {
    bool are_tools = span->name_count == 5 && !memcmp(bytes + span->name, "tools", 5);
    if (!are_tools || !relay_json_plain_tools(text, &next, &span->tools)) {
      span->tools = 0;
      span->levels = pass_nest(text, &next);
      if (!span->levels) return false;
    }
    span->value_count = text.signs[next - 1] + 1 - span->value;
  } else {
    next++;
    span->value_count = trimmed(bytes, span->value, text.signs[next]) - span->value;
  }
  span->last = (uint32_t)next - 1;
  *number = next;
  return next < text.count;
}

int relay_json_spans(relay_json_marked text, relay_json_span *spans) {
  if (text.count < 2 || text.text[text.signs[0]] != '{') return -1;
  if (text.count == 2) return text.text[text.signs[1]] == '}' ? 0 : -1;
  size_t next = 1;
  for (int found = 0; found < relay_json_most_spans; found++) {
    if (!find_span(text, &next, spans + found)) return -1;
    uint8_t byte = text.text[text.signs[next++]];
    if (byte == '}' && next == text.count) return found + 1;
    if (byte != ',') return -1;
  }
  return -1;
}
