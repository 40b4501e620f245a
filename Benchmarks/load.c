// A load generator for chat over HTTP/1.1: one thread, epoll, closed loop, every answer checked.
//
//   load --port N --dialect openai|onemin|anthropic --kind whole|stream|tools|held|upload [--path PATH]
//        [--connections N] [--seconds N] [--requests N] [--request-bytes N] [--events N] [--keys N]
//        [--prompts N] [--body FILE --target PATH]
//
// openai: POST /v1/chat/completions with a bearer; a stream must end with `data: [DONE]`.
// onemin: POST /api/chat-with-ai with `API-KEY`; a stream must end with the event `done`.
// anthropic: POST /v1/messages with `x-api-key`; a stream must end with the event `message_stop`.
// Each connection asks, reads the answer, and asks again, until `seconds` are over or `requests` were sent.
// `keys` callers ask in turn, each with a bearer (or API-KEY) of its own; one unless told.
// prompts: one caller asks so many different questions in turn, in place of keys.
// A request's body has `request-bytes`. An answer must have status 200; a whole one must hold the vendor's last
// words, a stream at least `events` events and the proper end.
// body: the request's body is that file's, and goes to the target in place of the dialect's own.
// upload: POST PATH with a form whose file, called `The end.mp3`, has `request-bytes`; an answer must hold "The end.".
// tools: a stream of a request that offers a tool, which the answer does not call.
// held: one stream for each connection, opened 64 at a time; prints "open" when all have had an event, and ends
// when all streams have ended, or at the first failure before.
// Prints one line of JSON: requests, failures, reason (of the first failure), seconds, events,
// p50_us, p99_us, max_us (from sending a request to its answer's last byte), most_open (connections at once),
// max_gap_ms (of held streams, the longest time between two reads of one).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_BYTES = 16 * 1024, TAIL_BYTES = 4 * 1024, TURN_EVENTS = 512 };
enum { FILLER_BYTES = 256 * 1024, KEY_DIGITS = 10, STALL_MS = 20000, OPENING = 64, OPEN_SECONDS = 120 };
enum phase { HEAD, COUNTED, CHUNK_SIZE, CHUNK_BYTES, CHUNK_END, LAST_LINE };

struct connection {
    int fd;
    enum phase phase;
    int closes;         // the answer says `Connection: close`
    long left;          // bytes of a counted body or of a chunk
    long events;        // empty lines in the body
    int ended_line;     // the body's last byte was LF
    long key;           // which caller asks
    size_t sent;
    long long begun_ns, read_ns; // read_ns: when a held stream was last heard of
    size_t have, tail_count;
    char input[INPUT_BYTES]; // undecoded
    char tail[TAIL_BYTES];   // the body's last bytes
};

static struct sockaddr_in server;
static char *request, *request_key; // the digits that tell callers apart, put in before each send
static size_t request_count;        // with the file and the end of an upload
static size_t file_start, file_bytes; // where an upload's file stands in it
static char filler[FILLER_BYTES];
static const char *form_end = "\r\n--bench--\r\n";
static const char *stream_end;
static int is_stream, is_held, is_tools, poller, wanted_events = 100;
static long long stop_ns = -1, max_gap_ns;
static long request_limit = -1, begun, answered, failures, events_seen, opened, connected, most_open, connection_count = 64;
static long key_count = 1;
static int has_prompts;
static const char *reason = "";
static long long *samples;
static size_t sample_room;

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void drop(struct connection *c) {
    close(c->fd);
    free(c);
    connected--;
}

static void fail(struct connection *c, const char *why) {
    if (!failures++) reason = why;
    drop(c);
}

// The bytes of the request from there on, as far as they lie together.
static const char *part(size_t from, size_t file_end, size_t *count) {
    if (!file_bytes || from < file_start) {
        *count = (file_bytes ? file_start : request_count) - from;
        return request + from;
    }
    if (from < file_end) {
        *count = file_end - from < FILLER_BYTES ? file_end - from : FILLER_BYTES;
        return filler;
    }
    *count = request_count - from;
    return form_end + (from - file_end);
}

// Returns 0 when the connection is gone.
static int send_request(struct connection *c) {
    long key = c->key;
    for (char *digit = request_key + KEY_DIGITS; digit-- > request_key; key /= 10) *digit = '0' + key % 10;
    for (int turns = 0; c->sent < request_count && turns < 4; turns++) { // then it is another connection's turn
        size_t count, file_end = file_start + file_bytes;
        const char *at = part(c->sent, file_end, &count);
        ssize_t sent = send(c->fd, at, count, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN) return fail(c, "a request could not be sent"), 0;
        if (sent <= 0) break;
        c->sent += sent;
    }
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (c->sent < request_count) epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &wanted);
    return 1;
}

