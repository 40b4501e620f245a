import CCurl
import Glibc

/// Passes received bytes, which are valid only during the call, to the transfer. libcurl calls this function.
let deliverBytes: relay_curl_write = { bytes, unit, count, context in
    guard let bytes, let transfer = transfer(context) else { return 0 }
    return transfer.receive(UnsafeRawBufferPointer(start: bytes, count: unit * count))
}

/// Passes one line of the response's head to the transfer. libcurl calls this function.
let deliverHeader: relay_curl_write = { bytes, unit, count, context in
    guard let bytes, let transfer = transfer(context) else { return 0 }
    transfer.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: unit * count))
    return unit * count
}

func openSocket(
    context: UnsafeMutableRawPointer?,
    purpose: curlsocktype,
    address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let context, let address else { return CURL_SOCKET_BAD }
    return Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue().open(address)
}

func closeSocket(context: UnsafeMutableRawPointer?, socket: curl_socket_t) -> Int32 {
    guard let context else { return 1 }
    Unmanaged<CurlClient>.fromOpaque(context).takeUnretainedValue().isClosed(socket)
    return 0
}

func transfer(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
    context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
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
