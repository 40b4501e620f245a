import Engine
package import Shared

/// One chat call to 1min.ai: writes the request body and creates the reader of the response. Refuses a model that the
/// vendor has rejected lately.
///
/// `@unchecked`: used on its event loop. Any thread may call `written`; the worker thread uses `reader` for long
/// responses.
final class OneMinForm: WireForm, @unchecked Sendable {
    private let vendor: OneMin
    private let use: OneMinUse
    private let credential: Credential
    private let searchesWeb: Bool

    init(_ vendor: OneMin, _ use: OneMinUse, _ credential: Credential, searchesWeb: Bool) {
        self.vendor = vendor
        self.use = use
        self.credential = credential
        self.searchesWeb = searchesWeb
    }

    // MARK: The request

    func written(_ call: ChatCall, with quirks: Set<Quirk>) -> WrittenCall {
        let isCode = use.feature == .code
        var body = ByteBuffer()
        _ = body.reserve(512 + call.textBytes + 16 * call.messages.count)
        body.append(isCode ? #"{"type":"CODE_GENERATOR","model":"# : #"{"type":"UNIFY_CHAT_WITH_AI","model":"#)
        body.append(json: use.model)
        if isCode { body.append(#","conversationId":"CODE_GENERATOR""#) }
        body.append(#","promptObject":{"prompt":""#)
        let start = body.count
        OneMinPrompt.append(call, to: &body)
        if !vendor.keepsLinks { VideoLinks.breakAll(in: &body, from: start) }
        let prompt = start..<body.count
        body.append(#"""#)
        if searchesWeb, let search = call.webSearch {
            body.append(#","settings":{"webSearchSettings":{"webSearch":true,"numOfSite":"#, decimal: search.sites)
            body.append(#","maxWord":"#, decimal: search.words)
            body.append("}}")
        }
        if !call.attachments.isEmpty { Self.append(call.attachments, to: &body) }
        body.append("}}")
        var written = WrittenCall(Body(body))
        written.prompt = prompt
        return written
    }

    /// Appends the member `attachments`, which names the images and files that were uploaded to the vendor.
    private static func append(_ attachments: [Attachment], to body: inout ByteBuffer) {
        let lists: [(StaticString, Attachment.Kind)] = [("\"images\":[", .image), ("\"files\":[", .file)]
        var isFirst = true
        for (opening, kind) in lists {
            let names = attachments.compactMap { one -> String? in
                if one.kind == kind, case .kept(let name) = one.source { name } else { nil }
            }
            if names.isEmpty { continue }
            body.append(isFirst ? #","attachments":{"# : ",")
            isFirst = false
            body.append(opening)
            body.append(list: names) { name, body in body.append(json: name) }
            body.append("]")
        }
        if !isFirst { body.append("}") }
    }

    /// The prompt is one text, in which attachments are lines of their messages.
    let movesAttachments = false

    func endpoint(isStreamed: Bool) -> Endpoint {
        use.feature == .code ? vendor.features : isStreamed ? vendor.streamed : vendor.whole
    }

    // MARK: The response

    func reader(_ parser: JSONParser, _ ids: RandomBytes) -> any WireReader {
        OneMinReader(parser, searchesWeb: searchesWeb)
    }

    func errorReader(_ parser: JSONParser) -> ErrorResponseReader {
        var reader = ErrorResponseReader(parser, { _ in nil }, namesFields: false)
        reader.own = { UpstreamError($0, $1, parser: parser, of: .chat) }
        return reader
    }

    func quirk(_ refusal: Refusal) -> QuirkFinding? { nil }

    // MARK: Models that the vendor has rejected

    func checkSupport() throws(UpstreamError) { try vendor.checkSupport(of: use, credential) }

    func learn(from error: UpstreamError) { vendor.learn(error, use, credential) }
}

extension OneMin: WireChatVendor {
    /// Returns the vendor's own abilities: only web search. The relay emulates the other abilities.
    package func abilities(for call: borrowing ChatCall, of model: Model) -> Abilities { .searchOptions }

    /// The size of a search is its number of sites, and each call searches once.
    private static let searchOptions: Set<SearchOption.Kind> = [.contextSize, .extent, .maxUses]

    package func prepare(_ call: consuming ChatCall, for model: Model, by attempt: Attempt) -> any PreparedChat {
        var call = consume call
        call.webSearch = call.search(with: model)
        call.leaveOutSearchOptions(except: Self.searchOptions, for: attempt.billing)
        // Decorators in the folder `Emulation` make the calls for further choices, and end the output.
        (call.choices, call.maxTokens) = (1, nil)
        // The code feature accepts only text.
        let isCode =
            call.wantsCode && model.features.contains(.code)
            && !call.attachments.contains { if case .kept = $0.source { true } else { false } }
            || !model.features.contains(.chat)
        let use = OneMinUse(model: model.id, feature: isCode ? .code : .chat)
        let form = OneMinForm(self, use, attempt.credential, searchesWeb: call.webSearch != nil && !isCode)
        return wire.chat(form, consume call, model, by: attempt)
    }
}
