import Engine
import Limits

extension LimitSettings {
    init(_ reader: inout SettingsReader) {
        let standard = reader.quotas("RATE_LIMIT") ?? []
        groups = Dictionary(
            uniqueKeysWithValues: EndpointGroup.allCases.map { group in
                (group, reader.quotas(.global(group.limitField)) ?? standard)
            }
        )
        byModel = reader.value("RATE_LIMIT_BY_MODEL") ?? []
        session = reader.quotas("RATE_LIMIT_SESSION") ?? []
        user = reader.quotas("RATE_LIMIT_USER") ?? []
        userPlaces = reader.userPlaces("RATE_LIMIT_USER_FROM")
        total = reader.quotas("RATE_LIMIT_TOTAL") ?? []
        identity = reader.word("RATE_LIMIT_BY") ?? .key
        failedAuth = reader.quotas("RATE_LIMIT_FAILED_AUTH") ?? []
        store = Store(&reader)
        storeSecret = reader.text("STORE_SECRET")
        reader.refuseShortSecret("STORE_SECRET")
        storeTimeout = reader.duration("MEMCACHED_TIMEOUT")
        storeDown = reader.word("RATE_LIMIT_STORE_DOWN") ?? .share
        instances = reader.given["RATE_LIMIT_INSTANCES"].map { _ in reader.number("RATE_LIMIT_INSTANCES") }
        maxWaiting = reader.number("RATE_LIMIT_WAITING")
        slotLease = reader.duration("SLOT_SECONDS")
        trustedProxies = reader.value("TRUSTED_PROXIES") ?? []
    }
}

extension SettingsReader {
    /// Returns the places of an end user's id. Reports items that are neither a field nor a header's name.
    fileprivate mutating func userPlaces(_ key: SettingKey) -> [LimitSettings.UserPlace] {
        list(key).map { item in
            switch item.lowercased() {
            case "safety_identifier": return .safetyIdentifier
            case "user", "metadata.user_id": return .user
            case let name:
                if ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie"].contains(name) {
                    report(key, "\(item) has the caller's key, which is no user's id; write a field or another header")
                } else if !name.utf8.allSatisfy({ $0.isLetterOrDigit(or: "-") }) {
                    report(
                        key,
                        "\"\(item)\" is no place of a user's id; write safety_identifier, user or a header's name"
                    )
                }
                return .header(name)
            }
        }
    }
}

extension LimitSettings.Store {
    fileprivate init(_ reader: inout SettingsReader) {
        let port = UInt16(clamping: reader.number("MEMCACHED_PORT"))
        let servers: [MemcachedAddress] = reader.value("MEMCACHED_SERVERS") ?? []
        let host = reader.text("MEMCACHED_HOST")
        if host != nil && !servers.isEmpty {
            reader.report(
                "MEMCACHED_HOST",
                "MEMCACHED_SERVERS is also set (\(reader.location("MEMCACHED_SERVERS"))); remove one of them"
            )
        }
        if !servers.isEmpty {
            self = .servers(servers)
        } else if let host {
            if ["off", "none", "no", "false", "true"].contains(host.lowercased()) {
                reader.warn("MEMCACHED_HOST", "is the name of a host; for no memcached, remove this line")
            }
            self =
                host.lowercased() == "auto" ? .search(port: port) : .servers([MemcachedAddress(host: host, port: port)])
        } else {
            self = .memory
        }
    }
}

extension SettingsReader {
    /// Returns the limits in the settings of a known caller or of a group.
    /// - Parameter prefix: the beginning of the settings' names, such as `KEY_`.
    func limits(_ prefix: String, _ instance: String) -> OwnLimits {
        func quotas(_ field: String) -> [Quota]? {
            self.quotas(SettingKey(prefix: prefix, instance: instance, field: field))
        }
        var endpoints: [EndpointGroup: [Quota]] = [:]
        for group in EndpointGroup.allCases { endpoints[group] = quotas(group.limitField) }
        return OwnLimits(
            all: quotas("RATE_LIMIT") ?? [],
            endpoints: endpoints,
            session: quotas("RATE_LIMIT_SESSION"),
            user: quotas("RATE_LIMIT_USER")
        )
    }
}

extension EndpointGroup {
    /// The name of the setting with the limits of this group of endpoints, or the last part of the name.
    var limitField: String { "RATE_LIMIT_\(rawValue.uppercased())" }
}

extension SettingRow {
    /// Returns the limits of each group of endpoints, which share a help text and a row of the reference.
    static func endpointLimits(_ help: String) -> [SettingRow] {
        EndpointGroup.allCases.map { SettingRow($0.limitField, .limits).help(help) }
    }
}
