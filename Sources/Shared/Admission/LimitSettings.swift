package import Engine
package import Limits

/// The settings of rate limits, and of the store that counts them.
package struct LimitSettings: Sendable, Equatable {
    /// The property of a request that identifies the caller for limits.
    package enum Identity: String, CaseIterable, Sendable {
        /// The caller's key; the address if the request has no key.
        case key
        case address = "ip"
        case keyAndAddress = "key+ip"
    }

    package enum Store: Sendable, Equatable {
        /// Limits are counted in this process alone.
        case memory
        /// memcached is searched at 127.0.0.1, then at the host `memcached`, on this port.
        case search(port: UInt16)
        case servers([MemcachedAddress])
    }

    /// The limits of each caller, by endpoint group; a group without an entry has no limit.
    package let groups: [EndpointGroup: [Quota]]
    /// The limits of each caller and model. The first pattern that matches the model counts.
    package let byModel: [ModelQuotas]
    /// The limits of all callers together.
    package let total: [Quota]
    package let identity: Identity
    /// The limits of requests with wrong keys, for each address.
    package let failedAuth: [Quota]
    package let store: Store
    /// The secret that names the counters in the store; nil: their names are plain digests.
    package let storeSecret: String?
    /// The time limit of each decision that asks the store.
    package let storeTimeout: Duration
    /// The policy while the store is unavailable.
    package let storeDown: StoreDownRule
    /// The number of instances that divide a limit while the store is unavailable; nil: the number of living instances
    /// last seen.
    package let instances: Int?
    /// The time for which a concurrency slot is held without renewal.
    package let slotLease: Duration
    /// The networks of proxies whose `X-Forwarded-For` header is trusted.
    package let trustedProxies: [Network]

    /// `slotLease` in seconds, as the counter store needs it; at least 1.
    package var slotSeconds: Int { max(1, slotLease.milliseconds / 1_000) }
}
