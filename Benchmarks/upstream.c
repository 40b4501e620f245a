// A fast stand-in for 1min.ai, OpenAI, Anthropic, Google, Cohere and Cloudflare: one thread, epoll, answers made once at start.
//
//   upstream [--answer-bytes N] [--events N] [--writes N] [--interval-ms N] [--slow-events N]
//
// Listens on a free loopback port and prints its number. It knows
//   POST /api/chat-with-ai                    a record of `answer-bytes` (1024)
//   POST /api/chat-with-ai?isStreaming=true   `events` (100) named events, then `result` and `done`:
//     interval-ms 0: in `writes` (4) pieces, each an HTTP chunk, one for each turn of the loop;
//     interval-ms N: the first event at once, then one each N ms (streams spread evenly) until SIGUSR1
//     tells all running streams to end as usual, or a stream has had `slow-events` after the first.
//   POST /api/assets                          takes a body of any size, by length or in chunks, and drops it
//   POST /api/features                        a record like that of a chat
//   GET /models?feature=..., GET /v1/models   a model list, 1min.ai's and OpenAI's
//   GET /health                               200
//   POST /v1/chat/completions, /v1/messages   the same by OpenAI's and Anthropic's wires, streamed if the body says so;
//                                             Cloudflare's path ends like the first
//   POST /v1/responses, /v2/chat, ...:generateContent   whole answers by OpenAI's, Cohere's and Google's wires
//   GET /accepted                             the number of connections that were accepted, this one too
// Anything else is 404, a chat without `API-KEY` 401, without `promptObject` 400.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_BYTES = 256 * 1024, MOST_INPUT_BYTES = 64 << 20, HEAD_BYTES = 16 * 1024, MAX_WRITES = 1000, MAX_SLOTS = 10000, TURN_EVENTS = 512 };

enum upload { NONE, COUNTED, CHUNK_SIZE, CHUNK_BYTES, CHUNK_END, LAST_LINE };

struct text {
    char *bytes;
    size_t count, room;
};

struct connection {
    int fd;
    int waits_for_output;          // EPOLLOUT is armed
    const char *out;               // what the socket has not taken yet, in memory that stays
    size_t out_count;
    int next_write;                // of a fast stream
    int slow_events;               // that a slow one has had
    const struct text *writes;
    struct connection *next, **in; // place in `running` or in a slot of the wheel; in == NULL: no stream runs
    enum upload upload;            // what is awaited of an upload's body
    long left;                     // of it, or of its chunk
    size_t have, room;
    char *input;
};

static struct text whole, uploaded, models, chat_models, health, refused, writes[MAX_WRITES], slow_begin, slow_event, slow_end;
static struct text chat_whole, message_whole, response_whole, cohere_whole, gemini_whole, chat_writes[MAX_WRITES], message_writes[MAX_WRITES];
static int write_count = 4, interval_ms = 0, most_slow_events = 0, poller;
static struct connection *running;         // fast streams that have writes left
static struct connection *wheel[MAX_SLOTS]; // slow streams by millisecond of the interval
static long slow_count, accepted_count;
static volatile sig_atomic_t is_ending;

static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *piece;
    int count = vasprintf(&piece, format, arguments);
    va_end(arguments);
    if (text->count + count + 1 > text->room) {
        text->room = (text->count + count + 1) * 2;
        text->bytes = realloc(text->bytes, text->room);
    }
    memcpy(text->bytes + text->count, piece, count + 1);
    text->count += count;
    free(piece);
}

static void add_chunk(struct text *out, struct text *body) {
    add(out, "%zx\r\n%s\r\n", body->count, body->bytes);
    free(body->bytes);
    *body = (struct text){0};
}

