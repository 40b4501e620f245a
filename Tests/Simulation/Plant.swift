/// A fault put in on purpose, which the simulation must find.
package enum Plant: String, CaseIterable, Sendable {
    /// A compare-and-swap overwrites any value.
    case plainWrite
    /// Records keep one bucket less.
    case bucketLess
    /// The ledger gets the time at which a call began when its response arrives.
    case lateAnswer
    /// A write without a response is treated as a lost race.
    case giveBackRepeated
    /// A connection accepts versions that were read through another one.
    case versionKept
    /// A server does not keep the marks of writes.
    case marksDropped
    /// A write that loses a race leaves its mark at the record.
    case marksOfLosers
    /// All records have the same birth number, so that no loss is noticed.
    case noJoin
    /// Reservations end without being settled.
    case settleLost
    /// In its first ten seconds an instance reads a server time that agrees with its own clock.
    case clockJudgedLate
    /// A request whose time is up is decided by the rule although the store responds.
    case timerDeaf
    /// A response that comes after its bucket counts as no response.
    case lateGivenUp
    /// A record that is too far ahead is dropped.
    case aheadDropped
    /// An instance does not know its rank.
    case roundedUp
    /// A bucket that has left the record no longer counts, however late its units may have been used.
    case leftForgotten
    /// An instance takes its part before others have made room for it.
    case partTooLarge
    /// A clock that was set is believed before the store's clock was read.
    case stepFollowed
    /// A reset makes a new record: instances take the old one for lost, and join what they know of it.
    case resetNewBirth
    /// Instances keep what they know of a record that was reset.
    case resetUnheard
    /// A limit whose number changes gets another record.
    case numberInKey
    /// A server does not report restarts and flushes, so that copies are written only when they are used.
    case lossUnnoticed
    /// A server reports each eviction as a loss.
    case evictionIsLoss
    /// A record that was put back does not name its copy, so that each copy is added to it.
    case originForgotten
    /// The versions of a server fall, so that an older copy takes the place of a newer one.
    case versionsFall
    /// A turn whose bucket has come is used without a look at its record.
    case turnUnchecked
    /// A day of the calendar has a window of 24 hours.
    case periodSlides
}
