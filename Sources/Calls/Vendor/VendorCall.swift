package import Engine
import Shared

/// The right to call a vendor for one request: the key whose turn it is, and the sheet that the calls are billed to.
///
/// `@unchecked`: used on its request's loop only.
package final class VendorCall: @unchecked Sendable {
    package let credential: Credential
    package let sheet: CallSheet
    /// Nil: it is the sheet's.
    private let ownServer: CallSheet.Server?
    package let loop: EventLoop
    /// Nil: the key is the caller's, or none is needed.
    private let keys: (any KeyRests)?
    /// Nil: there is no bound.
    private let capacity: (any CallCapacity)?
    private(set) var startedAt: LoopTime
    /// Its end is in the sheet's records.
    var isNoted = false
    /// The start that was counted for it was used for a call.
    private var isStartUsed = false

    /// A start that was counted longer ago leaves the vendor's window too soon.
    private static let startNanoseconds: UInt64 = 20_000_000

    package init(
        _ credential: Credential,
        of server: CallSheet.Server? = nil,
        billing sheet: CallSheet,
        on loop: EventLoop,
        with keys: (any KeyRests)? = nil,
        within capacity: (any CallCapacity)? = nil
    ) {
        self.credential = credential
        ownServer = server
        self.sheet = sheet
        self.loop = loop
        self.keys = keys
        self.capacity = capacity
        startedAt = loop.now
    }

    package var key: String { credential.key }

    /// Nil: it is not known.
    var server: CallSheet.Server? { ownServer ?? sheet.server }

    /// The same call, of a provider that only helps: the sheet's server stays who answers. The start is its.
    package func helping() -> VendorCall {
        let help = VendorCall(credential, of: server, billing: sheet, on: loop, with: keys, within: capacity)
        help.isStartUsed = isStartUsed || isLate(startedAt)
        isStartUsed = true
        return help
    }

    /// One more for the same answer, after this one.
    package func another() async throws(UpstreamError) -> VendorCall {
        try await follow()
        sheet.forgetRefusal()
        return VendorCall(credential, of: ownServer, billing: sheet, on: loop, with: keys, within: capacity)
    }

    /// The vendor refused the call, which is made once more in another form.
    ///
    /// - Parameter status: that the vendor answered with.
    package func beginAgain(after status: Int) async throws(UpstreamError) {
        noteRefusal(status: status)
        try await restart()
    }

    /// The call failed, and is made once more at another place or in another form.
    package func beginAgain(after error: UpstreamError) async throws(UpstreamError) {
        noteEnd(error)
        do throws(UpstreamError) {
            try await restart(after: error)
        } catch let shortage {
            // The key need not rest for what another place may not have.
            throw error.rest == nil ? error : shortage
        }
    }

    /// The vendor has answered in part, and is asked for the next one. What all parts used is told of the last.
    package func goOn() async throws(UpstreamError) {
        noteEnd(nil)
        try await restart()
    }

    /// - Parameter error: brought nothing for what it used.
    private func restart(after error: UpstreamError? = nil) async throws(UpstreamError) {
        try await follow()
        if let used = error?.usage {
            noteFigures(of: used)
            sheet.lost(used, at: server)
        }
        isNoted = false
        isStartUsed = false
        startedAt = loop.now
    }

    /// To be called right before each call of the vendor's if there are several, or if something took time before: the
    /// start that was counted is for one call, and only for a moment.
    package func start() async throws(UpstreamError) {
        guard isBounded else { return }
        let isReady = !isStartUsed && !isLate(startedAt)
        isStartUsed = true
        if !isReady { try await follow(.ownStart) }
    }

    /// The same, of a call whose start was counted at that time of the loop's.
    package func start(countedAt time: LoopTime) async throws(UpstreamError) {
        if isBounded, isLate(time) { try await follow(.ownStart) }
    }

    private func isLate(_ time: LoopTime) -> Bool { loop.now > time + Self.startNanoseconds }

    /// Calls of its provider need capacity.
    package var isBounded: Bool { capacity != nil }

    /// The place of one more call at the same time, which is to be told of its end; nil: there is no room now.
    package func besideNow() async -> HeldCapacity? {
        guard
            let held = try? await capacity?.take(
                for: credential,
                isAfterAnother: false,
                .none,
                by: .distantPast,
                on: loop
            )
        else { return nil }
        sheet.hold(held)
        return held
    }

    /// One more call begins, in the place of one that has ended. Throws what another key, or another provider, may have
    /// room for.
    package func follow(_ patience: CapacityPatience = .none) async throws(UpstreamError) {
        do throws(UpstreamError) {
            _ = try await capacity?.take(
                for: credential,
                isAfterAnother: true,
                patience,
                by: sheet.endsAt,
                on: loop
            )
        } catch {
            var error = error
            if !Task.isCancelled { error.remedy = [.nextKey, .elsewhere] }
            throw error
        }
    }

    /// The vendor has answered: its key need not rest.
    package func served() { keys?.served(credential, begun: startedAt) }

    /// The same, of a call that nothing more is told of: about a file.
    package func ended() {
        noteEnd(nil)
        served()
    }

    /// The vendor has not answered: its key rests if it is at fault.
    ///
    /// - Returns: the failure, which tells the key.
    package func failure(_ error: UpstreamError) -> UpstreamError {
        var error = error
        if error.credential == nil { error.credential = credential }
        noteEnd(error)
        keys?.failed(credential, error.rest, begun: startedAt, at: loop.now)
        return error
    }

    /// Asks the vendor, and after a pause once more if that is what helps. Nothing of the answer may have gone to the
    /// client.
    package func attempt<Value: Sendable>(
        _ ask: () async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        do throws(UpstreamError) {
            return try await ask()
        } catch {
            try await waitToRepeat(after: error)
            return try await ask()
        }
    }

    /// Returns after a pause if the same call once more is what helps and has room; else throws the failure. For who does
    /// not want the cost of a generic function of another module.
    package func waitToRepeat(after error: UpstreamError) async throws(UpstreamError) {
        guard error.remedy.contains(.again), loop.now < sheet.repeatsEndAt else { throw error }
        noteEnd(error)
        await loop.sleep(nanoseconds: min(200_000_000, sheet.endsAt.nanoseconds(since: loop.now)))
        do throws(UpstreamError) { try await restart(after: error) } catch _ { throw error }
    }
}