// JSON string content, as it stands between the quotes.
static const char *word(int index) {
    static const char *words[] = {"The ", "answer ", "comes ", "in ", "small ", "pieces, ", "as ", "a ", "model ",
        "writes ", "it; ", "some ", "hold ", "\\\"quotes\\\", ", "some ", "caf\xc3\xa9 ", "or ", "an ", "end of line.\\n"};
    return words[index % (int)(sizeof words / sizeof *words)];
}

static void add_record(struct text *out, const char *text) {
    add(out, "{\"aiRecord\":{\"uuid\":\"4f3c2b1a-0000-4000-8000-000000000001\",\"userId\":\"u-1\",\"teamId\":\"t-1\","
        "\"teamUser\":{\"userName\":\"bench\",\"status\":\"ACTIVE\",\"role\":\"ADMIN\"},\"model\":\"gpt-4o-mini\","
        "\"type\":\"UNIFY_CHAT_WITH_AI\",\"status\":\"SUCCESS\",\"createdAt\":\"2026-01-01T00:00:00.000Z\","
        "\"metadata\":{\"credit\":12,\"inputToken\":200,\"outputToken\":120,\"inputCredit\":4,\"outputCredit\":8},"
        "\"temporaryUrl\":null,\"aiRecordDetail\":{\"promptObject\":{},\"resultObject\":[\"%s\"],"
        "\"responseObject\":{}}}}", text);
}

static void make_answer(struct text *out, const char *status, const char *body) {
    add(out, "HTTP/1.1 %s\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/json; charset=utf-8\r\n"
        "Content-Length: %zu\r\nConnection: keep-alive\r\n\r\n%s", status, strlen(body), body);
}

static void make_whole(size_t answer_bytes) {
    struct text record = {0}, text = {0};
    const char *last = "The end.";
    add_record(&record, "");
    for (int i = 0; record.count + text.count + strlen(word(i)) + strlen(last) <= answer_bytes; i++)
        add(&text, "%s", word(i));
    while (record.count + text.count + strlen(last) < answer_bytes) add(&text, "-");
    add(&text, "%s", last);
    record.count = 0;
    add_record(&record, text.bytes);
    make_answer(&whole, "200 OK", record.bytes);
    free(record.bytes);
    free(text.bytes);
}

// A stream of another wire, whose events have the same words.
static void make_stream(struct text *writes, int event_count, const char *begin, const char *event, const char *end) {
    struct text body = {0};
    add(&writes[0], "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/event-stream\r\n"
        "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
    add(&body, "%s", begin);
    for (int i = 0, at = 0; i < event_count; i++) {
        add(&body, event, i + 1 < event_count ? word(i) : "The end.");
        if ((i + 1) * write_count / event_count > at && at + 1 < write_count) add_chunk(&writes[at++], &body);
    }
    add(&body, "%s", end);
    add_chunk(&writes[write_count - 1], &body);
    add(&writes[write_count - 1], "0\r\n\r\n");
}

#define CHUNK "data: {\"id\":\"chatcmpl-Bench0000000000000000000000000\",\"object\":\"chat.completion.chunk\"," \
    "\"created\":1767225600,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\"," \
    "\"system_fingerprint\":\"fp_bench00000\",\"choices\":"
#define CHAT_USAGE "\"usage\":{\"prompt_tokens\":200,\"completion_tokens\":120,\"total_tokens\":320," \
    "\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0}}}"

// A whole answer of another wire, of so many bytes with the text between its begin and its end.
static void make_filled(struct text *out, size_t answer_bytes, const char *begin, const char *end) {
    struct text body = {0};
    add(&body, "%s", begin);
    for (int i = 0; body.count + strlen(word(i)) + strlen(end) <= answer_bytes; i++) add(&body, "%s", word(i));
    while (body.count + strlen(end) < answer_bytes) add(&body, "-");
    add(&body, "%s", end);
    make_answer(out, "200 OK", body.bytes);
    free(body.bytes);
}

static void make_other_wholes(size_t answer_bytes) {
    make_filled(&chat_whole, answer_bytes,
        "{\"id\":\"chatcmpl-Bench0000000000000000000000000\",\"object\":\"chat.completion\",\"created\":"
            "1767225600,\"model\":\"gpt-4o-mini-2024-07-18\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
            "\"content\":\"",
        "The end.\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}]," CHAT_USAGE);
    make_filled(&message_whole, answer_bytes,
        "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":"
            "[{\"type\":\"text\",\"text\":\"",
        "The end.\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":200,"
            "\"output_tokens\":120}}");
    make_filled(&response_whole, answer_bytes,
        "{\"id\":\"resp_bench\",\"object\":\"response\",\"created_at\":1767225600,\"status\":\"completed\",\"model\":"
            "\"gpt-4o-mini-2024-07-18\",\"error\":null,\"incomplete_details\":null,\"output\":[{\"type\":\"message\",\"id\":"
            "\"msg_bench\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"",
        "The end.\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":200,\"input_tokens_details\":{\"cached_tokens\":0},"
            "\"output_tokens\":120,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":320}}");
    make_filled(&cohere_whole, answer_bytes,
        "{\"id\":\"bench\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"",
        "The end.\"}]},\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":200,\"output_tokens\":"
            "120},\"tokens\":{\"input_tokens\":200,\"output_tokens\":120}}}");
    make_filled(&gemini_whole, answer_bytes,
        "{\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"",
        "The end.\"}]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":200,"
            "\"candidatesTokenCount\":120,\"totalTokenCount\":320},\"modelVersion\":\"gemini-2.5-flash\"}");
}

