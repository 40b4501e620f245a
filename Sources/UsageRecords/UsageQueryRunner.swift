package import Shared

/// Reads the usage records in the configured database for the `usage` command.
package enum UsageQueryRunner {
    /// Returns the sums of the usage records; nil if the database does not exist yet.
    package static func summary(
        of settings: UsageDatabaseSettings,
        _ question: UsageReportQuery
    ) throws(UsageFailure) -> UsageSummary? {
        switch settings.location {
        case .folder(let folder): try SQLiteReading.summary(folder: folder, question)
        case .server(let url): try PostgresReading.summary(url: url, question)
        }
    }

    /// Returns the records of the upstream calls of the requests with this id, in their order.
    package static func calls(
        ofRequest id: String,
        in settings: UsageDatabaseSettings
    ) throws(UsageFailure) -> [UsageRecord] {
        switch settings.location {
        case .folder(let folder): try SQLiteReading.calls(ofRequest: id, folder: folder)
        case .server(let url): try PostgresReading.calls(ofRequest: id, url: url)
        }
    }
}
