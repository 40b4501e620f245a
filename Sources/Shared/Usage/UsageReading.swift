/// Reads the database that is set, for the command line.
package enum UsageReading {
    /// Nil: there is nothing yet.
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