static void make_other_streams(int event_count) {
    make_stream(chat_writes, event_count,
        CHUNK "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null},\"logprobs\":null,"
            "\"finish_reason\":null}],\"usage\":null}\n\n",
        CHUNK "[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,\"finish_reason\":null}],"
            "\"usage\":null}\n\n",
        CHUNK "[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":null}\n\n"
            CHUNK "[]," CHAT_USAGE "\n\ndata: [DONE]\n\n");
    make_stream(message_writes, event_count,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\","
            "\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":[],\"stop_reason\":null,"
            "\"stop_sequence\":null,\"usage\":{\"input_tokens\":200,\"output_tokens\":1}}}\n\n"
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
            "{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
            "{\"type\":\"text_delta\",\"text\":\"%s\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\","
            "\"stop_sequence\":null},\"usage\":{\"output_tokens\":120}}\n\n"
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

static void make_streams(int event_count) {
    const char *head = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: text/event-stream\r\n"
        "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n";
    const char *event = "event: content\ndata: {\"content\":\"%s\"}\n\n", *end = "event: done\ndata: "
        "{\"message\":\"Stream completed\"}\n\n";
    struct text body = {0}, all = {0};
    add(&writes[0], "%s", head);
    for (int i = 0, at = 0; i < event_count; i++) {
        const char *piece = i + 1 < event_count ? word(i) : "The end.";
        add(&body, event, piece);
        add(&all, "%s", piece);
        if ((i + 1) * write_count / event_count > at && at + 1 < write_count) add_chunk(&writes[at++], &body);
    }
    add(&body, "event: result\ndata: ");
    add_record(&body, all.bytes);
    add(&body, "\n\n%s", end);
    add_chunk(&writes[write_count - 1], &body);
    add(&writes[write_count - 1], "0\r\n\r\n");
    free(all.bytes);

    add(&slow_begin, "%s", head);
    add(&body, event, "It goes ");
    add_chunk(&slow_begin, &body);
    add(&body, event, "slowly ");
    add_chunk(&slow_event, &body);
    add(&body, "event: result\ndata: ");
    add_record(&body, "slowly ...");
    add(&body, "\n\n%s", end);
    add_chunk(&slow_end, &body);
    add(&slow_end, "0\r\n\r\n");
}

static void enlist(struct connection *c, struct connection **list) {
    c->next = *list;
    if (c->next) c->next->in = &c->next;
    c->in = list;
    *list = c;
}

static void delist(struct connection *c) {
    if (!c->in) return;
    *c->in = c->next;
    if (c->next) c->next->in = c->in;
    c->in = NULL;
    if (interval_ms) slow_count--;
}

static void drop(struct connection *c) {
    delist(c);
    close(c->fd);
    free(c->input);
    free(c);
}

static void flush(struct connection *c) {
    ssize_t sent = send(c->fd, c->out, c->out_count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return; // epoll tells of the broken connection
    if (sent > 0) {
        c->out += sent;
        c->out_count -= sent;
    }
    int waits = c->out_count > 0;
    if (waits == c->waits_for_output) return;
    c->waits_for_output = waits;
    struct epoll_event wanted = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &wanted);
}

static void put(struct connection *c, const struct text *text) {
    c->out = text->bytes;
    c->out_count = text->count;
    flush(c);
}

static void begin_stream(struct connection *c, const struct text *writes) {
    c->writes = writes;
    put(c, &writes[0]);
    c->next_write = 1;
    if (write_count > 1) enlist(c, &running);
}

// The other wires, by the end of a request's path.
static const struct {
    const char *path, *key;
    const struct text *whole, *writes; // writes NULL: no streams
} wires[] = {
    {"/chat/completions", "\r\nAuthorization: Bearer ", &chat_whole, chat_writes},
    {"/messages", "\r\nx-api-key: ", &message_whole, message_writes},
    {"/responses", "\r\nAuthorization: Bearer ", &response_whole, NULL},
    {"/v2/chat", "\r\nAuthorization: Bearer ", &cohere_whole, NULL},
    {":generateContent", "\r\nx-goog-api-key: ", &gemini_whole, NULL},
};

static int is_path_end(const char *head, const char *end) {
    const char *path_end = strchr(head + 5, ' ');
    size_t count = strlen(end);
    return path_end && (size_t)(path_end - head) > count && !strncmp(path_end - count, end, count);
}

static void tell_accepted(struct connection *c) {
    static struct text told;
    char body[64];
    snprintf(body, sizeof body, "{\"accepted\":%ld}", accepted_count);
    told.count = 0;
    make_answer(&told, "200 OK", body);
    put(c, &told);
}

static void answer(struct connection *c, const char *head, const char *body, size_t body_count) {
    if (!strncmp(head, "GET /models?", 12)) return put(c, &models);
    if (!strncmp(head, "GET /v1/models ", 15)) return put(c, &chat_models);
    if (!strncmp(head, "GET /health ", 12)) return put(c, &health);
    if (!strncmp(head, "POST /api/features ", 19)) return put(c, &whole);
    if (!strncmp(head, "GET /accepted ", 14)) return tell_accepted(c);
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++) {
        if (strncmp(head, "POST ", 5) || !is_path_end(head, wires[i].path)) continue;
        if (!strcasestr(head, wires[i].key)) return put(c, &refused);
        int is_stream = wires[i].writes && memmem(body, body_count, "\"stream\":true", 13);
        return is_stream ? begin_stream(c, wires[i].writes) : put(c, wires[i].whole);
    }
    if (strncmp(head, "POST /api/chat-with-ai", 22) || (head[22] != ' ' && head[22] != '?'))
        return put(c, &refused);
    static struct text no_key, no_prompt;
    if (!no_key.count) make_answer(&no_key, "401 Unauthorized", "{\"errorCode\":\"HTTP_EXCEPTION\",\"message\":\"no key\"}");
    if (!no_prompt.count) make_answer(&no_prompt, "400 Bad Request", "{\"message\":\"no promptObject\"}");
    if (!strcasestr(head, "\r\nAPI-KEY: ")) return put(c, &no_key);
    if (!memmem(body, body_count, "\"promptObject\"", 14)) return put(c, &no_prompt);
    if (strncmp(head + 22, "?isStreaming=true", 17)) return put(c, &whole);
    if (!interval_ms) {
        begin_stream(c, writes);
    } else {
        put(c, &slow_begin);
        c->slow_events = 0;
        enlist(c, &wheel[rand() % interval_ms]);
        slow_count++;
    }
}