static int may_begin(void) {
    if (request_limit >= 0 && begun >= request_limit) return 0;
    return stop_ns < 0 || now_ns() < stop_ns;
}

static int begin(struct connection *c) {
    c->key = begun++ % key_count;
    c->phase = HEAD;
    c->closes = c->ended_line = 0;
    c->events = 0;
    c->have = c->sent = c->tail_count = 0;
    c->begun_ns = now_ns();
    return send_request(c);
}

static void open_connection(void) {
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    // Loopback connects at once or not at all, so this need not be asynchronous.
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server)) {
        if (!failures++) reason = "no connection";
        if (fd >= 0) close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection *c = malloc(sizeof *c);
    c->fd = fd;
    if (++connected > most_open) most_open = connected;
    struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &wanted);
    begin(c);
}

static void take_body(struct connection *c, const char *bytes, size_t count) {
    if (is_held && count) {
        long long now = now_ns();
        if (c->events && now - c->read_ns > max_gap_ns) max_gap_ns = now - c->read_ns;
        c->read_ns = now;
        if (!c->events && ++opened == connection_count) puts("open"), fflush(stdout);
    }
    if (is_stream) {
        for (const char *at = bytes, *end = bytes + count; at < end;) {
            const char *line_end = memchr(at, '\n', end - at);
            if (line_end == at && c->ended_line) c->events++, events_seen++;
            c->ended_line = line_end != NULL;
            at = line_end ? line_end + 1 : end;
        }
    }
    if (count >= TAIL_BYTES) {
        memcpy(c->tail, bytes + count - TAIL_BYTES, TAIL_BYTES);
        c->tail_count = TAIL_BYTES;
        return;
    }
    if (c->tail_count + count > TAIL_BYTES) {
        size_t kept = TAIL_BYTES - count;
        memmove(c->tail, c->tail + c->tail_count - kept, kept);
        c->tail_count = kept;
    }
    memcpy(c->tail + c->tail_count, bytes, count);
    c->tail_count += count;
}

// The answer is complete: checks it, and asks again or closes. Returns 0 when the connection is gone.
static int finish(struct connection *c) {
    size_t end = strlen(stream_end);
    if (is_stream) {
        if (c->tail_count < end || memcmp(c->tail + c->tail_count - end, stream_end, end))
            return fail(c, "a stream without its end"), 0;
        if (c->events < wanted_events) return fail(c, "a stream with too few events"), 0;
    } else if (!memmem(c->tail, c->tail_count, "The end.", 8)) {
        return fail(c, "an answer without its last words"), 0;
    }
    if ((size_t)answered == sample_room) {
        sample_room = sample_room ? sample_room * 2 : 65536;
        samples = realloc(samples, sample_room * sizeof *samples);
    }
    samples[answered++] = now_ns() - c->begun_ns;
    int again = !is_held && may_begin();
    if (again && !c->closes) return begin(c);
    drop(c);
    if (again) open_connection();
    return 0;
}

// Reads the head that ends before `body`. Returns what is wrong with it, or NULL.
static const char *read_head(struct connection *c, char *body) {
    body[-2] = 0;
    if (strncmp(c->input, "HTTP/1.1 200 ", 13)) {
        if (!failures) fprintf(stderr, "load: %s\n%.*s\n", c->input, (int)(c->input + c->have - body), body);
        return "a status other than 200";
    }
    c->closes = strcasestr(c->input, "\r\nConnection: close") != NULL;
    const char *length = strcasestr(c->input, "\r\nContent-Length:");
    if (length) {
        c->left = strtol(length + 17, NULL, 10);
        c->phase = COUNTED;
    } else if (strcasestr(c->input, "\r\nTransfer-Encoding: chunked")) {
        c->phase = CHUNK_SIZE;
    } else {
        return "neither length nor chunks";
    }
    return NULL;
}

// Decodes what was received. Returns 0 when the connection is gone.
static int decode(struct connection *c) {
    char *at = c->input, *end = c->input + c->have;
    for (;;) {
        if (c->phase == COUNTED || c->phase == CHUNK_BYTES) {
            long count = end - at < c->left ? end - at : c->left;
            take_body(c, at, count);
            at += count;
            c->left -= count;
            if (c->left) break;
            if (c->phase == COUNTED) return at == end ? finish(c) : (fail(c, "bytes after an answer"), 0);
            c->phase = CHUNK_END;
        }
        char *line_end = c->phase == HEAD ? memmem(at, end - at, "\r\n\r\n", 4) : memmem(at, end - at, "\r\n", 2);
        if (!line_end) {
            if (end - at == INPUT_BYTES) return fail(c, "an endless head"), 0;
            break;
        }
        char *line = at;
        at = line_end + (c->phase == HEAD ? 4 : 2);
        if (c->phase == HEAD) {
            const char *wrong = read_head(c, at);
            if (wrong) return fail(c, wrong), 0;
        } else if (c->phase == CHUNK_SIZE) {
            c->left = strtol(line, NULL, 16);
            c->phase = c->left ? CHUNK_BYTES : LAST_LINE;
        } else if (c->phase == CHUNK_END) {
            c->phase = CHUNK_SIZE;
        } else {
            return at == end ? finish(c) : (fail(c, "bytes after an answer"), 0);
        }
    }
    c->have = end - at;
    memmove(c->input, at, c->have);
    return 1;
}

