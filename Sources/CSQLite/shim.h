// SQLite 3.40.
#pragma once
#include <sqlite3.h>

// Turns off SQLite's memory statistics. Call it before the first use. sqlite3_config is variadic.
static inline int relay_sqlite_count_no_memory(void) { return sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }
