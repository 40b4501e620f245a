package struct OutputPace: Sendable, Equatable {
    /// The time from a call to its first output, in milliseconds.
    package var waitMilliseconds = 0
    package var tokensPerSecond = 50.0

    /// Returns the tokens that a model has written at this pace when a call ends without a report of its usage.
    ///
    /// - Parameters:
    ///   - milliseconds: the time since the call.
    ///   - reserved: the largest result, in tokens.
    package func tokens(after milliseconds: Int, atMost reserved: Int) -> Int {
        let seconds = (Double(milliseconds) - Double(waitMilliseconds)) / 1_000
        return Int(max(0, min(seconds * tokensPerSecond, Double(reserved))))
    }
}
