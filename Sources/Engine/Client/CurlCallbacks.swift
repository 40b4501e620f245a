import CCurl
import Glibc

/// Passes received bytes, which are valid only during the call, to the transfer. libcurl calls this function.
let deliverBytes: relay_curl_write = { bytes, unit, count, context in
    guard let bytes, let transfer = object(context, CurlTransfer.self) else { return 0 }
    return transfer.receive(UnsafeRawBufferPointer(start: bytes, count: unit * count))
}

/// Passes one line of the response's head to the transfer. libcurl calls this function.
let deliverHeader: relay_curl_write = { bytes, unit, count, context in
    guard let bytes, let transfer = object(context, CurlTransfer.self) else { return 0 }
    transfer.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: unit * count))
    return unit * count
}

let openSocket: relay_curl_on_open = { context, _, address in
    guard let address, let handle = object(context, CurlHandle.self) else { return CURL_SOCKET_BAD }
    return handle.open(address)
}

let closeSocket: relay_curl_on_close = { context, socket in
    guard let client = object(context, CurlClient.self) else { return 1 }
    client.isClosed(socket)
    return 0
}

/// Returns the object whose address libcurl keeps for its callbacks.
func object<Kept: AnyObject>(_ context: UnsafeMutableRawPointer?, _: Kept.Type) -> Kept? {
    context.map { Unmanaged<Kept>.fromOpaque($0).takeUnretainedValue() }
}

extension PeerAddress {
    /// Returns the address and port to which libcurl is about to connect. Returns nil for other addresses than IPv4 and
    /// IPv6, and for an IPv4 address in IPv6 form.
    static func target(_ address: UnsafePointer<curl_sockaddr>) -> (PeerAddress, UInt16)? {
        guard let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) else { return nil }
        let bytes = UnsafeRawPointer(address) + offset
        let size = Int(address.pointee.addrlen)
        guard size >= MemoryLayout<sockaddr_in>.size, size <= MemoryLayout<sockaddr_storage>.size else { return nil }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: UnsafeRawBufferPointer(start: bytes, count: size)) }
        let peer = PeerAddress(storage)
        let port = UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        switch Int32(storage.ss_family) {
        case AF_INET: return (peer, port)
        case AF_INET6:
            let isMapped = peer.high == 0 && peer.low >> 32 == 0xffff
            return size >= MemoryLayout<sockaddr_in6>.size && !isMapped ? (peer, port) : nil
        default: return nil
        }
    }
}
