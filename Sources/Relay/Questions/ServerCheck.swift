import Engine
import Limits
import Shared
import UsageRecords

/// The check of the servers that the relay itself uses, which `relay check --ask` runs: memcached, the database of usage
/// records, and the proxy.
struct ServerCheck {
    /// The report of the check, a line for each server; empty without servers.
    let text: String
    let isGood: Bool

    private static let milliseconds: Int32 = 3_000

    /// Connects to each server, one after the other. Blocks for at most a few seconds for each.
    init(_ settings: Settings) {
        var results: [(server: String, problem: String?)] = []
        do throws(StoreFailure) {
            let store = try MemcachedCounters.store(settings.limits)
            for (index, server) in (store?.servers ?? []).enumerated() {
                results.append(("memcached \(server)", store.flatMap { Self.problem(of: $0, index) }))
            }
        } catch {
            results.append(("memcached", error.reason))
        }
        if case .server(let url)? = settings.usageDatabase?.location {
            results.append(("the database of USAGE_DATABASE_URL", StorageCheck.problem(ofDatabase: url)))
        }
        if let proxy = settings.upstreamProxy {
            results.append(("the proxy of UPSTREAM_PROXY", Self.problem(ofProxy: proxy)))
        }
        isGood = results.allSatisfy { $0.problem == nil }
        let lines = results.map { "  \($0.server): \($0.problem ?? "responds")\n" }
        text = lines.isEmpty ? "" : "servers: \(isGood ? "no problems" : "problems")\n" + lines.joined()
    }

    private static func problem(of store: any CounterStore, _ index: Int) -> String? {
        do throws(StoreFailure) {
            _ = try store.connect(to: index)
            return nil
        } catch {
            return "\(error.reason); start memcached there, or correct MEMCACHED_HOST or MEMCACHED_SERVERS"
        }
    }

    private static func problem(ofProxy url: String) -> String? {
        let isTLS = url.lowercased().hasPrefix("https:")
        let authority = url.replacing("://", with: "@").split(separator: "@").last?.prefix { $0 != "/" } ?? ""
        let digits = authority.split(separator: ":").last ?? ""
        let port = authority.last == "]" ? nil : UInt16(digits)
        let host = port == nil ? authority : authority.dropLast(digits.count + 1)
        do throws(SocketFailure) {
            // libcurl's ports of proxies whose URL has none.
            let port = port ?? (isTLS ? 443 : 1_080)
            let name = String(host.drop { $0 == "[" }.prefix { $0 != "]" })
            _ = try PlainSocket(host: name, port: port, timeoutMilliseconds: milliseconds)
            return nil
        } catch {
            return "cannot connect to \(authority): \(error.reason); start the proxy, or correct UPSTREAM_PROXY"
        }
    }
}
