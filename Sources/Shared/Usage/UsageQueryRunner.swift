/// Reads the configured database for the command line.
package enum UsageQueryRunner {
    /// Returns the sums of the records; nil if there are no records yet.
    package static func summary(
        of settings: UsageDatabaseSettings,
        _ question: UsageReportQuery
    ) throws(UsageFailure) -> UsageSummary? {
        switch settings.location {
        case .folder(let folder): try SQLiteReading.summary(folder: folder, question)
        case .server(let url): try PostgresReading.summary(url: url, question)
        }
    }
}