static void receive(struct connection *c) {
    ssize_t got = recv(c->fd, c->input + c->have, INPUT_BYTES - c->have, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return fail(c, "a connection that ended before its answer");
    c->have += got;
    decode(c);
}

static void make_request(int port, int is_openai, int is_anthropic, size_t body_count) {
    const char *begin = is_anthropic
        ? "{\"model\":\"claude-sonnet-4-5\",\"max_tokens\":1000,\"system\":\"Answer in small pieces.\",\"messages\":["
          "{\"role\":\"user\",\"content\":\""
        : is_openai
        ? "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":\"Answer in small pieces.\"},"
          "{\"role\":\"user\",\"content\":\""
        : "{\"type\":\"UNIFY_CHAT_WITH_AI\",\"model\":\"gpt-4o-mini\",\"promptObject\":{\"prompt\":\"";
    const char *end = is_anthropic ? "\"}],\"stream\":true}"
        : !is_openai ? "\"}}"
        : is_tools ? "\"}],\"stream\":true,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\","
          "\"description\":\"The weather of a city\",\"parameters\":{\"type\":\"object\",\"properties\":"
          "{\"city\":{\"type\":\"string\"}},\"required\":[\"city\"]}}}]}"
        : is_stream ? "\"}],\"stream\":true}" : "\"}],\"temperature\":0.5}";
    const char *text = "A question of ordinary words, with a line end\\nand a \\\"quote\\\" now and then. ";
    size_t fixed = strlen(begin) + strlen(end), room = body_count > fixed ? body_count - fixed : 1;
    char *prompt = malloc(room + 1), *at = prompt;
    for (; room - (at - prompt) > strlen(text); at += strlen(text)) memcpy(at, text, strlen(text));
    memset(at, '?', room - (at - prompt));
    prompt[room] = 0;
    request_count = asprintf(&request,
        "POST %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\nContent-Type: application/json\r\n"
        "Accept: %s\r\nUser-Agent: load/1\r\nContent-Length: %zu\r\n\r\n%s%s%s",
        is_anthropic ? "/v1/messages" : is_openai ? "/v1/chat/completions" : "/api/chat-with-ai",
        !is_anthropic && !is_openai && is_stream ? "?isStreaming=true" : "", port,
        is_anthropic ? "x-api-key: bench-key-0123456789"
        : is_openai  ? "Authorization: Bearer bench-key-0123456789"
                     : "API-KEY: bench-key-0123456789",
        is_stream ? "text/event-stream" : "application/json", fixed + room, begin, prompt, end);
    free(prompt);
    request_key = has_prompts ? strstr(request, text) : strstr(request, "bench-key-") + strlen("bench-key-");
}

static char *read_file(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END)) return NULL;
    *count = ftell(file);
    rewind(file);
    char *bytes = malloc(*count + 1);
    bytes[*count] = 0;
    if (fread(bytes, 1, *count, file) != *count) return NULL;
    fclose(file);
    return bytes;
}

// A request whose body is a file's. Returns 0 when that cannot be read.
static int make_given(int port, int is_openai, int is_anthropic, const char *target, const char *path) {
    size_t count;
    char *body = read_file(path, &count), *head;
    if (!body) return 0;
    int head_count = asprintf(&head,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s bench-key-0123456789\r\nContent-Type: application/json\r\n"
        "Accept: %s\r\nUser-Agent: load/1\r\nContent-Length: %zu\r\n\r\n",
        target, port, is_anthropic ? "x-api-key:" : is_openai ? "Authorization: Bearer" : "API-KEY:",
        is_stream ? "text/event-stream" : "application/json", count);
    request_count = head_count + count;
    request = malloc(request_count + 1);
    memcpy(request, head, head_count);
    memcpy(request + head_count, body, count + 1);
    request_key = strstr(request, "bench-key-") + strlen("bench-key-");
    free(head);
    free(body);
    return 1;
}

