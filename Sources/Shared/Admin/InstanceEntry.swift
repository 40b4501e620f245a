package import Engine

/// The figures of an instance that its operator sees from any instance.
package struct InstanceFigures: Sendable, Equatable {
    package var requestsPerMinute = 0
    package var running = 0
    package var memoryMegabytes = 0
    package var longestTurnMilliseconds = 0
    /// `ok`, `unavailable`, `none`.
    package var store = "none"

    package init() {}
}

/// An order of the operator to all instances.
package struct InstanceOrder: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// A limit of one caller was set to unused in the store.
        case reset
        /// A provider is to be used again.
        case resume
    }

    package let kind: Kind
    /// The record's key in the store, or the provider's name.
    package let target: String
    /// The name of the provider's key; nil: all of its keys.
    package let key: String?
    /// Milliseconds since 1970.
    package let at: Int

    package init(_ kind: Kind, _ target: String, key: String? = nil, at: Int = Timestamp.now()) {
        self.kind = kind
        self.target = target
        self.key = key
        self.at = at
    }
}

/// The entry that an instance writes into the store for the other instances.
package struct InstanceEntry: Sendable, Equatable {
    /// Drawn at the start of the process.
    package let id: String
    /// Host name and port.
    package let name: String
    package let version: String
    /// Milliseconds since 1970, as are all times of the entry, by the clock of its machine.
    package let startedAt: Int
    package let seenAt: Int
    package let figures: InstanceFigures
    /// Digits of a digest of the settings that all instances should have in common.
    package let settings: String
    /// Whether the instance has ended in order.
    package let hasLeft: Bool
    package let orders: [InstanceOrder]

    /// A longer entry is not read.
    package static let limitBytes = 65_536
    private static let textLimitBytes = 512
    static let maxOrders = 100
}

extension InstanceEntry {
    package func encoded() -> [UInt8] {
        let orders = JSONFragment(
            #"""
            \#(orders, each: { order in
                #"{"kind":\#(order.kind.rawValue),"target":\#(order.target),"key":\#(order.key),"at":\#(order.at)}"#
            })
            """#
        )
        let text = ByteBuffer(
            json: #"""
                {"id":\#(id),"name":\#(name),"version":\#(version),"started_at":\#(startedAt),"seen_at":\#(seenAt),\#
                "requests_per_minute":\#(figures.requestsPerMinute),"running":\#(figures.running),\#
                "memory_mb":\#(figures.memoryMegabytes),"longest_turn_ms":\#(figures.longestTurnMilliseconds),\#
                "store":\#(figures.store),"settings":\#(settings),"left":\#(hasLeft),"orders":\#(orders)}
                """#
        )
        return Array(text.bytes)
    }

    /// Decodes an entry. Returns nil if the bytes are not an entry, since the store may hold anything.
    package init?(_ bytes: [UInt8], _ parser: JSONParser) {
        guard bytes.count <= Self.limitBytes else { return nil }
        let entry = bytes.withUnsafeBytes { bytes in (try? parser.parse(bytes)).flatMap { InstanceEntry($0) } }
        guard let entry else { return nil }
        self = entry
    }

    private init?(_ root: JSONValue) {
        func text(_ name: StaticString) -> String? {
            root[name]?.text.flatMap { $0.count <= Self.textLimitBytes ? $0.text : nil }
        }
        func number(_ name: StaticString) -> Int? { root[name]?.integer.map { Int(clamping: max(0, $0)) } }
        guard let id = text("id"), let name = text("name"), let version = text("version"),
            let startedAt = number("started_at"), let seenAt = number("seen_at"), let settings = text("settings"),
            let requests = number("requests_per_minute"), let running = number("running"),
            let memory = number("memory_mb"), let longest = number("longest_turn_ms"), let store = text("store"),
            let hasLeft = root["left"]?.flag, let orders = root["orders"]?.elements
        else { return nil }
        self.id = id
        self.name = name
        self.version = version
        self.startedAt = startedAt
        self.seenAt = seenAt
        self.settings = settings
        self.hasLeft = hasLeft
        var figures = InstanceFigures()
        figures.requestsPerMinute = requests
        figures.running = running
        figures.memoryMegabytes = memory
        figures.longestTurnMilliseconds = longest
        figures.store = store
        self.figures = figures
        self.orders = orders.prefix(Self.maxOrders).compactMap(Self.order)
    }

    private static func order(_ value: JSONValue) -> InstanceOrder? {
        func text(_ name: StaticString) -> String? {
            value[name]?.text.flatMap { $0.count <= textLimitBytes ? $0.text : nil }
        }
        guard let kind = text("kind").flatMap(InstanceOrder.Kind.init), let target = text("target"),
            let at = value["at"]?.integer
        else { return nil }
        return InstanceOrder(kind, target, key: text("key"), at: Int(clamping: max(0, at)))
    }
}
