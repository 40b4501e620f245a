import Calls
import Engine
import Shared

/// A request of the operator's side that may be served.
struct AdminVisit: Sendable {
    let exchange: Exchange
    let gateway: Gateway
    /// Nil: the visitor is not logged in.
    let session: AdminSession?
    /// The parts of the path that the route names.
    let values: [String: String]

    private static let bodyLimitBytes = 65_536

    var admin: AdminState { gateway.process.admin }
    var request: Request { exchange.request }

    /// The client's address, as the log shows it.
    var address: String { request.clientAddress(trusting: gateway.settings.limits.trustedProxies).text }

    /// Returns the part of the path that has this name in the route; empty if the route has no such part.
    func value(_ name: String) -> String { values[name] ?? "" }

    /// Reads the body, which is an object. An empty body is one without members.
    func body<Value: Sendable>(
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        guard request.body.declaredBytes != 0 else {
            let empty = ByteBuffer("{}")
            return try JSONBody.read(empty.bytes, by: gateway.parser, read)
        }
        return try await exchange.json(limitBytes: Self.bodyLimitBytes) { (root) throws(APIError) in
            guard root.kind == .object else { throw APIError(400, "The body must be a JSON object.") }
            return try read(root)
        }
    }

    /// Records an action of the operator in the log and for the page.
    func record(_ act: String, _ target: String = "", by user: String? = nil) {
        let action = AdminAction(
            user: user ?? session?.user ?? "",
            address: address,
            act: act,
            target: target.beginning(ofBytes: 500)
        )
        action.write(to: gateway.log)
        admin.trail.add(action)
    }

    // MARK: Responses

    /// Sends `{"status":0,"msg":"...","data":...,"instance":"..."}`.
    func send(_ message: StaticString = "", data: JSONFragment) {
        let message = "\(message)"
        exchange.send(
            json: ByteBuffer(
                json: #"{"status":0,"msg":\#(message),"data":\#(data),"instance":\#(admin.instance)}"#
            )
        )
    }

    /// Sends the same without data.
    func sendDone(_ message: StaticString) { send(message, data: #""""#) }

    /// Sends `{"items":[...],"total":n,...,"instance":"..."}`.
    ///
    /// - Parameter more: further members.
    func send(_ items: [JSONFragment], total: Int, _ more: [(name: String, value: JSONFragment)] = []) {
        exchange.send(
            json: ByteBuffer(
                json: #"{"items":\#(items),"total":\#(total)\#(members: more),"instance":\#(admin.instance)}"#
            )
        )
    }
}
