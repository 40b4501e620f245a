package import Engine

extension LoopTime: ExpressibleByIntegerLiteral {
    /// Creates a reading from nanoseconds, so that tests can write times as numbers.
    package init(integerLiteral nanoseconds: UInt64) { self.init(nanoseconds: nanoseconds) }

    /// Returns the reading after so many seconds of the clock.
    package static func seconds(_ seconds: UInt64) -> LoopTime { LoopTime(nanoseconds: seconds * 1_000_000_000) }
}
