import Glibc
import Shared

/// Returns whether this container's relay is healthy. Kills the relay if it listens but does not respond in three
/// checks in a row.
func killIfStuck(_ relay: Settings.Address) -> Bool {
    for _ in 1...3 {
        let health = checkHealth(relay)
        guard case .silent = health else { return health.problem == nil }
    }
    for process in RelayProcess.all where process.parent == 1 { kill(process.id, SIGKILL) }
    return false
}