// A form with the model, the purpose and the file; the vendor knows the file alone, as `asset`.
static void make_upload(int port, int is_openai, const char *path, size_t count) {
    const char *fields = "--bench\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n"
        "--bench\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nuser_data\r\n";
    const char *begin = "--bench\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"The end.mp3\"\r\n"
        "Content-Type: audio/mpeg\r\n\r\nID3\x04";
    char *form, *start;
    asprintf(&start, begin, is_openai ? "file" : "asset");
    int form_count = asprintf(&form, "%s%s", is_openai ? fields : "", start);
    memset(filler, 'x', sizeof filler);
    file_bytes = count - 4;
    file_start = asprintf(&request,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\nContent-Type: multipart/form-data; boundary=bench\r\n"
        "User-Agent: load/1\r\nContent-Length: %zu\r\n\r\n%s",
        path, port, is_openai ? "Authorization: Bearer bench-key-0123456789" : "API-KEY: bench-key-0123456789",
        form_count + file_bytes + strlen(form_end), form);
    request_count = file_start + file_bytes + strlen(form_end);
    request_key = strstr(request, "bench-key-") + strlen("bench-key-");
    free(form);
    free(start);
}

static int by_value(const void *a, const void *b) {
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static double percentile_us(double share) {
    return answered ? samples[(long)((answered - 1) * share)] / 1000.0 : 0;
}

int main(int count, char **arguments) {
    int port = 0, is_openai = 1, is_anthropic = 0, is_upload = 0;
    const char *path = "/v1/files", *body = NULL, *target = NULL;
    long request_bytes = 1024;
    double seconds = 0;
    for (int i = 1; i + 1 < count; i += 2) {
        const char *name = arguments[i], *value = arguments[i + 1];
        if (!strcmp(name, "--port")) port = atoi(value);
        else if (!strcmp(name, "--dialect")) {
            is_openai = !strcmp(value, "openai");
            is_anthropic = !strcmp(value, "anthropic");
        }
        else if (!strcmp(name, "--kind")) {
            is_held = !strcmp(value, "held");
            is_upload = !strcmp(value, "upload");
            is_tools = !strcmp(value, "tools");
            is_stream = !is_upload && strcmp(value, "whole");
        } else if (!strcmp(name, "--path")) path = value;
        else if (!strcmp(name, "--connections")) connection_count = atol(value);
        else if (!strcmp(name, "--seconds")) seconds = atof(value);
        else if (!strcmp(name, "--requests")) request_limit = atol(value);
        else if (!strcmp(name, "--request-bytes")) request_bytes = atol(value);
        else if (!strcmp(name, "--events")) wanted_events = atoi(value);
        else if (!strcmp(name, "--keys")) key_count = atol(value);
        else if (!strcmp(name, "--body")) body = value;
        else if (!strcmp(name, "--target")) target = value;
        else if (!strcmp(name, "--prompts")) has_prompts = 1, key_count = atol(value);
        else return fprintf(stderr, "load: unknown option %s\n", name), 64;
    }
    if (is_held) wanted_events = 1;
    stream_end = is_anthropic ? "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
        : is_openai ? "data: [DONE]\n\n" : "event: done\ndata: {\"message\":\"Stream completed\"}\n\n";
    if (body && target) {
        if (!make_given(port, is_openai, is_anthropic, target, body)) return perror(body), 66;
    } else if (is_upload) make_upload(port, is_openai, path, request_bytes);
    else make_request(port, is_openai, is_anthropic, request_bytes);
    server = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    poller = epoll_create1(0);

    long long start_ns = now_ns();
    if (seconds > 0) stop_ns = start_ns + (long long)(seconds * 1e9);
    if (!is_held)
        for (long i = 0; i < connection_count && may_begin(); i++) open_connection();
    for (;;) {
        while (is_held && begun < connection_count && !failures && begun - opened < OPENING) open_connection();
        if (!connected) break;
        if (is_held && opened < connection_count) {
            if (now_ns() - start_ns > OPEN_SECONDS * 1000000000LL && !failures++) reason = "streams took too long to open";
            if (failures) break;
        }
        struct epoll_event events[TURN_EVENTS];
        int ready = epoll_wait(poller, events, TURN_EVENTS, STALL_MS);
        if (!ready) {
            if (!failures) reason = "no answer";
            failures += connected;
            break;
        }
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!(events[i].events & ~EPOLLOUT)) {
                struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = c};
                epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &wanted);
                send_request(c);
            } else {
                receive(c);
            }
        }
    }
    double passed = (now_ns() - start_ns) / 1e9;
    qsort(samples, answered, sizeof *samples, by_value);
    printf("{\"requests\":%ld,\"failures\":%ld,\"reason\":\"%s\",\"seconds\":%.4f,\"events\":%ld,"
        "\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"most_open\":%ld,\"max_gap_ms\":%.1f}\n",
        answered, failures, reason, passed, events_seen, percentile_us(0.5), percentile_us(0.99), percentile_us(1),
        most_open, max_gap_ns / 1e6);
    return failures > 0;
}
