package import Engine

/// The right to call a vendor for one request: the key whose turn it is, and the sheet that the calls are billed to.
///
/// `@unchecked`: used on its request's loop only.
package final class VendorCall: @unchecked Sendable {
    package let credential: Credential
    package let sheet: CallSheet
    private let loop: EventLoop

    package init(_ credential: Credential, billing sheet: CallSheet, on loop: EventLoop) {
        self.credential = credential
        self.sheet = sheet
        self.loop = loop
    }

    package var key: String { credential.key }

    /// One more for the same answer.
    package func another() -> VendorCall { VendorCall(credential, billing: sheet, on: loop) }

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

    /// Returns after a pause if the same call once more is what helps; else throws the failure. For who does not want the
    /// cost of a generic function of another module.
    package func waitToRepeat(after error: UpstreamError) async throws(UpstreamError) {
        guard error.remedy.contains(.again) else { throw error }
        await loop.sleep(nanoseconds: 200_000_000)
        sheet.attempts += 1
    }
}
