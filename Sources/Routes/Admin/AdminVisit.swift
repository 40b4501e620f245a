import Engine
import Shared
import Upstream

/// A request to an admin route that has passed the access check of the route.
struct AdminVisit: Sendable {
    let exchange: Exchange
    let gateway: Gateway
    /// The admin session of the request; nil if the client is not logged in.
    let session: AdminSession?
    /// The variable parts of the request's path by name, such as `id` of `/admin/req_logs/{id}`.
    let values: [String: String]
    let query: AdminQuery
    /// The names of the members that a body may have.
    private let members: [String]

    private static let bodyLimitBytes = 65_536

    /// Reads the parameters of a request. Throws if the route does not know one.
    init(
        _ route: AdminRoute,
        _ values: [String: String],
        _ session: AdminSession?,
        _ exchange: Exchange,
        _ gateway: Gateway
    ) throws(APIError) {
        (self.exchange, self.gateway, self.session, self.values) = (exchange, gateway, session, values)
        query = try AdminQuery(exchange.request, route.method == .get ? route.parameters : [])
        members = route.method == .post ? route.parameters ?? [] : []
    }

    var admin: AdminState { gateway.process.admin }
    var request: Request { exchange.request }

    /// The client's address in the form that the log shows.
    var address: String { request.clientAddress(trusting: gateway.settings.limits.trustedProxies).text }

    /// Returns the variable part of the path with this name; empty if there is none.
    func value(_ name: String) -> String { values[name] ?? "" }

    /// Reads the request body, which must be a JSON object of known members. An empty body is read as `{}`.
    func body<Value: Sendable>(
        limitBytes: Int = bodyLimitBytes,
        _ read: @escaping @Sendable (JSONValue) throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        guard request.body.declaredBytes != 0 else {
            let empty = ByteBuffer("{}")
            return try JSONBody.read(empty.bytes, by: gateway.parser, read)
        }
        return try await exchange.json(limitBytes: limitBytes) { [members] (root) throws(APIError) in
            guard let all = root.members else { throw APIError(400, "The body must be a JSON object.") }
            let unknown = all.first { member in !members.contains { $0.utf8.elementsEqual(member.name) } }
            if let unknown { throw .unknownParameter(unknown.name.text, members) }
            return try read(root)
        }
    }

    /// Records an operator's action, such as `login`, in the log and on the admin page.
    /// - Parameter user: the operator's name; nil for the user of the session.
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

    /// Suspends long work until the loop's next turn, so that the loop handles other requests. After `Task.yield()`, the work
    /// would continue within the same turn. Throws if the client has left.
    func letOthersGoOn() async throws(APIError) {
        await gateway.loop.sleep(nanoseconds: 0)
        if Task.isCancelled { throw .clientLeft }
    }

    // MARK: Responses

    /// Sends a JSON response with a message and data: `{"status":0,"msg":"","data":{},"instance":"relay-1:5001"}`.
    func send(_ message: StaticString = "", data: JSONFragment) {
        let message = "\(message)"
        exchange.send(
            json: ByteBuffer(json: #"{"status":0,"msg":\#(message),"data":\#(data),"instance":\#(admin.instance)}"#)
        )
    }

    /// Sends a JSON response with a message and an empty string as `data`.
    func sendDone(_ message: StaticString) { send(message, data: #""""#) }

    /// Sends a JSON list: `{"items":[],"total":0,"instance":"relay-1:5001"}`.
    /// - Parameter total: the number of items on all pages.
    func send(_ items: [JSONFragment], total: Int, _ more: [(name: String, value: JSONFragment)] = []) {
        exchange.send(
            json: ByteBuffer(
                json: #"{"items":\#(items),"total":\#(total)\#(members: more),"instance":\#(admin.instance)}"#
            )
        )
    }
}
