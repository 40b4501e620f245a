package import Engine
import Shared

/// The result of testing a key with `relay check --ask`. Its texts can quote the vendor's response.
package enum KeyCheckResult: Sendable {
    /// The vendor accepted the key.
    /// - Parameter models: the ids of the vendor's models; nil if the response has no list.
    case accepted(models: Set<String>?)
    case refused(String)
    /// The relay could not connect to the vendor's server.
    case unreachable(String)
    /// The vendor did not respond, or the response does not show whether the key is valid.
    case failed(String)
}

extension EndpointOptions {
    /// A copy of the options for testing a key: a time limit of 5 s, responses of at most 1 MB.
    package var forQuestions: EndpointOptions {
        var options = self
        options.connectMilliseconds = Self.questionMilliseconds
        options.firstByteMilliseconds = Self.questionMilliseconds
        options.idleMilliseconds = Self.questionMilliseconds
        options.totalMilliseconds = Self.questionMilliseconds
        options.responseLimitBytes = Self.questionBytes
        return options
    }

    private static let questionMilliseconds = 5_000
    fileprivate static let questionBytes = 1 << 20
}

extension VendorList {
    /// Tests a key with requests for the vendor's list of models. Reads at most `maxPages` pages of the list.
    /// - Parameter key: the key; empty to send no key.
    package func checkResult(on key: String) async -> KeyCheckResult {
        var models: Set<String> = []
        var path = form.path
        for _ in 0..<Self.maxPages {
            let question = KeyQuestion(
                url: site.baseURL + path,
                options: site.options,
                headers: headers.headers(for: key),
                members: form.members,
                next: form.next
            )
            switch await question.ask(by: transport) {
            case .page(let ids, let next):
                models.formUnion(ids)
                guard let next else { return .accepted(models: models) }
                path = "\(form.path)&\(next.name)=\(next.value.escapedInQuery)"
            case .checkResult(let checkResult): return checkResult
            }
        }
        return .accepted(models: models)
    }
}

/// One GET request with which `relay check --ask` tests a key. Redirects are not followed.
struct KeyQuestion {
    enum Outcome {
        /// The ids of one page of the list of models; `next` is the next page's query parameter, nil on the last page.
        case page(Set<String>, next: (name: String, value: String)?)
        case checkResult(KeyCheckResult)
    }

    let url: String
    let options: EndpointOptions
    let headers: UpstreamHeaders
    /// The name of the response's member with the list of models; nil if every JSON object with status 200 means that
    /// the key is valid.
    var members: StaticString?
    var next: (JSONValue) -> (name: String, value: String)? = { _ in nil }

    func ask(by transport: any Transport) async -> Outcome {
        guard let endpoint = Endpoint(url, options.forQuestions) else {
            return .checkResult(.failed("\(url) is not a URL"))
        }
        do throws(TransportError) {
            let stream = try await transport.open(UpstreamCall(endpoint: endpoint, headers: headers, body: nil))
            defer { stream.stop(isComplete: false) }
            let body = try await stream.collect(limitBytes: EndpointOptions.questionBytes)
            return outcome(stream.head, body)
        } catch {
            let isAway = error.kind == .unreachable && !error.isOfProxy || error.kind == .connectTimeout
            return .checkResult(isAway ? .unreachable(error.cause) : .failed(error.cause))
        }
    }

    private func outcome(_ head: UpstreamHead, _ body: Body) -> Outcome {
        let parser = JSONParser()
        return withExtendedLifetime((body, parser)) {
            let root = try? parser.parse(body.bytes)
            let excerpt = excerpt(of: body, root)
            switch head.status {
            case 200:
                guard let root, root.kind == .object else {
                    let isPage = body.bytes.first { $0 > 32 } == UInt8(ascii: "<")
                    let advice = "a web page; set the base URL to that of an API, such as https://host/v1"
                    return .checkResult(.failed("the response is \(isPage ? advice : "not JSON")\(excerpt)"))
                }
                guard let members else { return .page([], next: nil) }
                guard let elements = root[members]?.elements else {
                    return .checkResult(.failed("the response is not a list of models\(excerpt)"))
                }
                return .page(Set(elements.flatMap(Self.ids)), next: next(root))
            case 401, 403, 498: return .checkResult(.refused("the vendor answered \(head.status)\(excerpt)"))
            case 400 where isKeyInvalid(root): return .checkResult(.refused("the vendor answered 400\(excerpt)"))
            case 300..<400:
                let target = head.redirectURL.map { " to \($0)" } ?? ""
                let advice = "redirects are not followed, so set the base URL to where it leads"
                return .checkResult(.failed("the vendor redirects\(target); \(advice)"))
            case 404, 405:
                return .checkResult(.failed("the vendor answered \(head.status) to GET \(url); check the base URL"))
            default: return .checkResult(.failed("the vendor answered \(head.sentStatus)\(excerpt)"))
            }
        }
    }

    /// Whether the response is Google's error for an invalid key.
    private func isKeyInvalid(_ root: JSONValue?) -> Bool {
        let details = root?["error"]?["details"]?.elements ?? JSONElements()
        return details.contains { $0["reason"]?.text.map { $0.equals("API_KEY_INVALID") } ?? false }
    }

    /// Returns the beginning of the response's error message, or of the body without such a message.
    private func excerpt(of body: Body, _ root: JSONValue?) -> String {
        let message = root?["error"]?["message"]?.string ?? root?["error"]?.string ?? root?["message"]?.string
        let text = message ?? String(decoding: body.bytes.prefix(1_000), as: UTF8.self)
        return text.isEmpty ? "" : ": \(text.beginning(ofBytes: 1_000))"
    }

    /// Returns all names by which the settings can refer to a model in the vendor's list.
    private static func ids(_ element: JSONValue) -> [String] {
        let name = element["name"]?.string
        return [element["id"]?.string, name, name?.split(separator: "/").last.map(String.init)].compactMap(\.self)
    }
}
