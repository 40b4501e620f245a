package import Engine

/// The figures of an instance that the admin pages show, such as its requests per minute.
package struct InstanceFigures: Sendable, Equatable {
    package var requestsPerMinute = 0
    package var running = 0
    package var memoryMegabytes = 0
    package var longestTurnMilliseconds = 0
    /// The state of the store in which limits are counted: `ok`, `unavailable` or `none`.
    package var store = "none"

    package init() {}
}

/// An instruction of the operator that all instances carry out.
package struct InstanceOrder: Sendable, Hashable {
    package enum Kind: String, Sendable {
        /// The operator reset a caller's limit in memcached, so each instance forgets its own state of that limit.
        case reset
        /// The operator gave back an amount of a caller's limit in memcached, so each instance reads its record again.
        case giveBack
        /// The operator ended the cooldown of a provider or of one of its keys.
        case resume
        /// The operator deleted a remembered quirk of a vendor.
        case forget
    }

    package let kind: Kind
    /// The key of the limit's record for `reset` and `giveBack`, the name of the provider for `resume`, the quirk's id for `forget`.
    package let target: String
    /// The name of the provider's key; nil if the order concerns all keys of the provider.
    package let key: String?
    /// The time at which the operator gave the order, in milliseconds since 1970.
    package let at: Int

    package init(_ kind: Kind, _ target: String, key: String? = nil, at: Int = Timestamp.now()) {
        self.kind = kind
        self.target = target
        self.key = key
        self.at = at
    }
}

/// The entry that an instance writes about itself to memcached, for the other instances to read.
package struct InstanceEntry: Sendable, Equatable {
    /// The id of the instance, drawn at random when the process starts.
    package let id: String
    /// The name of the instance: host name and port.
    package let name: String
    package let version: String
    /// The start of the process by the clock of its machine, in milliseconds since 1970.
    package let startedAt: Int
    package let seenAt: Int
    package let figures: InstanceFigures
    /// A short digest of the instance's settings.
    package let settings: String
    /// Whether the instance has shut down normally.
    package let hasLeft: Bool
    package let orders: [InstanceOrder]

    package static let limitBytes = 65_536
    private static let textLimitBytes = 512
    /// The latest time that an entry may contain, in milliseconds since 1970: the end of the year 9999.
    private static let maxMilliseconds = 253_402_300_799_999
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

    /// Decodes an entry from the store. Returns nil if the bytes are no valid entry.
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
            let hasLeft = root["left"]?.flag, let orders = root["orders"]?.elements,
            max(startedAt, seenAt) <= Self.maxMilliseconds
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
