/// A fault put in on purpose, which the simulation must find.
package enum Plant: String, CaseIterable, Sendable {
    /// Compare-and-swap writes over whatever is there.
    case plainWrite
    /// Records keep one bucket less.
    case bucketLess
    /// The ledger is told an older time than it is when an answer comes.
    case lateAnswer
    /// A write without an answer is taken for one that lost its race.
    case giveBackRepeated
    /// A connection takes versions that were read through another one.
    case versionKept
    /// All records have the same birth number, so that no loss is seen.
    case noJoin
    /// Holds end without being settled.
    case settleLost
}