// Drops what has come of an upload's body, and answers at its end. Returns 0 to close.
static int take_upload(struct connection *c) {
    char *at = c->input, *end = c->input + c->have;
    while (c->upload != NONE) {
        if (c->upload == COUNTED || c->upload == CHUNK_BYTES) {
            long count = end - at < c->left ? end - at : c->left;
            at += count;
            c->left -= count;
            if (c->left) break;
            c->upload = c->upload == COUNTED ? NONE : CHUNK_END;
            continue;
        }
        char *line_end = memmem(at, end - at, "\r\n", 2);
        if (!line_end) {
            if (end - at > 64) return 0;
            break;
        }
        if (c->upload == CHUNK_SIZE) {
            c->left = strtol(at, NULL, 16);
            c->upload = c->left ? CHUNK_BYTES : LAST_LINE;
        } else {
            c->upload = c->upload == CHUNK_END ? CHUNK_SIZE : NONE;
        }
        at = line_end + 2;
    }
    c->have = end - at;
    memmove(c->input, at, c->have);
    if (c->upload == NONE) put(c, &uploaded);
    return 1;
}

// Answers the request at the front of the input if it is complete. Returns 0 to close.
static int take_request(struct connection *c) {
    char *end = memmem(c->input, c->have < HEAD_BYTES ? c->have : HEAD_BYTES, "\r\n\r\n", 4);
    if (!end) return c->have < HEAD_BYTES;
    size_t head_count = end + 4 - c->input, body_count = 0;
    end[2] = 0;
    const char *length = strcasestr(c->input, "\r\nContent-Length:");
    if (length) body_count = strtoul(length + 17, NULL, 10);
    int is_chunked = strcasestr(c->input, "\r\nTransfer-Encoding: chunked") != NULL;
    end[2] = '\r';
    if (!strncmp(c->input, "POST /api/assets ", 17)) {
        c->upload = is_chunked ? CHUNK_SIZE : COUNTED;
        c->left = body_count;
        c->have -= head_count;
        memmove(c->input, c->input + head_count, c->have);
        return take_upload(c);
    }
    if (body_count > MOST_INPUT_BYTES) return 0;
    if (head_count + body_count > c->room) {
        c->room = head_count + body_count;
        c->input = realloc(c->input, c->room);
    }
    if (c->have < head_count + body_count) return 1;
    if (c->in || c->out_count) return 0; // a request before the last answer's end: not what HTTP clients here do
    end[2] = 0;
    c->have -= head_count + body_count;
    answer(c, c->input, c->input + head_count, body_count);
    memmove(c->input, c->input + head_count + body_count, c->have);
    return 1;
}

