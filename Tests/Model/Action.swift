/// One thing that may happen next.
enum Action: Hashable {
    /// The clocks go on to the next moment.
    case tick
    case ask(instance: Int)
    /// The store does the call of a lane.
    case execute(instance: Int, lane: Int)
    /// As `execute`, and the same write will reach the store once more.
    case double(instance: Int, lane: Int)
    /// The lane gets its answer.
    case answer(instance: Int, lane: Int)
    /// The lane gets none. A write that was not carried out may be later.
    case fail(instance: Int, lane: Int)
    /// A write that nobody waits for any more, or that came twice, is carried out.
    case haunt(Int)
    /// The store loses a record.
    case lose(Int)
    /// The timer of a request fires.
    case expire(Int)
    /// A hold ends with so many units used.
    case settle(Int, used: Int)
    case die(instance: Int)
}
