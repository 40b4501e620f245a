/// An action that may happen next.
enum Action: Hashable {
    /// The clocks advance to the next moment.
    case tick
    case ask(instance: Int)
    /// The store carries out the call of a lane.
    case execute(instance: Int, lane: Int)
    /// The store carries out the call of a lane, and the same write will reach the store once more.
    case double(instance: Int, lane: Int)
    /// The lane gets its response.
    case response(instance: Int, lane: Int)
    /// The lane gets no response. A write that was not carried out may be carried out later.
    case fail(instance: Int, lane: Int)
    /// The store carries out a write that nobody waits for any more, or that came twice.
    case haunt(Int)
    /// The store loses a record.
    case lose(Int)
    /// The timer of a request fires.
    case expire(Int)
    /// A reservation ends with so many units used.
    case settle(Int, used: Int)
    case die(instance: Int)
}
