// The least that a round trip to memcached takes: one connection sets a record of 64 bytes, waits on epoll for the answer, and
// sets the next one of 10,000.
//
//   trip PORT SECONDS
//
// Prints one line of JSON: p50_us, p99_us (from sending to the answer's last byte).
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { KEYS = 10000, VALUE_BYTES = 64, LONGEST_US = 100000 };

static long counts[LONGEST_US * 10]; // of trips, by tenths of a microsecond

static long long now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static double share_us(long trips, double share)
{
    long place = 0;
    for (long seen = counts[0]; seen < trips * share; seen += counts[place]) place++;
    return place / 10.0;
}

int main(int count, char **arguments)
{
    if (count != 3) return fprintf(stderr, "trip PORT SECONDS\n"), 2;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1]))};
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, loop = epoll_create1(0);
    if (connect(fd, (struct sockaddr *)&server, sizeof server)) return perror("connect"), 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);

    char value[VALUE_BYTES + 1], request[256], answer[256];
    memset(value, 'v', VALUE_BYTES);
    value[VALUE_BYTES] = 0;
    long trips = 0;
    long long end = now_ns() + (long long)(atof(arguments[2]) * 1e9);
    for (long long begun; (begun = now_ns()) < end; trips++) {
        int bytes = snprintf(request, sizeof request, "set trip:%ld 0 60 %d\r\n%s\r\n", trips % KEYS, VALUE_BYTES, value);
        if (send(fd, request, bytes, 0) != bytes) return perror("send"), 1;
        while (epoll_wait(loop, &event, 1, -1) < 1) {}
        if (recv(fd, answer, sizeof answer, 0) != 8 || memcmp(answer, "STORED\r\n", 8))
            return fprintf(stderr, "another answer than STORED\n"), 1;
        long tenths = (now_ns() - begun) / 100;
        counts[tenths < LONGEST_US * 10 ? tenths : LONGEST_US * 10 - 1]++;
    }
    printf("{\"p50_us\": %.1f, \"p99_us\": %.1f}\n", share_us(trips, 0.5), share_us(trips, 0.99));
    return 0;
}
