import Engine
import Limits
import Shared

extension StoreDownRule {
    /// The effect of this rule while the counter store cannot be reached.
    fileprivate var consequence: String {
        switch self {
        case .share:
            """
            this relay counts its share of each limit in its memory, one part of as many as RATE_LIMIT_INSTANCES says, \
            else as there were relays; a restart begins it anew
            """
        case .local: "each relay counts whole limits in its memory; a restart begins them anew"
        case .allow: "limits do not hold"
        case .deny: "requests that limits cover are rejected"
        }
    }
}

extension LimiterEvent {
    private static let storeSettings = "MEMCACHED_HOST or MEMCACHED_SERVERS"

    func log(to log: Log) {
        switch self {
        case .storeDown(let server, let reason, let rule):
            log.warning("counter store is away") { line in
                line.add("server", server)
                line.add("setting", Self.storeSettings)
                line.add("cause", reason)
                line.add("meanwhile", rule.consequence)
                line.add("remedy", "start memcached there, and no other program; `relay check --ask` tries it")
            }
        case .storeBack(let server, let seconds):
            log.warning("counter store is back") { line in
                line.add("server", server)
                line.add("away_s", seconds)
            }
        case .recordsLost(let server, let copies):
            log.warning("counter store has lost its records; this relay puts back what it knows") { line in
                line.add("server", server)
                line.add("records", copies)
            }
        case .brokenRecord(let key, let reason):
            log.warning("a counter was not readable, and is replaced") { line in
                line.add("key", key)
                line.add("cause", reason)
            }
        case .recordAhead(let key):
            log.warning("a counter was ahead of all clocks and is moved back") { $0.add("key", key) }
        case .sharesAlone:
            log.warning(
                "limits hold for this relay alone until the counter store is reached; RATE_LIMIT_INSTANCES shares them out"
            ) { line in
                line.add("setting", Self.storeSettings)
                line.add("meanwhile", "a restart begins all limits anew, also those of a day")
            }
        case .sharesNothing:
            log.warning(
                "the counter store was lost before the other relays made room for this one; it rejects what limits cover until the store is back"
            )
        case .budgetUsed: break
        case .otherSecret:
            log.warning(
                "another relay at the counter store has another STORE_SECRET, or none; each counts callers by itself"
            )
        case .clockOff(0): log.info("this machine's clock agrees with the others again")
        case .clockOff(let milliseconds):
            log.warning("this machine's clock is off; limits are corrected for it; check NTP") { line in
                line.add("ahead_ms", milliseconds)
            }
        }
    }
}