static void receive(struct connection *c) {
    ssize_t got = recv(c->fd, c->input + c->have, c->room - c->have, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) c->have += got;
    if (got <= 0 || !(c->upload == NONE ? take_request(c) : take_upload(c))) drop(c);
}

static void go_on(void) {
    for (struct connection *c = running, *next; c; c = next) {
        next = c->next;
        if (c->out_count) continue;
        int is_last = c->next_write + 1 == write_count;
        if (is_last) delist(c); // first: the answer to it may be the next request
        put(c, &c->writes[c->next_write++]);
    }
}

// Turns the wheel to `now`: each slow stream gets an event once per turn of it, or its end.
static void turn_wheel(long now_ms) {
    static long last_ms;
    if (now_ms - last_ms > interval_ms) last_ms = now_ms - 1; // the first stream after a rest
    while (last_ms < now_ms) {
        last_ms++;
        for (struct connection *c = wheel[last_ms % interval_ms], *next; c; c = next) {
            next = c->next;
            if (c->out_count) continue;
            int ends = is_ending || (most_slow_events && c->slow_events++ == most_slow_events);
            if (ends) delist(c);
            put(c, ends ? &slow_end : &slow_event);
        }
    }
    if (!slow_count) is_ending = 0;
}

static void accept_all(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct connection *c = malloc(sizeof *c);
        accepted_count++;
        c->fd = fd;
        c->room = INPUT_BYTES;
        c->input = malloc(c->room); // not zeroed: its pages stay untouched
        c->waits_for_output = 0;
        c->out_count = c->have = 0;
        c->upload = NONE;
        c->in = NULL;
        struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted);
    }
}

