/// Reads the configured database for the command line.
package enum UsageReading {
    /// Returns the sums of the records; nil if there are no records yet.
    package static func summary(
        of settings: UsageDatabaseSettings,
        _ question: UsageQuestion
    ) throws(UsageFailure) -> UsageSummary? {
        switch settings.place {
        case .folder(let folder): try SQLiteReading.summary(folder: folder, question)
        case .server(let url): try PostgresReading.summary(url: url, question)
        }
    }
}
