import Engine
import Shared

/// The objects that all calls to a provider share on one event loop.
final class WireVendor: OnLoop, @unchecked Sendable {
    /// The name of the provider in the settings.
    let name: String
    let transport: any Transport
    let tools: LoopTools
    let quirks: QuirkMemory
    let headers: KeyHeaders

    init(_ name: String, _ transport: any Transport, headers: KeyHeaders, quirks: QuirkMemory, tools: LoopTools) {
        self.name = name
        self.transport = transport
        self.headers = headers
        self.quirks = quirks
        self.tools = tools
    }

    /// Returns the quirks that decide what the call may ask of the model.
    func quirks(_ model: Model, for call: CallQuirks) -> Set<Quirk> { quirks.quirks(of: name, model.id, for: call) }

    func known(_ model: Model, for call: CallQuirks) -> QuirkMemory.Known {
        quirks.known(of: name, model.id, for: call)
    }

    /// Returns the chat that sends this call in the given form, with the quirks that are known for it.
    func chat(_ form: any WireForm, _ call: consuming ChatCall, _ model: Model, by attempt: Attempt) -> WireChat {
        let quirks = known(model, for: call.quirks)
        return WireChat(self, form, call: consume call, model: model, attempt: attempt, quirks: quirks)
    }
}

/// A vendor that calls servers by a `WireVendor`.
protocol WireChatVendor: ChatVendor {
    var wire: WireVendor { get }
}

extension WireChatVendor {
    package var name: String { wire.name }
    package var keepsDeadlines: Bool { true }

    package func beginTrials(of call: borrowing ChatCall, at model: Model) -> [QuirkFinding] {
        wire.quirks.beginTrials(of: call.needs, for: ModelCaller(name, model.id, call.quirks.owner))
    }
}

extension CallQuirks {
    /// The quirks of a vendor's call that is not prepared as a chat.
    static func of(_ attempt: Attempt) -> CallQuirks {
        var quirks = CallQuirks()
        quirks.owner = Owner(attempt.billing.caller)
        return quirks
    }
}