static void end_streams(int signal) {
    (void)signal;
    is_ending = 1;
}

int main(int count, char **arguments) {
    int answer_bytes = 1024, event_count = 100;
    for (int i = 1; i + 1 < count; i += 2) {
        int value = atoi(arguments[i + 1]);
        if (!strcmp(arguments[i], "--answer-bytes")) answer_bytes = value;
        else if (!strcmp(arguments[i], "--events")) event_count = value;
        else if (!strcmp(arguments[i], "--writes")) write_count = value;
        else if (!strcmp(arguments[i], "--interval-ms")) interval_ms = value;
        else if (!strcmp(arguments[i], "--slow-events")) most_slow_events = value;
        else return fprintf(stderr, "upstream: unknown option %s\n", arguments[i]), 64;
    }
    if (write_count < 1 || write_count > MAX_WRITES || event_count < write_count || interval_ms > MAX_SLOTS)
        return fprintf(stderr, "upstream: a number is out of range\n"), 64;
    make_whole(answer_bytes);
    make_streams(event_count);
    make_other_wholes(answer_bytes);
    make_other_streams(event_count);
    make_answer(&models, "200 OK", "{\"models\":[{\"modelId\":\"gpt-4o-mini\",\"name\":\"GPT-4o mini\",\"provider\":\"openai\","
        "\"status\":\"ACTIVE\",\"features\":[\"UNIFY_CHAT_WITH_AI\"],\"modality\":{\"INPUT\":[\"text\",\"image\"],"
        "\"OUTPUT\":[\"text\"]},\"creditMetadata\":{}},{\"modelId\":\"gpt-4.1\",\"name\":\"GPT-4.1\",\"provider\":\"openai\","
        "\"status\":\"ACTIVE\",\"features\":[\"UNIFY_CHAT_WITH_AI\"],\"modality\":{\"INPUT\":[\"text\",\"image\"],"
        "\"OUTPUT\":[\"text\"]},\"creditMetadata\":{}}]}");
    make_answer(&uploaded, "200 OK", "{\"asset\":{\"key\":\"audios/The end.mp3\"},\"fileContent\":{\"uuid\":"
        "\"4f3c2b1a-0000-4000-8000-000000000002\",\"path\":\"audios/The end.mp3\"}}");
    make_answer(&chat_models, "200 OK", "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o-mini\",\"object\":\"model\","
        "\"created\":1767225600,\"owned_by\":\"bench\"}]}");
    make_answer(&health, "200 OK", "{}");
    make_answer(&refused, "404 Not Found", "{\"message\":\"not found\"}");
    signal(SIGUSR1, end_streams);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) return perror("upstream"), 71;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    poller = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        struct epoll_event events[TURN_EVENTS];
        int ready = epoll_wait(poller, events, TURN_EVENTS, running ? 0 : slow_count ? 1 : -1);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c) {
                accept_all(listener);
                continue;
            }
            if (events[i].events & EPOLLOUT) flush(c);
            if (events[i].events & ~EPOLLOUT) receive(c);
        }
        go_on();
        if (slow_count) {
            struct timespec now;
            clock_gettime(CLOCK_MONOTONIC, &now);
            turn_wheel(now.tv_sec * 1000 + now.tv_nsec / 1000000);
        }
    }
}
