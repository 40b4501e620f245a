/// An FNV-1a hash of a request's property, such as its user. Requests with equal hashes go to the same provider.
///
/// All instances compute equal hashes. The hash covers only the first 256 KiB of its input.
package struct AffinityHash {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325
    private var left = 262_144

    package init() {}

    package init(_ bytes: some Sequence<UInt8>) { add(bytes) }

    package mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes.prefix(left) {
            value = (value ^ UInt64(byte)) &* 0x100_0000_01b3
            left -= 1
        }
        value = (value ^ 0xff) &* 0x100_0000_01b3
    }
}
