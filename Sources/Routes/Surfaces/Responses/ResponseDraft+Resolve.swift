import Engine
import Limits
import Shared
import Upstream

extension ResponseDraft {
    /// The maximum number of stored responses that one request reads for its item references.
    private static let maxReads = 16

    /// Loads the stored data that the request refers to, and completes the call with this data.
    mutating func resolve(for caller: Caller, _ gateway: Gateway) async throws(APIError) {
        let seal = CompactionSeal(caller, secret: gateway.settings.fileSecret)
        var history: StoredHistory?
        if let previousID {
            guard let found = try await stored(previousID, of: caller, gateway) else {
                throw APIError(
                    400,
                    "Previous response with id '\(previousID.beginning(ofBytes: 64))' not found.",
                    code: "previous_response_not_found",
                    param: "previous_response_id"
                )
            }
            history = found
            if call.model.isEmpty { call.model = found.model }
        }
        try await resolveReferences(history, of: caller, gateway)
        if let history {
            try input.joined(after: history.list)
            add(history.tools)
        }
        self = try await completed(by: seal, for: caller, gateway)
    }

    private func completed(
        by seal: CompactionSeal,
        for caller: Caller,
        _ gateway: Gateway
    ) async throws(APIError) -> ResponseDraft {
        let draft = self
        let isVendors = input.hasCompactions && gateway.registry.readsCompactions(call.model, for: caller)
        return try await gateway.worked(ofBytes: input.textBytes) { () throws(APIError) in
            var draft = draft
            if try draft.input.open(by: seal, orByVendor: isVendors) { draft.call.needs.insert(.ownCompactions) }
            try draft.completeCall()
            return draft
        }
    }

    /// Returns the stored response with this id; nil if the caller has no such response.
    private mutating func stored(
        _ id: String,
        of caller: Caller,
        _ gateway: Gateway
    ) async throws(APIError) -> StoredHistory? {
        let continuesOwn = call.chatOptions.own?.value.tools.isEmpty == false
        return try await gateway.history(id, of: caller, &history, continuesOwn: continuesOwn)
    }

    /// Adds the tools of the previous response's items. Leaves out a tool if this request has a tool of the same name.
    private mutating func add(_ tools: ToolReader) {
        var chatOptions = call.chatOptions
        if passesOwn, let refusal = tools.own.refusal {
            var own = chatOptions.own?.value ?? OwnParts()
            own.tools += tools.own.tools.map { OwnParts.Tool(toolsBefore: .max, json: $0.json) }
            own.refusal = own.refusal ?? refusal
            chatOptions.own = Indirect(own)
            call.chatOptions = chatOptions
            call.needs.insert(.ownItems)
        }
        guard !tools.tools.isEmpty else { return }
        let taken = Set(chatOptions.tools.map { Array($0.name.utf8) })
        chatOptions.tools += tools.tools.filter { !taken.contains(Array($0.name.utf8)) }
        names.merge(tools.names)
        call.chatOptions = chatOptions
        if chatOptions.toolChoice != .none { call.needs.insert(.tools) }
    }

    /// Replaces each reference in the input by the stored item, and so reasoning without its signature if it is found.
    private mutating func resolveReferences(
        _ history: StoredHistory?,
        of caller: Caller,
        _ gateway: Gateway
    ) async throws(APIError) {
        var known = history?.itemsByID ?? [:]
        var reads = 0
        // The last reference comes first, because its response usually contains most of the other items.
        for index in input.items.indices.reversed() {
            let item = input.items[index]
            var (id, isNeeded) = (Array((item.id ?? "").utf8), false)
            if case .reference(let named) = item.kind {
                (id, isNeeded) = (named, true)
            } else if !lacksSignatures || !item.lacksSignature {
                continue
            }
            if known[id] == nil, let response = Self.response(ofItem: id), reads < Self.maxReads {
                reads += 1
                do throws(APIError) {
                    if let found = try await stored(response, of: caller, gateway) {
                        known.merge(found.itemsByID) { first, _ in first }
                    }
                } catch {
                    if isNeeded { throw error }
                }
            }
            guard let found = known[id] else {
                if !isNeeded { continue }
                throw APIError(
                    400,
                    "Item with id '\(String(decoding: id.prefix(64), as: UTF8.self))' not found.",
                    code: "invalid_value",
                    param: "\(input.items[index].param).id"
                )
            }
            try input.replace(index, with: found)
        }
    }

