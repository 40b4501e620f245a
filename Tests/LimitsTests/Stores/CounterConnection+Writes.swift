@testable import Limits

extension CounterConnection {
    /// Replaces the value of a key, if the value still has this version.
    func replace(
        _ key: String,
        _ value: [UInt8],
        version: StoredValue.Version,
        expirySeconds: Int
    ) throws(StoreFailure) -> WriteResult {
        try write(StoreWrite(key: key, value: value, version: version, expirySeconds: expirySeconds))
    }

    func add(_ key: String, _ value: [UInt8], expirySeconds: Int) throws(StoreFailure) -> WriteResult {
        try write(StoreWrite(key: key, value: value, version: nil, expirySeconds: expirySeconds))
    }
}
