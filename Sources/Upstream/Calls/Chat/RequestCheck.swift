package import Engine
package import Shared

/// A check of what a request names beside its own model, before the request goes on with a key of the relay's: other
/// models, and resources of the account to which the key belongs.
package struct RequestCheck: FormFieldCheck {
    private let caller: Caller?
    /// The models of the provider that gets the request; nil if they are unknown.
    private let models: ProviderModels?
    /// Whether the request uses the caller's own key, so that it may name what it likes.
    let isCallersKey: Bool
    /// The price of the model if a limit of the caller counts dollars; otherwise nil.
    private let price: Price?
    private let billing: Billing
    private let fields: ForwardedFieldCheck
    private let allowed: [String]
    private let advisor: ProviderSettings.Advisor

    /// - Parameters:
    ///   - allowed: the fields that the settings allow, whatever they choose.
    ///   - permitted: the top-level fields that may choose other models which the caller may use.
    ///   - choices: the maximum number of completions that a field can request.
    ///   - maxTokens: the maximum number of tokens that a field can request; nil if there is none.
    ///   - advisor: what happens to an advisor's tool if the caller may not use the advisor's model.
    package init(
        for attempt: Attempt,
        allowing allowed: [String],
        permitting permitted: [String] = [],
        choices: Int = 1,
        maxTokens: Int? = nil,
        advisor: ProviderSettings.Advisor = .refuse
    ) {
        caller = attempt.billing.caller
        models = attempt.server?.models
        isCallersKey = attempt.credential.label == nil
        billing = attempt.billing
        price = attempt.billing.limitsCost ? attempt.server?.price : nil
        fields = ForwardedFieldCheck(
            allowing: allowed + permitted,
            isCallersKey: isCallersKey,
            choices: choices,
            maxTokens: maxTokens
        )
        self.allowed = allowed
        self.advisor = advisor
    }

    /// The changes that a request needs before it goes on.
    package struct Changes {
        /// The content of strings that name models, and the vendor's ids of these models.
        fileprivate var renamed: [(content: UnsafeRawBufferPointer, id: String)] = []
        /// The spans that are left out: advisors' tools, and fields that choose a tier without a known price. Each has
        /// the comma before or after it.
        fileprivate var dropped: [UnsafeRawBufferPointer] = []
        /// Whether an advisor's tool is left out.
        package fileprivate(set) var dropsAdvisor = false

        package init() {}

        package var isEmpty: Bool { renamed.isEmpty && dropped.isEmpty }

        /// Returns the JSON text in which the changes were found, with these changes.
        package func applied(to text: UnsafeRawBufferPointer) -> Body {
            var out = ByteBuffer()
            _ = out.reserve(text.count + 64 * renamed.count)
            let renamed = renamed.map { name in
                // The quotes belong to the string.
                let start = name.content.baseAddress.map { $0 - 1 }
                return (UnsafeRawBufferPointer(start: start, count: name.content.count + 2), name.id)
            }
            let spans = (renamed + dropped.map { ($0, "") }).compactMap { span, id in
                span.baseAddress.flatMap { start in text.baseAddress.map { (start - $0, span.count, id) } }
            }
            var done = 0
            for (start, count, id) in spans.sorted(by: { $0.0 < $1.0 }) where start >= done {
                out.append(text[part: done..<start])
                if !id.isEmpty { out.append(json: id) }
                done = start + count
            }
            out.append(text[part: done..<text.count])
            return Body(out)
        }

        /// Leaves some elements of an array, or members of an object, out.
        /// - Parameter spans: the bytes of all elements or members, in their order.
        fileprivate mutating func leaveOut(_ indices: [Int], of spans: [UnsafeRawBufferPointer]) {
            guard !indices.isEmpty, let first = spans.first?.baseAddress, let last = spans.last else { return }
            func drop(from start: UnsafeRawPointer, to end: UnsafeRawPointer?) {
                if let end { dropped.append(UnsafeRawBufferPointer(start: start, count: end - start)) }
            }
            let kept = spans.indices.last { !indices.contains($0) }
            for index in indices where index < kept ?? 0 {
                if let start = spans[index].baseAddress { drop(from: start, to: spans[index + 1].baseAddress) }
            }
            // The end, with the comma before it.
            guard kept != spans.count - 1 else { return }
            let start = kept.flatMap { index in spans[index].baseAddress.map { $0 + spans[index].count } } ?? first
            drop(from: start, to: last.baseAddress.map { $0 + last.count })
        }
    }

    /// Checks a request that goes on as it came, or whose unknown fields go on.
    package func changes(of request: OriginalRequest) throws(APIError) -> Changes {
        let members = request.members ?? Array(RawJSON(request.bytes).members)
        return try changes(of: members, hasPlainTools: request.hasPlainTools, names: request.names)
    }

    /// Checks the members of a request.
    /// - Parameters:
    ///   - hasPlainTools: whether all tools are known to be functions without unknown members.
    ///   - names: the peculiarities of the names in the request.
    /// - Throws: the error for the first part that must not go on.
    package func changes(
        of members: [RawJSON.Member],
        hasPlainTools: Bool = false,
        names: JSONValue.Names
    ) throws(APIError) -> Changes {
        if let refusal = fields.refusal(of: members) { throw refusal }
        if isCallersKey { return Changes() }
        if names.contains(.resources) { try refuseResources(of: members) }
        var (search, changes) = (MemberSearch { name, _ in name.choosesModels }, Changes())
        var tiers: [Int] = []
        for (index, member) in members.enumerated() where !Self.isClients(member.name) && !allows(member.name) {
            switch member.name {
            case "service_tier", "speed":
                guard let tier = member.value.content?.string, drops(tier: tier) else { continue }
                tiers.append(index)
                billing.leaveOut(member.name.equals("speed") ? "speed" : "service_tier")
            case "inference_geo":
                if member.value.content?.string.map(drops(tier:)) ?? false { throw .priceUnknown(of: "inference_geo") }
            case "tools" where hasPlainTools: continue
            case "tools", "functions":
                if names.isDisjoint(with: [.repeated, .toolModels]) { continue }
                let advisors = try check(tools: member.value, at: member.name.text, &search)
                changes.leaveOut(advisors, of: member.value.elements.map(\.bytes))
                changes.dropsAdvisor = changes.dropsAdvisor || !advisors.isEmpty
            // Anthropic keeps threads by account, so that one caller could continue another caller's.
            case "thread" where !member.value.isNull: throw .noThreads
            case "fallbacks": try check(fallbacks: member.value, &search)
            case "prompt"
            where member.value.members.contains { $0.name.isRead(as: "id") } && caller?.mayUseAllModels != true:
                throw .unsupported("prompt.id", "'prompt.id' is not supported: the prompt may name another model.")
            default: search.search(member.value, named: member.name, at: "") { $0.equals("schema") }
            }
        }
        if !tiers.isEmpty { changes.leaveOut(tiers, of: members.map(\.bytes)) }
        changes.renamed = try permitted(search)
        return changes
    }

    // MARK: Forms

    package func namesModel(formField name: String) throws(APIError) -> Bool {
        if let refusal = fields.refusal(ofFormField: name) { throw refusal }
        if isCallersKey { return false }
        return name.withBytes { $0.isNameOfInnerModel && !allows($0.withoutIndex) && !Self.isClients($0.withoutIndex) }
    }

    package func permitted(model name: String, inFormField field: String) throws(APIError) -> String {
        guard let id = id(of: name) else { throw .modelNotFound(name, at: field.beginning(ofBytes: 400)) }
        return id
    }

    // MARK: Tiers

    /// Returns whether the relay leaves out a field that chooses this tier or speed: a limit counts dollars, and the price
    /// of the model says nothing of the tier.
    func drops(tier word: String) -> Bool { price.map { !$0.knows(tier: word) } ?? false }

    /// Checks a tool or an unknown item of a request to the Responses API. Returns its JSON for the vendor.
    /// - Parameter isItem: whether it is an item, whose `arguments` a model has written for a tool.
    package func permitted(_ json: Body, at path: String, isItem: Bool = false) throws(APIError) -> Body {
        if isCallersKey { return json }
        let value = RawJSON(json.bytes)
        let members = value.members.filter { !isItem || !$0.name.equals("arguments") }
        let isClients = !isItem && Self.isClients(tool: value)
        try refuseResources(of: members, at: path, isVendors: !isClients)
        var (search, changes) = (MemberSearch { name, _ in name.choosesModels }, Changes())
        try check(members, isClients: isClients, at: path, &search, depth: 0)
        changes.renamed = try permitted(search)
        return changes.isEmpty ? json : changes.applied(to: json.bytes)
    }

    /// Checks members of an object in a request to the Responses API. Returns them for the vendor.
    /// - Parameter members: the members, each after a comma.
    package func permitted(members: Body) throws(APIError) -> Body {
        var object = ByteBuffer("{")
        object.append(members.bytes[part: 1..<members.bytes.count])
        object.append("}")
        let whole = Body(object)
        let changes = try changes(of: Array(RawJSON(whole.bytes).members), names: [.resources, .toolModels])
        guard !changes.isEmpty else { return members }
        let renamed = changes.applied(to: whole.bytes)
        // Perhaps no member is left.
        guard renamed.bytes.count > 2 else { return Body(ByteBuffer()) }
        var written = ByteBuffer(",")
        written.append(renamed.bytes[part: 1..<(renamed.bytes.count - 1)])
        return Body(written)
    }

    // MARK: Models

    /// Returns the vendor's ids of the models that were found. Throws if the caller may not use one of them.
    private func permitted(
        _ search: MemberSearch
    ) throws(APIError) -> [(content: UnsafeRawBufferPointer, id: String)] {
        guard search.found.count <= MemberSearch.maxFound else {
            throw .value(search.found[0].path, "the request names too many models")
        }
        var renamed: [(content: UnsafeRawBufferPointer, id: String)] = []
        for found in search.found {
            let name = found.content.string
            guard let name, let id = id(of: name) else {
                throw .modelNotFound(name ?? found.content.text, at: found.path)
            }
            if !id.hasSameBytes(as: name) { renamed.append((found.content, id)) }
        }
        return renamed
    }

    /// Returns whether the settings allow this field, whatever is in it.
    func allows(_ name: UnsafeRawBufferPointer) -> Bool {
        !allowed.isEmpty && allowed.contains { $0.withBytes { name.equals($0) } }
    }

    private func id(of name: String) -> String? { caller.flatMap { models?.id(of: name, for: $0) } }

    /// Whether the top-level field of this name has data of the client's own, or is checked elsewhere.
    private static func isClients(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name {
        case "model", "messages", "system", "input", "metadata", "client_metadata", "logit_bias": true
        default: name.count > 7 && name[part: (name.count - 7)..<name.count].equals("_kwargs")
        }
    }

    /// Whether a member of a client's tool describes or carries data of the client's own.
    static func isData(_ name: UnsafeRawBufferPointer) -> Bool {
        switch name {
        case "input_schema", "parameters", "schema", "input_examples", "arguments", "input", "content", "metadata",
            "client_metadata":
            true
        default: name.count > 7 && name[part: (name.count - 7)..<name.count].equals("_kwargs")
        }
    }

    /// Whether the client executes the tool.
    static func isClients(tool: RawJSON) -> Bool {
        tool.members.allSatisfy { member in
            !member.name.isRead(as: "type")
                || member.value.content.map { $0.equals("function") || $0.equals("custom") } ?? false
        }
    }

    /// The number of levels of tools within tools, such as those of a namespace.
    static let maxDepth = 4

    /// Searches tools for models. Returns the indices of advisors' tools that are left out.
    private func check(
        tools: RawJSON,
        at path: String,
        _ search: inout MemberSearch,
        depth: Int = 0
    ) throws(APIError) -> [Int] {
        guard depth <= Self.maxDepth else { throw .value(path, "the tools are nested too deeply") }
        var dropped: [Int] = []
        var index = 0
        for tool in tools.elements {
            if advisor != .refuse, tool["type"]?.content?.hasPrefix("advisor_") ?? false, !mayUse(advisor: tool) {
                if advisor == .drop { dropped.append(index) }
            } else {
                let isClients = Self.isClients(tool: tool)
                try check(tool.members, isClients: isClients, at: "\(path)[\(index)]", &search, depth: depth)
            }
            index += 1
        }
        return dropped
    }

    private func mayUse(advisor: RawJSON) -> Bool {
        guard let name = advisor["model"]?.content?.string else { return false }
        return id(of: name) != nil
    }

    /// Searches the members of a tool or an unknown item for models.
    private func check(
        _ members: some Sequence<RawJSON.Member>,
        isClients: Bool,
        at path: String,
        _ search: inout MemberSearch,
        depth: Int
    ) throws(APIError) {
        for member in members {
            if isClients {
                if !Self.isData(member.name) {
                    search.search(member.value, named: member.name, at: path, skipping: Self.isData)
                }
            } else if member.name.equals("tools") {
                _ = try check(tools: member.value, at: "\(path).tools", &search, depth: depth + 1)
            } else {
                search.search(member.value, named: member.name, at: path) { _ in false }
            }
        }
    }

    /// Searches fallbacks for models. Each of them must name one.
    private func check(fallbacks: RawJSON, _ search: inout MemberSearch) throws(APIError) {
        if fallbacks.isNull { return }
        for (index, fallback) in (fallbacks.isArray ? Array(fallbacks.elements) : [fallbacks]).enumerated() {
            let (count, path) = (search.found.count, "fallbacks[\(index)]")
            let name: StaticString = "model"
            let isName = fallback.content != nil
            search.search(fallback, named: isName ? UnsafeRawBufferPointer(name) : nil, at: path) { _ in false }
            guard search.found.count > count else { throw .modelNotFound(fallback.bytes.text, at: path) }
        }
    }
}
