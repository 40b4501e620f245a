import Engine
import Shared
import Upstream

/// The candidates or the panel that serve a chat request.
///
/// It is no protocol: an async call through a protocol costs each request a change of executors.
enum ChatSource {
    case candidates(ChatTask)
    case panel(PanelChat)

    /// Plans the first call. Throws if nothing can serve the request.
    func plan(_ exchange: Exchange) async throws(APIError) -> ChatPlan {
        switch self {
        case .candidates(let task): try await task.plan(exchange)
        case .panel(let panel): try await panel.plan(exchange)
        }
    }

    /// Whether Claude Code's attribution line may reach a vendor.
    var sendsAttribution: Bool { if case .candidates(let task) = self { task.sendsAttribution } else { false } }

    /// Calls vendors until a response has begun. A response that is not streamed is whole then.
    /// - Parameter notes: the writer of a streamed response, which also gets a panel's progress lines.
    @inline(__always)
    func open(_ billing: Billing, notes: (any ProgressNotes)?) async throws(UpstreamError) -> BegunChat {
        switch self {
        case .candidates(let task): try await task.open(billing)
        case .panel(let panel): try await panel.open(billing, notes: notes)
        }
    }
}

/// The facts of a chat that are known before its first call, and what it demands of the limits.
struct ChatPlan {
    let options: FormatterOptions
    /// The name of the model or panel under which the response cache keeps the response; nil if it must not.
    let cachedName: String?
    let limits: ApplicableLimits
    /// The units to reserve; nil to count only the request itself.
    let usageReservation: UsageReservation?
}

extension ChatTask {
    func plan(_ exchange: Exchange) async throws(APIError) -> ChatPlan {
        let fit = if let ready { ready } else { try await leadingFit() }
        if fit.caller.kind == .passThrough { try await exchange.countUnknownKey(fit.caller, servedBy: fit.candidate) }
        let limits = exchange.applicableLimits(of: fit)
        // A response with web search differs from one without. The links of image and speech models expire, and callers
        // who repeat such a request want new media.
        let candidate = fit.candidate
        let name = candidate.model.searchesWeb ? candidate.name + ModelCatalog.online : candidate.name
        return ChatPlan(
            options: options(of: fit),
            cachedName: candidate.chats ? name : nil,
            limits: limits,
            usageReservation: exchange.usageReservation(for: fit, under: limits)
        )
    }
}

extension Exchange {
    /// Logs what the request contains that vendors with another API do not get.
    private func logIgnored() {
        gateway.log.debug("fields of the request are left out") { line in
            line.add("fields", ignored.joined(separator: ", "))
            line.add("id", record.id)
        }
    }

    /// Returns the candidates or the panel for the model that the request names.
    func source(
        of asked: ChatRequest,
        _ surface: any ChatSurface,
        _ caller: Caller
    ) throws(APIError) -> ChatSource {
        if ModelCatalog.asksForLongWindow(asked.call.model),
            let name = gateway.registry.modelCatalog.name(beforeWindowOf: asked.call.model)
        {
            asked.call.model = name
            asked.call.wantsLongWindow = true
        }
        record.model = asked.call.model
        if gateway.settings.recordedUsers != .off { record.user = asked.call.endUser }
        asked.call.quirks.isOfSession = request.session != nil
        if let rare = asked.call.rare {
            ignored = rare.value.ignored
            offersSearch = rare.value.searchTool?.isOffered == true
            if !ignored.isEmpty { logIgnored() }
        }
        record.isStreamed = asked.call.isStreamed
        switch try surface.target(of: asked, caller, self) {
        case .candidates(let candidates):
            if candidates.leading.model.searchesWeb {
                record.model = gateway.registry.modelCatalog.knownName(asked.call.model)
            }
            if gateway.registry.haveSubstitutes, candidates.leading.name != record.model {
                record.substitute = candidates.leading.name
            }
            return .candidates(try ChatTask(asked.call.taken(), candidates, caller: caller, for: self))
        case .panel(let panel):
            if let error = asked.call.unreadError { throw error }
            gateway.panelMarks.remove(from: &asked.call.messages)
            return .panel(PanelChat(asked.call.taken(), panel, caller: caller, for: self))
        }
    }
}
