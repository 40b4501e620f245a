import CCurl

/// libcurl's write callback: `bytes` is valid during the call only.
func takeBytes(
    bytes: UnsafeMutablePointer<CChar>?,
    unit: Int,
    count: Int,
    context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes, let transfer = transfer(context) else { return 0 }
    return transfer.receive(UnsafeRawBufferPointer(start: bytes, count: unit * count))
}

/// libcurl's header callback: one line each call.
func takeHeader(
    bytes: UnsafeMutablePointer<CChar>?,
    unit: Int,
    count: Int,
    context: UnsafeMutableRawPointer?
) -> Int {
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
    let socket = relay_curl_open(address)
    if socket >= 0 {
        Unmanaged<CurlClient>.fromOpaque(context).takeUnretainedValue().hasOpened(socket)
    }
    return socket
}

func closeSocket(context: UnsafeMutableRawPointer?, socket: curl_socket_t) -> Int32 {
    guard let context else { return 1 }
    Unmanaged<CurlClient>.fromOpaque(context).takeUnretainedValue().closeSocket(socket)
    return 0
}

func transfer(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
    context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
}
