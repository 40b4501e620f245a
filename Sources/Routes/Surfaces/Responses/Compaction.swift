import Engine
import Glibc
import Limits
import Shared
import Upstream

/// Handles `POST /v1/responses/compact`: sends the user's messages and an encrypted summary of the conversation.
func compactConversation(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let (caller, draft) = try await exchange.draft(for: .compaction)
    let call = draft.summaryCall
    exchange.record.model = call.model
    let candidates = try gateway.registry.chat(call.model, for: caller)
    let task = try ChatTask(call, candidates, caller: caller, for: exchange)
    let plan = try await task.plan(exchange)
    let admission = try await exchange.admit(plan.limits, plan.usageReservation)
    do throws(UpstreamError) {
        guard case .whole(let response) = try await task.open(admission.billing), let usage = response.usage,
            let summary = response.choices.first?.text, !summary.bytes.isEmpty
        else {
            throw UpstreamError(.failed, cause: "a summary without text")
        }
        exchange.record.usage = usage
        exchange.recordCost()
        let seal = CompactionSeal(caller, secret: gateway.settings.fileSecret)
        let body = await draft.compacted(seal, summary, usage: usage, gateway: gateway)
        guard let body else { throw .tooMuchWork }
        body.read { exchange.send(json: $0) }
    } catch {
        throw APIError(error, model: call.model)
    }
}

extension ResponseDraft {
    fileprivate var summaryCall: ChatCall {
        var asked = ChatCall()
        asked.model = call.model
        asked.messages = call.messages + [ChatMessage(role: .user, text: ChatCall.summaryOrder)]
        asked.attachments = call.attachments
        if !asked.attachments.isEmpty { asked.needs.insert(.inlineMedia) }
        asked.countIfLong()
        return asked
    }

    fileprivate func compacted(_ seal: CompactionSeal, _ summary: Body, usage: Usage, gateway: Gateway) async -> Body? {
        let seed = gateway.ids.id("")
        var users = ItemList()
        users.items = input.items.filter { $0.isOfUser }
        let bytes = users.keptBytes + summary.bytes.count
        return await gateway.worker.result(ofBytes: bytes, on: gateway.loop) { [users] in
            let (id, created) = ("resp_\(seed)", time(nil))
            var out = ByteBuffer(
                json: #"{"id":\#(id),"object":"response.compaction","created_at":\#(created),"output":"#
            )
            users.append(to: &out, seed: seed)
            // More items follow, so the closing bracket is removed.
            out.removeLast(1)
            if !users.items.isEmpty { out.append(",") }
            OutputItem.append(compaction: seal.seal(summary), "cmp_\(seed)", to: &out)
            out.append(#"],"usage":"#)
            usage.appendResponseJSON(to: &out)
            out.append("}")
            return Body(out)
        }
    }
}

extension InputItem {
    fileprivate var isOfUser: Bool {
        kind.isOfUser && members != nil
    }
}

/// The encryption of conversation summaries. Each caller can decrypt only their own summaries.
///
/// All anonymous callers share one encryption key.
struct CompactionSeal: Sendable {
    private let owner: OwnerSeal?
    private static let nobody = SealingKey(derivedFrom: [], for: Array("compactions of nobody".utf8))
    private static let maxBytes = 4_194_304

    init(_ caller: Caller, secret: String?) {
        owner = OwnerSeal(caller, secret: secret, for: "compactions of ", version: 1)
    }

    func seal(_ summary: Body) -> String {
        let bytes = [UInt8](summary.bytes.prefix(Self.maxBytes))
        return Base64.url.text(owner?.seal(bytes) ?? Self.nobody.seal(bytes, context: []))
    }

    /// Decrypts a summary; nil if it is damaged or was encrypted for another caller.
    func open(_ text: String) -> String? {
        guard text.utf8.count <= 2 * Self.maxBytes, let sealed = Base64.url.bytes(text.utf8) else { return nil }
        let opened = owner.map { $0.open(sealed) } ?? Self.nobody.open(sealed, context: [])
        return opened.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension ItemList {
    /// Decrypts the items of kind `compaction` and replaces them by their summaries. Returns whether the vendor must
    /// decrypt other items.
    /// - Parameter isVendors: whether the vendor may have encrypted the items that this relay cannot decrypt.
    mutating func open(by seal: CompactionSeal, orByVendor isVendors: Bool) throws(APIError) -> Bool {
        var hasVendors = false
        for index in items.indices {
            guard case .compaction(let sealed) = items[index].kind else { continue }
            if let summary = seal.open(sealed) {
                items[index].kind = .summary(summary)
            } else if isVendors, let block = ReasoningBlock.compaction(items[index].id, sealed) {
                hasVendors = true
                items[index].kind = .reasoningBlock(block)
            } else {
                throw .value("\(items[index].param).encrypted_content", "was not created by this relay for this key")
            }
        }
        return hasVendors
    }
}

extension Registry {
    /// Returns whether a candidate for the model's calls can read compactions that it has encrypted itself.
    func readsCompactions(_ model: String, for caller: Caller) -> Bool {
        guard let candidates = try? chat(model, for: caller) else { return false }
        var call = ChatCall()
        call.needs = .ownCompactions
        call.quirks.owner = CallQuirks.Owner(caller)
        return (0..<candidates.count).contains { index in
            let candidate = candidates[index]
            return candidate.provider.abilities(for: call, of: candidate.model).contains(.ownCompactions)
        }
    }
}

extension OriginalRequest {
    /// Returns the request with messages in place of the relay's own compactions, and without the ids that the relay has
    /// given to messages of the user. All other bytes stay as they are.
    /// - Parameter messages: the messages by the paths of the compactions.
    func replacingCompactions(by messages: [String: ChatMessage]) -> OriginalRequest {
        guard !messages.isEmpty, let items = RawJSON(bytes)["input"]?.elements else { return self }
        var input = ByteBuffer()
        for (index, item) in items.enumerated() {
            input.append(index == 0 ? "[" : ",")
            if let message = messages["input[\(index)]"] {
                input.append(#"{"type":"message","role":"user","content":"#, json: message.text, "}")
            } else if item["role"]?.content == "user", item["id"]?.content.map(ItemType.isMadeByRelay) ?? false {
                var isFirst = true
                for member in item.members where !member.name.equals("id") {
                    input.append(isFirst ? "{\"" : ",\"", member.name, "\":")
                    input.append(member.value.bytes)
                    isFirst = false
                }
                input.append("}")
            } else {
                input.append(item.bytes)
            }
        }
        input.append("]")
        return OriginalRequest(self, of: wire, body: replacing(["input": Body(input)]))
    }
}
