import Engine
package import Shared

/// The search for ids of resources of the account to which a key belongs, and for files that only the server can read.
extension RequestCheck {
    /// Throws if tools of a chat name a resource of the account. What describes a client's tool is not looked at.
    func refuseResources(inToolsOf members: [RawJSON.Member]) throws(APIError) {
        if isCallersKey { return }
        try refuseResources(of: members.filter { $0.name.equals("tools") })
    }

    /// Throws if a format or content parts of a chat that the relay does not know name a resource of the account.
    func refuseResources(inUnknownPartsOf members: [RawJSON.Member]) throws(APIError) {
        if isCallersKey { return }
        try refuseResources(of: members.filter { $0.name.equals("response_format") })
        guard let messages = members.first(where: { $0.name.equals("messages") })?.value else { return }
        for (index, message) in messages.elements.enumerated() {
            // A name with an escape may be `content`, too.
            for member in message.members where member.name.equals("content") || member.name.contains(92) {
                for (place, part) in member.value.elements.enumerated() {
                    if let type = part["type"]?.content, ChatMessage.Piece.isKnown(type: type) { continue }
                    let path = "messages[\(index)].content[\(place)]"
                    try refuseResources(of: part.members, at: path, isVendors: true)
                    try refuseLocalFiles(in: part, at: path)
                }
            }
        }
    }

    /// Throws if a URL in a part of a request is not one of the web: a server may read files of its own.
    func refuseLocalFiles(in part: RawJSON, at path: String) throws(APIError) {
        if isCallersKey { return }
        var search = MemberSearch(inObjects: false) { name, _ in name.isNameOfURL }
        search.search(part, at: path) { _ in false }
        for found in search.found where !found.content.begins(with: ["https:", "http:", "data:"]) {
            throw .unsupported(found.path, "'\(found.path)' must be a data:, https: or http: URL.")
        }
    }

    /// Throws if members name a resource of the account, such as a file, container, skill, connector or vector store.
    /// - Parameter isVendors: whether they are those of a tool that the vendor executes, with no data of the client's.
    func refuseResources(
        of members: some Sequence<RawJSON.Member>,
        at path: String = "",
        isVendors: Bool = false,
        depth: Int = 0
    ) throws(APIError) {
        guard depth <= Self.maxDepth else { throw .value(path, "the tools are nested too deeply") }
        var search = MemberSearch(inObjects: false) { name, parent in name.isNameOfResource(in: parent) }
        func isSkipped(_ name: UnsafeRawBufferPointer) -> Bool {
            !isVendors && Self.isData(name) && !name.equals("content")
        }
        for member in members where !(depth == 0 && allows(member.name)) && !isSkipped(member.name) {
            let place = path.isEmpty ? member.name.text : "\(path).\(member.name.text)"
            if isVendors, member.isServerOfProvider { throw Self.refusal(ofResource: place) }
            guard member.name.equals("tools"), member.value.isArray else {
                search.search(member.value, named: member.name, at: path, skipping: isSkipped)
                continue
            }
            for (index, tool) in member.value.elements.enumerated() {
                let isVendors = !Self.isClients(tool: tool)
                try refuseResources(of: tool.members, at: "\(place)[\(index)]", isVendors: isVendors, depth: depth + 1)
            }
        }
        guard let found = search.found.first else { return }
        throw Self.refusal(ofResource: found.path)
    }

    /// Returns whether the input of a request to the Responses API has such an id.
    package static func namesResources(inInputOf request: OriginalRequest) -> Bool {
        var search = MemberSearch(inObjects: false) { name, parent in name.isNameOfResource(in: parent) }
        if let input = RawJSON(request.bytes)["input"] {
            search.search(input, named: nil, at: "input") { Self.isData($0) && !$0.equals("content") }
        }
        return !search.found.isEmpty
    }

    package static func refusal(ofResource path: String) -> APIError {
        let what = "resources of the provider's account, such as files, vector stores or its own MCP servers,"
        return .unsupported(path, "'\(path)' is not supported: \(what) are not accepted here.")
    }
}
