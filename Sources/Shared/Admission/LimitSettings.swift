package import Engine
package import Limits

/// The limits of callers, and the store of their counters.
package struct LimitSettings: Sendable, Equatable {
    /// The identity that limits count by.
    package enum Identity: String, CaseIterable, Sendable {
        /// The bearer; without one the address.
        case key
        case address = "ip"
        case keyAndAddress = "key+ip"
    }

    package enum Store: Sendable, Equatable {
        /// In this process.
        case memory
        /// 127.0.0.1, then `memcached`, at this port.
        case search(port: UInt16)
        case servers([MemcachedAddress])
    }

    /// Of each caller, by group; none: no limit.
    package let groups: [EndpointGroup: [Quota]]
    /// Of limits of each caller and model; the first pattern that fits.
    package let byModel: [ModelQuotas]
    /// Of all callers together.
    package let total: [Quota]
    package let identity: Identity
    /// Wrong keys, of each address.
    package let failedAuth: [Quota]
    package let store: Store
    /// The secret that names counters there; nil: they are named by plain digests.
    package let storeSecret: String?
    /// Of each decision that asks the store.
    package let storeTimeout: Duration
    /// The rule while it is away.
    package let storeDown: StoreDownRule
    /// Among which what is left is shared then; nil: as many as are alive.
    package let instances: Int?
    /// The time for which a slot is held without renewal.
    package let slotLease: Duration
    /// Only these are believed about whom they speak for.
    package let trustedProxies: [Network]

    /// `slotLease` as the counter store takes it, at least 1.
    package var slotSeconds: Int { max(1, slotLease.milliseconds / 1_000) }
}
