import Calls
import Engine
import Shared

/// A request of the operator's side that may be answered.
struct AdminVisit: Sendable {
    let exchange: Exchange
    let gateway: Gateway
    /// Nil: the visitor is not logged in.
    let session: AdminSession?
    /// The parts of the path that the route names.
    let values: [String: String]

    var admin: AdminState { gateway.process.admin }
    var request: Request { exchange.request }

    /// The client's address, as the log shows it.
    var address: String { request.clientAddress(trusting: gateway.settings.limits.trustedProxies).text }

    /// The part of the path that the route calls so.
    func value(_ name: String) -> String { values[name] ?? "" }

    /// Records an action of the operator in the log and for the page.
    func record(_ act: String, _ target: String = "", by user: String? = nil) {
        let action = AdminAction(user: user ?? session?.user ?? "", address: address, act: act, target: target)
        action.write(to: gateway.log)
        admin.trail.add(action)
    }

    // MARK: Responses

    /// Sends `{"status":0,"msg":"...","data":...,"instance":"..."}`.
    ///
    /// - Parameter data: JSON.
    func send(_ message: StaticString = "", data: borrowing ByteBuffer) {
        var body = ByteBuffer()
        body.append(#"{"status":0,"msg":""#)
        body.append(message)
        body.append(#"","data":"#)
        body.append(data.bytes)
        body.append(#","instance":"#)
        body.append(json: admin.instance)
        body.append("}")
        exchange.send(json: body)
    }

    /// Sends the same without data.
    func sendDone(_ message: StaticString) { send(message, data: ByteBuffer(#""""#)) }
}
