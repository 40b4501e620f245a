import Engine

/// An action of the operator on the admin pages, such as a login, successful or not.
package struct AdminAction: Sendable {
    package let time: Int
    package let user: String
    package let address: String
    /// The name of the action, such as `login` or `delete records`.
    package let act: String
    package let target: String

    /// Creates an action, whose time is in milliseconds since 1970.
    package init(at time: Int = Timestamp.now(), user: String, address: String, act: String, target: String) {
        self.time = time
        self.user = user
        self.address = address
        self.act = act
        self.target = target
    }

    package func write(to log: Log) {
        log.info("operator") { line in
            line.add("event", word: "admin")
            line.add("user", user)
            line.add("address", address)
            line.add("act", act)
            line.add("target", target)
        }
    }
}

/// The last 100 actions of the operator, newest first.
package final class AuditTrail: Sendable {
    private let actions = Lock<[AdminAction]>([])

    private static let bound = 100

    package var all: [AdminAction] { actions.withLock { $0 } }

    package func add(_ action: AdminAction) {
        actions.withLock { actions in
            if actions.count == Self.bound { actions.removeLast() }
            actions.insert(action, at: 0)
        }
    }
}
