import Engine
package import Shared

/// Requests the list of models that a vendor offers for a key.
package final class VendorList: ModelList, OnLoop, @unchecked Sendable {
    /// The differences between vendors' lists: the path, the headers and the JSON format.
    struct Form: Sendable {
        /// The path and query of the list, which are appended to the base URL.
        let path: String
        /// The name of the JSON member that contains the array of models.
        let members: StaticString
        let headers: @Sendable (VendorSite) -> KeyHeaders
        /// Converts one element of the vendor's list to a model; nil if the model does not support chat.
        let model: @Sendable (JSONValue) -> LiveModel?
        /// Returns the query parameter that requests the next page; nil on the last page.
        var next: @Sendable (JSONValue) -> (name: String, value: String)? = { _ in nil }
    }

    let site: VendorSite
    let form: Form
    let transport: any Transport
    private let parser = JSONParser()
    private let keys: [String]
    let headers: KeyHeaders

    private static let limitBytes = 4 << 20
    private static let maxModels = 2_000
    static let maxPages = 20

    /// Creates the object that reads a vendor's list. It sends no request yet.
    /// - Parameter keys: the keys to try in this order; empty if the vendor needs no key.
    init(_ site: VendorSite, _ form: Form, transport: any Transport, keys: [String]) {
        self.site = site
        self.form = form
        self.transport = transport
        self.keys = keys
        headers = form.headers(site)
    }

    /// Requests the list with one key after the other until the vendor accepts a key, and returns the models.
    package func models() async throws(UpstreamError) -> [LiveModel] {
        for key in keys.dropLast() {
            do throws(UpstreamError) {
                return try await models(for: key)
            } catch {
                guard let status = error.status, (400..<500).contains(status) else { throw error }
            }
        }
        return try await models(for: keys.last ?? "")
    }

    private func models(for key: String) async throws(UpstreamError) -> [LiveModel] {
        var models: [LiveModel] = []
        var seen: Set<String> = []
        var path = form.path
        for _ in 0..<Self.maxPages {
            let (page, next) = try await page(path, key)
            models += page.filter { seen.insert($0.id).inserted }
            guard models.count <= Self.maxModels else {
                throw UpstreamError(.failed, cause: "more than \(Self.maxModels) models")
            }
            guard let next else { break }
            path = "\(form.path)&\(next.name)=\(next.value.escapedInQuery)"
        }
        guard !models.isEmpty else { throw UpstreamError(.failed, cause: "an empty list") }
        return models
    }

    private func page(
        _ path: String,
        _ key: String
    ) async throws(UpstreamError) -> ([LiveModel], (name: String, value: String)?) {
        guard let endpoint = Endpoint(site.baseURL + path, site.options) else {
            throw UpstreamError(.failed, cause: "the next page of the list has no address")
        }
        let headers = headers.headers(for: key)
        return try await Self.page(form.members, at: endpoint, headers, by: transport, parser) { elements, root in
            (elements.compactMap(form.model), form.next(root))
        }
    }

    /// Requests a vendor's list of models, or a page of the list, and returns what `read` makes of it. A failure names
    /// the endpoint.
    /// - Parameter members: the name of the JSON member that contains the models.
    static func page<Page>(
        _ members: StaticString,
        at endpoint: Endpoint,
        _ headers: UpstreamHeaders,
        by transport: any Transport,
        _ parser: JSONParser,
        _ read: (_ elements: JSONElements, _ root: JSONValue) -> Page
    ) async throws(UpstreamError) -> Page {
        do throws(UpstreamError) {
            let call = UpstreamCall(endpoint: endpoint, headers: headers, body: nil)
            let response: UpstreamResponse
            do throws(TransportError) { response = try await transport.send(call) } catch { throw UpstreamError(error) }
            let body = response.body
            return try withExtendedLifetime(body) { () throws(UpstreamError) in
                guard response.head.status == 200 else {
                    var error = UpstreamError(.failed, cause: "the vendor answered \(response.head.sentStatus)")
                    error.status = response.head.status
                    throw error
                }
                guard body.bytes.count <= limitBytes else { throw UpstreamError(.failed, cause: "a list too long") }
                guard let root = try? parser.parse(body.bytes), let elements = root[members]?.elements else {
                    throw UpstreamError(.failed, cause: "the vendor's list is not a list of models")
                }
                return read(elements, root)
            }
        } catch {
            var error = error
            error.locate(at: endpoint)
            throw error
        }
    }
}

extension String {
    /// The string percent-encoded for a URL query, except letters, digits, `-`, `.`, `_` and `~`.
    var escapedInQuery: String { utf8.percentEncoded(except: "-._~") }
}

extension APIError {
    /// The error for an unknown model while a provider's list of models has not been read yet.
    static var listAwaited: APIError {
        let advice = "Try again; if this lasts, the operator can see why with `relay check --ask`."
        return overloaded("No list of models of a provider has arrived yet. \(advice)", retryAfterSeconds: 1)
    }
}
