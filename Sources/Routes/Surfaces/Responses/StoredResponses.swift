import Engine
import Limits
import Shared
import Upstream

/// Handles `GET /v1/responses/{id}`: sends a stored response. Throws error 400 if the client asks for its events.
func showResponse(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let stored = try await namedResponse(exchange, gateway)
    let query = FormFields(exchange.request.queryFields)
    _ = try query.flag("include_obfuscation")
    let asked: StaticString? =
        try query.flag("stream") ?? false ? "stream" : query.string("starting_after") == nil ? nil : "starting_after"
    if let asked {
        let reason = "Only background responses can be streamed again, and they are not supported."
        throw APIError(400, "\(reason) Remove '\(asked)'.", param: "\(asked)")
    }
    stored.object.read { exchange.send(json: $0) }
}

/// Handles `DELETE /v1/responses/{id}`: deletes a stored response.
func deleteResponse(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let caller = try await exchange.caller(.chat)
    _ = try await exchange.admit(caller, .chat)
    let id = exchange.named ?? ""
    let wasThere: Bool
    do throws(StoreFailure) {
        if let owner = gateway.responseOwner(caller) {
            wasThere = try await gateway.responses.delete(id, of: owner, on: gateway.loop)
        } else {
            wasThere = false
        }
    } catch {
        throw .storeUnreachable("Responses cannot be deleted at the moment.", error)
    }
    guard wasThere else { throw .noResponse(id) }
    exchange.send(json: #"{"id":\#(id),"object":"response","deleted":true}"#)
}

/// Handles `POST /v1/responses/{id}/cancel`. Always throws an error, because the relay makes no responses in the
/// background.
func cancelResponse(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    _ = try await namedResponse(exchange, gateway)
    throw APIError(400, "Only background responses can be cancelled, and they are not supported.", param: "response_id")
}

/// Handles `GET /v1/responses/{id}/input_items`: sends a page of the input of a stored response.
func listInputItems(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let page = try ItemPage(FormFields(exchange.request.queryFields))
    let stored = try await namedResponse(exchange, gateway)
    let list = try await gateway.worked(ofBytes: stored.input.bytes.count) { () throws(APIError) in
        try page.list(stored.input)
    }
    list.read { exchange.send(json: $0) }
}

/// Handles `GET /v1/responses`: throws error 426 if the client asked for a WebSocket, otherwise error 405.
///
/// After error 426, clients fall back to HTTP, and the connection is closed.
func refuseUpgrade(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) {
    let wanted = exchange.request[.connection]?.split(separator: UInt8(ascii: ",")) ?? []
    guard wanted.contains(where: { UnsafeRawBufferPointer(rebasing: $0).trimmed.equalsLowered("upgrade") }) else {
        exchange.allowed = [Method.post.name, Method.options.name]
        throw APIError(405, "This method is not allowed for this URL.", code: "method_not_allowed")
    }
    exchange.closes = true
    throw APIError(426, "WebSockets are not supported. Use POST /v1/responses.", code: "upgrade_not_supported")
}

/// Returns the caller's stored response with the id in the path. Throws error 404 if there is none.
private func namedResponse(_ exchange: Exchange, _ gateway: Gateway) async throws(APIError) -> StoredResponse {
    let caller = try await exchange.caller(.chat)
    _ = try await exchange.admit(caller, .chat)
    let id = exchange.named ?? ""
    guard let stored = try await gateway.stored(id, of: caller) else { throw .noResponse(id) }
    return stored
}

extension APIError {
    fileprivate static func noResponse(_ id: String) -> APIError {
        APIError(404, "Response with id '\(id.beginning(ofBytes: 64))' not found.", param: "response_id")
    }
}

private struct ItemPage: Sendable {
    private let limit: Int
    private let isAscending: Bool
    /// The id of the last item before this page; nil for the first page.
    private let after: [UInt8]?

    init(_ query: FormFields) throws(APIError) {
        limit = try query.integer("limit", 1...100) ?? 20
        isAscending = try query.choice("order", ["asc", "desc"]) == "asc"
        after = try query.string("after", limitBytes: 1_000).map { Array($0.utf8) }
    }

    func list(_ input: Body) throws(APIError) -> Body {
        let parser = JSONParser()
        defer { withExtendedLifetime(parser) {} }
        guard let all = (try? parser.parse(input.bytes))?.elements else {
            throw APIError(500, "The stored response cannot be read.", type: "server_error", code: "internal_error")
        }
        var items = Array(all)[...]
        if !isAscending { items = ArraySlice(items.reversed()) }
        if let after {
            let index = items.firstIndex { $0["id"]?.text?.elementsEqual(after) ?? false }
            guard let index else { throw .value("after", "no item with this id exists") }
            items = items[(index + 1)...]
        }
        let shown = items.prefix(limit)
        var body = ByteBuffer(#"{"object":"list","data":["#)
        body.append(list: shown) { item, body in item.append(to: &body) }
        body.append(#"],"first_id":"#, json: shown.first?["id"]?.text ?? .empty)
        body.append(#","last_id":"#, json: shown.last?["id"]?.text ?? .empty)
        body.append(items.count > limit ? #","has_more":true}"# : #","has_more":false}"#)
        return Body(body)
    }
}
