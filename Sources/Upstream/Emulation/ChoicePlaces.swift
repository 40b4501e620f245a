package import Calls
import Engine
import Shared

/// The capacity of the calls that make the choices, or images, of one answer: the place that the first took before, and
/// more as far as there is room. Who finds none waits for a place of the others, so that no answer waits for itself.
///
/// `@unchecked`: used on its request's loop only.
package final class ChoicePlaces: @unchecked Sendable {
    private let call: VendorCall
    /// The first call has a place that it began with.
    private var isFirst = true
    /// Places that an ended call has left to the next one.
    private var left = 0
    private var more: [HeldCapacity] = []
    private var waiting: [Waiter] = []

    package init(_ call: VendorCall) { self.call = call }

    /// False: there is no room now.
    func takeNow() async -> Bool {
        guard call.isBounded, !isFirst else {
            isFirst = false
            return true
        }
        guard left == 0, let held = await call.besideNow() else { return false }
        more.append(held)
        return true
    }

    /// Waits for a place of another choice, if there is no room.
    package func take() async throws(UpstreamError) {
        if await takeNow() { return }
        while left == 0 {
            let waiter = Waiter()
            waiting.append(waiter)
            await waiter.wait()
            if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        }
        left -= 1
        try await call.follow(.ownChoices)
    }

    /// A call was answered. Its place is the next one's, or everybody's but for one, which the request keeps to its end.
    package func leave() {
        if !waiting.isEmpty {
            left += 1
            waiting.removeFirst().wake()
        } else if let held = more.popLast() {
            held.end()
        } else {
            left += 1
        }
    }
}

/// A stream that begins once there is a place for it.
///
/// `@unchecked`: used on its loop only.
final class LateStream: ChatAnswerStream, @unchecked Sendable {
    private let places: ChoicePlaces
    private let open: () async throws(UpstreamError) -> any ChatAnswerStream
    private var stream: (any ChatAnswerStream)?
    /// Its vendor was asked.
    private(set) var isAsked = false

    init(_ places: ChoicePlaces, _ open: @escaping () async throws(UpstreamError) -> any ChatAnswerStream) {
        self.places = places
        self.open = open
    }

    var usage: Usage? { stream?.usage }
    var credits: Int? { stream?.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if let stream { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        try await places.take()
        isAsked = true
        let opened = try await open()
        stream = opened
        return try await opened.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ take: (Int, AnswerEvent) -> Void) throws(UpstreamError) -> Bool { try stream?.next(take) ?? false }

    func stop() { stream?.stop() }
}
