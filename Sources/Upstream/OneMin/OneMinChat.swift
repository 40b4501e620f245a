import Engine
import Shared

/// One chat call in the vendor's form.
///
/// `@unchecked`: used on its loop only, but for `write`.
final class OneMinChat: PreparedChat, @unchecked Sendable {
    private let vendor: OneMin
    private let model: Model
    private let isCode: Bool
    private let endpoint: Endpoint
    private let headers: UpstreamHeaders
    private let searchesWeb: Bool
    /// Until it is written.
    private var call: ChatCall?
    private var body: Body?
    /// Where the prompt stands in the body.
    private var prompt = 0..<0
    private var countedTokens: Int?

    /// More takes long to count, and is counted once it is written.
    private static let longBytes = 262_144

    init(
        _ vendor: OneMin,
        _ call: ChatCall,
        _ model: Model,
        isCode: Bool,
        _ endpoint: Endpoint,
        _ headers: UpstreamHeaders
    ) {
        self.vendor = vendor
        self.call = call
        self.model = model
        self.isCode = isCode
        self.endpoint = endpoint
        self.headers = headers
        searchesWeb = call.webSearch != nil && !isCode
    }

    func write() {
        guard let call else { return }
        self.call = nil
        var body = ByteBuffer()
        _ = body.reserve(call.messages.reduce(512) { $0 + $1.text.utf8.count + 16 })
        body.append(isCode ? #"{"type":"CODE_GENERATOR","model":"# : #"{"type":"UNIFY_CHAT_WITH_AI","model":"#)
        body.append(json: model.id)
        if isCode { body.append(#","conversationId":"CODE_GENERATOR""#) }
        body.append(#","promptObject":{"prompt":""#)
        let start = body.count
        Prompt.append(call.messages, to: &body)
        prompt = start..<body.count
        body.append(#"""#)
        if let search = call.webSearch, !isCode {
            body.append(#","settings":{"webSearchSettings":{"webSearch":true,"numOfSite":"#)
            body.append(decimal: search.sites)
            body.append(#","maxWord":"#)
            body.append(decimal: search.words)
            body.append("}}")
        }
        if !call.attachments.isEmpty { call.attachments.append(to: &body) }
        body.append("}}")
        self.body = Body(body)
        if prompt.count > Self.longBytes { countedTokens = promptTokens }
    }

    private var upstream: UpstreamCall {
        write()
        return UpstreamCall(endpoint: endpoint, headers: headers, body: body)
    }

    var promptTokens: Int {
        write()
        if let countedTokens { return countedTokens }
        var estimate = TokenEstimate()
        if let body { estimate.add(body.bytes[part: prompt]) }
        return max(1, estimate.tokens)
    }

    func answer() async throws(UpstreamError) -> ChatReply {
        let answer = try await vendor.record(of: upstream)
        let record = try OneMinRecord(answer.bytes, vendor.parser)
        return ChatReply(
            text: Body(searchesWeb ? ProgressFilter.filtered(record.text) : record.copy()),
            usage: record.usage,
            credits: record.credits
        )
    }

    func stream() async throws(UpstreamError) -> any ChatStream {
        OneMinStream(try await vendor.opened(upstream), vendor.parser, searchesWeb: searchesWeb)
    }
}

extension ChatCall.Attachments {
    /// As a member of `promptObject`, after others.
    fileprivate func append(to body: inout ByteBuffer) {
        body.append(#","attachments":{"#)
        let lists: [(StaticString, [String])] = [("\"images\":[", pictures), ("\"files\":[", files)]
        var isFirst = true
        for (opening, names) in lists where !names.isEmpty {
            if !isFirst { body.append(",") }
            isFirst = false
            body.append(opening)
            for (index, name) in names.enumerated() {
                if index > 0 { body.append(",") }
                body.append(json: name)
            }
            body.append("]")
        }
        body.append("}")
    }
}
