// libpq 15. Its enums may get new values, which must stay representable, so all results are plain numbers here.
#pragma once
#include <postgresql/libpq-fe.h>

static inline int relay_pq_is_connected(const PGconn *connection) { return PQstatus(connection) == CONNECTION_OK; }

// Returns the SQLSTATE of an error, which has five letters and digits; NULL if the server sent none.
static inline const char *relay_pq_state(const PGresult *result) { return PQresultErrorField(result, PG_DIAG_SQLSTATE); }

static inline int relay_pq_succeeded(const PGresult *result) {
  ExecStatusType status = PQresultStatus(result);
  return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

// Ignores notices of the server, which libpq would write to standard error.
static inline void relay_pq_no_notice(void *context, const char *text) {
  (void)context;
  (void)text;
}

static inline void relay_pq_silence(PGconn *connection) { PQsetNoticeProcessor(connection, relay_pq_no_notice, NULL); }
