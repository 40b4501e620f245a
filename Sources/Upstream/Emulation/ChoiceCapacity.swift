package import Calls
import Engine
import Shared

/// The capacity for the concurrent calls that make the choices, or images, of one response. The first call uses the
/// capacity acquired with the request, and further calls acquire more if there is some. Otherwise a call waits for
/// another call of the same response to end, so that no response waits for itself.
///
/// `@unchecked`: used on its request's loop only.
package final class ChoiceCapacity: @unchecked Sendable {
    private let call: VendorCall
    /// Whether the capacity that was acquired with the request is still unused.
    private var isFirst = true
    /// The number of ended calls whose capacity the next calls may use.
    private var left = 0
    private var more: [HeldCapacity] = []
    private var waiting: [Waiter] = []

    package init(_ call: VendorCall) { self.call = call }

    /// Acquires capacity for a call. Returns false if there is none now.
    func acquireNow() async -> Bool {
        guard call.isBounded, !isFirst else {
            isFirst = false
            return true
        }
        guard left == 0, let held = await call.reserveConcurrentCall() else { return false }
        more.append(held)
        return true
    }

    /// Acquires capacity for a call. If there is none, waits for a call of another choice to end.
    package func acquire() async throws(UpstreamError) {
        if await acquireNow() { return }
        while left == 0 {
            let waiter = Waiter()
            waiting.append(waiter)
            await waiter.wait()
            if Task.isCancelled { throw UpstreamError(.cancelled, cause: "cancelled") }
        }
        left -= 1
        try await call.follow(.ownChoices)
    }

    /// Passes the capacity of a finished call to the next waiting choice. If none waits, releases the capacity, except
    /// for that of the request itself.
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

/// A stream whose call begins when there is capacity for it.
///
/// `@unchecked`: used on its loop only.
final class DeferredStream: ChatResponseStream, @unchecked Sendable {
    private let choiceCapacity: ChoiceCapacity
    private let open: () async throws(UpstreamError) -> any ChatResponseStream
    private var stream: (any ChatResponseStream)?
    /// Whether the vendor was called.
    private(set) var isAsked = false

    init(_ choiceCapacity: ChoiceCapacity, _ open: @escaping () async throws(UpstreamError) -> any ChatResponseStream) {
        self.choiceCapacity = choiceCapacity
        self.open = open
    }

    var usage: Usage? { stream?.usage }
    var credits: Int? { stream?.credits }

    func more(patienceNanoseconds: UInt64) async throws(UpstreamError) -> Arrival {
        if let stream { return try await stream.more(patienceNanoseconds: patienceNanoseconds) }
        try await choiceCapacity.acquire()
        isAsked = true
        let opened = try await open()
        stream = opened
        return try await opened.more(patienceNanoseconds: patienceNanoseconds)
    }

    func next(_ emit: (Int, ChatEvent) -> Void) throws(UpstreamError) -> Bool { try stream?.next(emit) ?? false }

    func stop() { stream?.stop() }
}
