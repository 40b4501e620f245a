package import Calls
import Engine
package import Shared

/// A provider's model that could serve a call. To look one up takes nothing; the key is chosen when it is called.
package final class Candidate: Sendable {
    /// The model's name here: as it was asked for, or the fallback's.
    package let name: String
    package let provider: any ChatVendor
    package let model: Model
    /// Nil: not known.
    package let price: Price?
    /// Its provider takes credits for calls.
    package let takesCredits: Bool
    /// Nil: callers' own keys are passed on, or none is needed.
    let keys: KeyRing?
    /// The only key that the call can be made with; nil: whose turn it is.
    let fixed: Credential?
    let offeredBy: Int
    let loop: EventLoop

    init(
        name: String,
        provider: any ChatVendor,
        model: Model,
        price: Price?,
        takesCredits: Bool,
        keys: KeyRing?,
        fixed: Credential?,
        offeredBy: Int,
        loop: EventLoop
    ) {
        self.name = name
        self.provider = provider
        self.model = model
        self.price = price
        self.takesCredits = takesCredits
        self.keys = keys
        self.fixed = fixed
        self.offeredBy = offeredBy
        self.loop = loop
    }

    /// It is called with a key of the relay's, or without any.
    package var usesOwnKey: Bool { fixed?.label != nil || fixed == nil }

    /// Takes the turn of a key.
    package func call(billing sheet: CallSheet) -> VendorCall {
        sheet.provider = provider.name
        return VendorCall(fixed ?? keys?.next() ?? .none, billing: sheet, on: loop)
    }

    // The abilities of its provider besides chatting; nil: it does not have this one.
    package var images: (any ImageProvider)? { provider as? any ImageProvider }
    package var speech: (any SpeechProvider)? { provider as? any SpeechProvider }
    package var transcription: (any TranscriptionProvider)? { provider as? any TranscriptionProvider }
    package var files: (any FileProvider)? { provider as? any FileProvider }
    package var assetKeeper: (any AssetKeeper)? { provider as? any AssetKeeper }

    /// The candidate with the key that a file was uploaded with; nil: its provider has none such for this caller.
    package func reading(_ file: StoredFile) -> Candidate? {
        guard file.provider == provider.name else { return nil }
        if let fixed { return fixed.accountNumber == file.account ? self : nil }
        guard let keys else { return Credential.none.accountNumber == file.account ? self : nil }
        guard let credential = keys.credential(ofAccount: file.account) else { return nil }
        return with(credential)
    }

    /// The same, to be called with that key.
    func with(_ credential: Credential) -> Candidate {
        Candidate(
            name: name,
            provider: provider,
            model: model,
            price: price,
            takesCredits: takesCredits,
            keys: keys,
            fixed: credential,
            offeredBy: offeredBy,
            loop: loop
        )
    }
}

/// The candidates for a call, the first choice first.
package struct Candidates: Sendable {
    private let list: [Candidate]

    package init(_ list: [Candidate]) { self.list = list }

    /// The result of the first candidate that has one; the others are asked only for failures that another may not
    /// have. If none does, the first failure counts. Each is called with the key whose turn it is.
    package func first<Value: Sendable>(
        billing sheet: CallSheet,
        _ ask: (Candidate, VendorCall) async throws(UpstreamError) -> Value
    ) async throws(UpstreamError) -> Value {
        var turns = turns(billing: sheet)
        while let (candidate, call) = turns.next() {
            do throws(UpstreamError) {
                return try await ask(candidate, call)
            } catch {
                try turns.failed(error)
            }
        }
        throw turns.last
    }

    package func turns(billing sheet: CallSheet) -> Turns { Turns(list, sheet) }

    /// The candidates one after the other, for who does not want the cost of a generic function of another module.
    package struct Turns {
        private let list: [Candidate]
        private let sheet: CallSheet
        private var index = 0
        private var credential = Credential.none
        private var failure: UpstreamError?

        fileprivate init(_ list: [Candidate], _ sheet: CallSheet) {
            self.list = list
            self.sheet = sheet
        }

        /// Nil: all have failed, as `last` says.
        package mutating func next() -> (Candidate, VendorCall)? {
            guard index < list.count else { return nil }
            if index > 0 { sheet.attempts += 1 }
            let candidate = list[index]
            index += 1
            let call = candidate.call(billing: sheet)
            credential = call.credential
            return (candidate, call)
        }

        /// Throws it if nobody else may do better.
        package mutating func failed(_ error: UpstreamError) throws(UpstreamError) {
            var error = error
            error.credential = error.credential ?? credential
            guard error.remedy.contains(.elsewhere) else { throw error }
            failure = failure ?? error
        }

        package var last: UpstreamError { failure ?? UpstreamError(.failed, cause: "there is no candidate") }
    }
}
