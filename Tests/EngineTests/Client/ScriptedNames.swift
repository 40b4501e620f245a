import Glibc
import Synchronization

@testable import Engine

/// A scripted resolver for tests. This process's `getaddrinfo` is the function below, also for libcurl. Names without a
/// script go to the real one.
enum ScriptedNames {
    typealias Resolution = @Sendable (_ look: Int) -> [String]
    fileprivate struct Script {
        var response: Resolution
        var looks = 0
    }
    fileprivate static let scripts = Lock<[String: Script]>([:])

    /// Scripts a name.
    ///
    /// - Parameter response: returns the addresses for the look-up with this number, from 0. It may block, as a slow
    ///   server does.
    static func script(_ name: String, _ response: @escaping Resolution) {
        scripts.withLock { $0[name] = Script(response: response) }
    }

    /// Returns how often the name was looked up.
    static func looks(_ name: String) -> Int { scripts.withLock { $0[name]?.looks ?? 0 } }

    fileprivate static func addresses(of name: String) -> [String]? {
        let taken = scripts.withLock { scripts -> (Resolution, Int)? in
            guard let script = scripts[name] else { return nil }
            scripts[name]?.looks += 1
            return (script.response, script.looks)
        }
        return taken.map { $0.0($0.1) }
    }
}

private typealias Resolve =
    @convention(c) (
        UnsafePointer<CChar>?, UnsafePointer<CChar>?, UnsafeRawPointer?, UnsafeMutablePointer<OpaquePointer?>?
    ) -> Int32

/// Resolves a name by its script. Public, with types that need no import, so that libcurl finds the symbol.
@_cdecl("getaddrinfo")
public func scriptedGetaddrinfo(
    _ name: UnsafePointer<CChar>?,
    _ service: UnsafePointer<CChar>?,
    _ hints: UnsafeRawPointer?,
    _ found: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    // RTLD_NEXT finds the function that this one hides.
    guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: -1), "getaddrinfo") else { return EAI_SYSTEM }
    let real = unsafeBitCast(symbol, to: Resolve.self)
    guard let name, let found, let addresses = ScriptedNames.addresses(of: String(cString: name)) else {
        return real(name, service, hints, found)
    }
    var first: UnsafeMutablePointer<addrinfo>?
    var last: UnsafeMutablePointer<addrinfo>?
    for address in addresses {
        var list: OpaquePointer?
        guard real(address, service, hints, &list) == 0, let list else { continue }
        let one = UnsafeMutablePointer<addrinfo>(list)
        if let last { last.pointee.ai_next = one } else { first = one }
        last = one
        while let next = last?.pointee.ai_next { last = next }
    }
    found.pointee = first.map { OpaquePointer($0) }
    return first == nil ? EAI_NONAME : 0
}