    /// Returns the id of the response that contains an item, read from the item's id; nil if the item's id names no
    /// response.
    private static func response(ofItem id: [UInt8]) -> String? {
        guard let mark = id.prefix(8).firstIndex(of: UInt8(ascii: "_")) else { return nil }
        let seed = id[(mark + 1)...].prefix(RandomBytes.idLength)
        return seed.count == RandomBytes.idLength ? "resp_" + String(decoding: seed, as: UTF8.self) : nil
    }
}

extension Exchange {
    /// Reads the request, and loads the stored data to which it refers.
    func draft(for purpose: ResponseDraft.Purpose) async throws(APIError) -> (Caller, ResponseDraft) {
        let caller = try await caller(.chat)
        let defaultModel = gateway.settings.defaultModel
        var draft = try await json { (root) throws(APIError) in
            try ResponseDraft(root, defaultModel: defaultModel, for: purpose)
        }
        if draft.hasReferences { try await draft.resolve(for: caller, gateway) }
        return (caller, draft)
    }
}

/// The memory for the stored responses that a request refers to, reserved until the request ends.
struct HistoryMemory: Sendable {
    private var bytes = 0
    private var reservation: MemoryReservation?

    /// Reserves memory for a stored response of `count` bytes. Throws if the memory budget is used up.
    fileprivate mutating func reserve(_ count: Int, _ budget: MemoryBudget) throws(APIError) {
        // Twice the size is reserved: once for the JSON, and once for the decoded items.
        bytes += 2 * count
        guard budget.covers(bytes, &reservation) else { throw APIError(.overloaded) }
    }
}

/// A stored response that a new request continues or refers to.
struct StoredHistory: Sendable {
    let model: String
    let list: ItemList
    let tools: ToolReader

    /// The items of the stored response by id, each as a list with its attachments.
    fileprivate var itemsByID: [[UInt8]: ItemList] {
        var items: [[UInt8]: ItemList] = [:]
        for item in list.items {
            guard let id = item.id else { continue }
            items[Array(id.utf8)] = list.alone(item)
        }
        return items
    }

    /// Decodes a stored response; nil if it is damaged.
    /// - Parameter continuesOwn: whether the request that refers to it has tools which the relay does not know.
    init?(_ stored: StoredResponse, continuesOwn: Bool) {
        do {
            let parser = JSONParser()
            let tools = ToolReader(passesOwn: true, continuesOwn: continuesOwn)
            var reader = InputReader(keeping: .digests, isHistory: true, tools)
            if let items = try parser.parse(stored.input.bytes).elements { try reader.read(items) }
            let object = try parser.parse(stored.object.bytes)
            model = object["model"]?.string ?? ""
            if let items = object["output"]?.elements { try reader.read(items) }
            list = reader.list
            self.tools = reader.tools
            withExtendedLifetime(parser) {}
        } catch {
            return nil
        }
    }
}

extension Gateway {
    func responseOwner(_ caller: Caller) -> ResponseOwner? { ResponseOwner(caller, secret: settings.fileSecret) }

    /// Returns the stored response with this id; nil if the caller has no such response.
    func stored(_ id: String, of caller: Caller) async throws(APIError) -> StoredResponse? {
        guard let owner = responseOwner(caller) else { return nil }
        let sealed: [UInt8]?
        do throws(StoreFailure) {
            sealed = try await responses.sealed(id, of: owner, on: loop)
        } catch {
            if Task.isCancelled { throw .clientLeft }
            throw .storeUnreachable("Stored responses are unavailable at the moment.", error)
        }
        guard let sealed else { return nil }
        return try await worked(ofBytes: sealed.count) { owner.open(sealed, id) }
    }

    fileprivate func history(
        _ id: String,
        of caller: Caller,
        _ history: inout HistoryMemory,
        continuesOwn: Bool
    ) async throws(APIError) -> StoredHistory? {
        guard let stored = try await stored(id, of: caller) else { return nil }
        let bytes = stored.object.bytes.count + stored.input.bytes.count
        try history.reserve(bytes, memory)
        return try await worked(ofBytes: bytes) { StoredHistory(stored, continuesOwn: continuesOwn) }
    }
}
