@testable import Engine
@testable import Routes

/// A client that has sent one request.
///
/// `@unchecked`: used on one loop only.
final class ScriptedClient: @unchecked Sendable {
    private let writer = ResponseCollector()
    private(set) var isDone = false
    private var task: Task<Void, Never>?

    init(_ host: RouterHost, _ request: Request) {
        task = Task(executorPreference: host.loop) { [self] in
            await host.router.handle(request, writer)?.run()
            request.body.requestEnds()
            isDone = true
        }
    }

    /// The part of the response that has arrived.
    var received: ReceivedResponse { writer.answered }

    /// Closes the client's connection.
    func leave() { task?.cancel() }
}

extension ReceivedResponse {
    /// The name of the provider that served the request; nil if the response does not name it.
    var provider: String? { field("X-Relay-Provider") }

    func field(_ name: String) -> String? {
        let lines = head.split(separator: "\r\n")
        return lines.first { $0.hasPrefix("\(name): ") }.map { String($0.dropFirst(name.count + 2)) }
    }
}
