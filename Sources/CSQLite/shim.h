// SQLite 3.40.
#pragma once
#include <sqlite3.h>
