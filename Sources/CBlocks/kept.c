#include "blocks.h"
#include <pthread.h>
#include <string.h>

enum { most_kept = 256 };

struct kept {
  void *thing;
  size_t bytes;
  void (*end)(void *thing);
  unsigned turn;  // the turn in which it was added
};

// The cached things, the latest one last. The lock is not held during calls of other code.
static struct {
  pthread_mutex_t lock;
  size_t most_bytes, bytes;
  unsigned turn;
  int count;
  struct kept all[most_kept];
  void *context;
  bool (*take)(void *context, size_t bytes);
  void (*give)(void *context, size_t bytes);
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct kept taken_from(int place) {
  struct kept found = pool.all[place];
  pool.bytes -= found.bytes;
  pool.count--;
  memmove(pool.all + place, pool.all + place + 1, (pool.count - place) * sizeof found);
  return found;
}

void *relay_kept_take(size_t *bytes, void (*end)(void *thing)) {
  struct kept found = {0};
  pthread_mutex_lock(&pool.lock);
  for (int place = pool.count - 1; place >= 0 && !found.thing; place--) {
    struct kept *one = pool.all + place;
    // A far larger thing would be mostly unused, and those bytes would not be accounted for.
    if (one->end == end && one->bytes >= *bytes && one->bytes / 2 <= *bytes) found = taken_from(place);
  }
  pthread_mutex_unlock(&pool.lock);
  if (!found.thing) return NULL;
  pool.give(pool.context, found.bytes);
  *bytes = found.bytes;
  return found.thing;
}

bool relay_kept_give(void *thing, size_t bytes, void (*end)(void *thing)) {
  // `most_bytes` is set before other threads run.
  if (bytes > pool.most_bytes || !pool.take(pool.context, bytes)) return false;
  pthread_mutex_lock(&pool.lock);
  bool has_room = pool.count < most_kept && pool.bytes <= pool.most_bytes - bytes;
  if (has_room) {
    pool.all[pool.count++] = (struct kept){thing, bytes, end, pool.turn};
    pool.bytes += bytes;
  }
  pthread_mutex_unlock(&pool.lock);
  if (!has_room) pool.give(pool.context, bytes);
  return has_room;
}

void relay_keep_large(size_t most_bytes, void *context, bool (*take)(void *, size_t), void (*give)(void *, size_t)) {
  pool.most_bytes = most_bytes;
  pool.context = context;
  pool.take = take;
  pool.give = give;
}

// Ends the oldest thing if it was cached for this many turns. Returns its bytes; 0 if it was not.
static size_t end_oldest(unsigned turns) {
  struct kept found = {0};
  pthread_mutex_lock(&pool.lock);
  if (pool.count && pool.turn - pool.all[0].turn >= turns) found = taken_from(0);
  pthread_mutex_unlock(&pool.lock);
  if (!found.thing) return 0;
  found.end(found.thing);
  pool.give(pool.context, found.bytes);
  return found.bytes;
}

size_t relay_kept_turn(unsigned turns) {
  pthread_mutex_lock(&pool.lock);
  pool.turn++;
  pthread_mutex_unlock(&pool.lock);
  size_t ended = 0;
  for (size_t more; (more = end_oldest(turns));) ended += more;
  return ended;
}

void relay_kept_end(size_t bytes) {
  for (size_t ended = 0, more = 1; more && ended < bytes; ended += more) more = end_oldest(0);
}
