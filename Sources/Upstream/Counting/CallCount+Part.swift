extension CallCount {
    /// Returns the error with the usage of the choices that came, if the vendor made too few and reported no usage.
    package func countedPart(of error: UpstreamError, of chat: any PreparedChat) async -> UpstreamError {
        guard let partial = error.partial as? LoggedStream, partial.usage?.isReported != true,
            let gathered = try? await partial.gathered(), let counted = try? await counted(gathered, of: chat)
        else { return error }
        let log = EventLog()
        counted.emit(log.append)
        var error = error
        error.partial = LoggedStream(log, usage: counted.usage)
        error.usage = counted.usage
        return error
    }
}
