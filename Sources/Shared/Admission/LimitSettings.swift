package import Engine
package import Limits

/// The settings of rate limits and of the store in which they are counted.
package struct LimitSettings: Sendable, Equatable {
    /// The property of a request that identifies the caller for limits.
    package enum Identity: String, CaseIterable, Sendable {
        /// The caller's key; the address if the request has no key.
        case key
        case address = "ip"
        case keyAndAddress = "key+ip"
    }

    package enum Store: Sendable, Equatable {
        /// The process counts limits in its memory, without memcached.
        case memory
        /// The relay looks for memcached on this port, first at 127.0.0.1 and then at the host `memcached`.
        case search(port: UInt16)
        case servers([MemcachedAddress])
    }

    /// A place of an end user's id in a request.
    package enum UserPlace: Sendable, Equatable {
        case safetyIdentifier
        /// The body's field `user`; of Messages `metadata.user_id`.
        case user
        /// The header field with this name, in lower case.
        case header(String)
    }

    /// The limits of each caller, by endpoint group; a group without an entry has no limit.
    package let groups: [EndpointGroup: [Quota]]
    /// The limits of each caller for particular models. The first pattern that matches a model applies.
    package let byModel: [ModelQuotas]
    /// The limits of each session of each caller.
    package let session: [Quota]
    /// The limits of each end user of each known caller.
    package let user: [Quota]
    /// The places of an end user's id. The first one that a request has counts.
    package let userPlaces: [UserPlace]
    /// The limits of all callers together.
    package let total: [Quota]
    package let identity: Identity
    /// The limits of requests with invalid keys, for each client address.
    package let failedAuth: [Quota]
    package let store: Store
    /// The secret (`STORE_SECRET`) that hides callers and addresses in memcached; nil if it is not set.
    package let storeSecret: String?
    /// The timeout for calls to memcached (`MEMCACHED_TIMEOUT`).
    package let storeTimeout: Duration
    /// The rule for admitting requests while memcached, which counts the limits, is unavailable.
    package let storeDown: StoreDownRule
    /// The number of instances that divide each limit among them while memcached is unavailable. If nil, the number
    /// that memcached last showed is used.
    package let instances: Int?
    /// The largest number of requests that wait for their turn (`RATE_LIMIT_WAITING`).
    package let maxWaiting: Int
    /// The time after which a concurrent request's slot becomes free if it is not renewed.
    package let slotLease: Duration
    /// The networks of proxies whose `X-Forwarded-For` header is trusted.
    package let trustedProxies: [Network]

    /// The seconds after which a concurrent request's slot becomes free if it is not renewed; at least 1.
    package var slotSeconds: Int { max(1, slotLease.milliseconds / 1_000) }
}

extension MemcachedCounters {
    /// Creates the store that keeps the limits' counters in memcached. Returns nil if this process counts limits in its
    /// own memory. Does not wait for a connection.
    package static func store(_ settings: LimitSettings) throws(StoreFailure) -> (any CounterStore)? {
        let timeout = max(1, settings.storeTimeout.milliseconds)
        switch settings.store {
        case .memory: return nil
        case .servers(let addresses): return try MemcachedCounters(addresses, timeoutMilliseconds: timeout)
        case .search(let port):
            var stores: [any CounterStore] = []
            for address in MemcachedAddress.searched(port) {
                stores.append(try MemcachedCounters([address], timeoutMilliseconds: timeout))
            }
            return DiscoveredCounterStore(stores)
        }
    }
}

extension MemcachedAddress {
    /// Returns the addresses that `MEMCACHED_HOST=auto` tries, in order.
    static func searched(_ port: UInt16) -> [MemcachedAddress] {
        ["127.0.0.1", "memcached"].map { MemcachedAddress(host: $0, port: port) }
    }
}
