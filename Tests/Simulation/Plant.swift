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
    /// For its first ten seconds an instance hears that its clock is right.
    case clockJudgedLate
    /// A request whose time is up is decided by the rule, though the store answers.
    case timerDeaf
    /// An answer that comes after its bucket counts as none.
    case lateGivenUp
    /// A record that is too far ahead is dropped.
    case aheadDropped
    /// An instance does not know its rank.
    case roundedUp
    /// A bucket that has left the record counts no more, however late its units may have been used.
    case leftForgotten
    /// An instance takes its part before others have made room for it.
    case partTooLarge
    /// A clock that was set is believed before the store was asked.
    case stepFollowed
}
