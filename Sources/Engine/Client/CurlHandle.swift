import CCurl
import Glibc

/// An object that uses a libcurl easy handle, such as a transfer.
protocol CurlUser: AnyObject {
    func finish(_ code: CURLcode)
    /// The directions that libcurl must pause: `CURLPAUSE_RECV`, `CURLPAUSE_SEND`, both or 0.
    var held: Int32 { get }
    /// Whether the response has ended although libcurl still considers the transfer unfinished.
    var hasEndedEarly: Bool { get }
}

/// A libcurl easy handle. It connects only to addresses that the client's `rule` allows.
final class CurlHandle {
    let easy: UnsafeMutableRawPointer
    private unowned let client: CurlClient
    /// Whether the client's address rule refused the last address.
    private var isRefused = false
    /// The object that uses the handle. It lives longer than the handle.
    unowned var user: (any CurlUser)?
    var multi: CurlMulti?
    /// Whether libcurl only opens a connection with this handle, and makes no HTTP call.
    let isConnection: Bool
    /// OpenSSL's object of the handle's last connection; nil without TLS. It is freed when the connection closes.
    fileprivate(set) var tls: OpaquePointer?

    init?(_ client: CurlClient, isConnection: Bool = false) {
        guard let easy = curl_easy_init() else { return nil }
        self.easy = easy
        self.client = client
        self.isConnection = isConnection
        let codes = [
            relay_curl_set_pointer(easy, CURLOPT_PRIVATE, Unmanaged.passUnretained(self).toOpaque()),
            relay_curl_set_open(easy, openSocket, Unmanaged.passUnretained(self).toOpaque()),
            relay_curl_set_close(easy, closeSocket, Unmanaged.passUnretained(client).toOpaque()),
            relay_curl_set_long(easy, CURLOPT_NOSIGNAL, 1),
            // Without this option the loop would wait, at the end of a call, for a thread that still looks up a name.
            relay_curl_set_long(easy, CURLOPT_QUICK_EXIT, 1),
            relay_curl_set_text(easy, CURLOPT_PROTOCOLS_STR, "http,https"),
            isConnection ? relay_curl_set_long(easy, CURLOPT_CONNECT_ONLY, 1) : CURLE_OK,
            isConnection
                ? relay_curl_set_before(easy, isConnected, Unmanaged.passUnretained(self).toOpaque()) : CURLE_OK,
        ]
        // `deinit` cleans up.
        guard codes.allSatisfy({ $0 == CURLE_OK }) else { return nil }
    }

    deinit { curl_easy_cleanup(easy) }

    /// Opens a socket for a connection to an address. Returns `CURL_SOCKET_BAD` if the client's rule refuses the address.
    func open(_ address: UnsafePointer<curl_sockaddr>) -> curl_socket_t {
        isRefused = !client.mayOpen(address)
        guard !isRefused else { return CURL_SOCKET_BAD }
        let socket = relay_curl_open(address)
        if socket >= 0 { client.hasOpened(socket) }
        return socket
    }

    /// Returns what is known about the last connection, which could not be opened. The system's error is `EACCES` if the
    /// client's rule refused the address.
    func connectFailure(_ code: CURLcode) -> ConnectFailure {
        var (number, status) = (0, 0)
        if code == CURLE_COULDNT_CONNECT, relay_curl_errno(easy, &number) != CURLE_OK { number = 0 }
        _ = relay_curl_proxy_status(easy, &status)
        return ConnectFailure(
            systemError: isRefused ? EACCES : Int32(clamping: number),
            proxyStatus: Int32(clamping: status),
            certificateFault: CertificateFault(easy, code)
        )
    }

    func use(_ endpoint: Endpoint) {
        let options = endpoint.options
        _ = relay_curl_set_pointer(easy, CURLOPT_CURLU, UnsafeRawPointer(endpoint.url))
        _ = relay_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, options.connectMilliseconds)
        let version = options.isHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        _ = relay_curl_set_long(easy, CURLOPT_HTTP_VERSION, Int(version))
        _ = relay_curl_set_text(easy, CURLOPT_PROXY, options.proxy)
        if let file = options.certificateFile {
            _ = relay_curl_set_text(easy, CURLOPT_CAINFO, file)
            _ = relay_curl_set_text(easy, CURLOPT_PROXY_CAINFO, file)
        }
        // With TLS to the proxy, OpenSSL would not show which bytes wait in the outer of the two TLS layers.
        if isConnection, !options.hasTLSProxy { _ = relay_curl_set_read_ahead(easy) }
    }
}

/// Stores the OpenSSL object of a connection that has just opened. libcurl provides the object only at this time.
private let isConnected: relay_curl_on_before = { context, _, _, _, _ in
    guard let handle = object(context, CurlHandle.self) else { return CURL_PREREQFUNC_ABORT }
    handle.tls = relay_curl_tls(handle.easy)
    return CURL_PREREQFUNC_OK
}
