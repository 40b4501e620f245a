package import Engine
package import Shared

/// An endpoint whose requests can be forwarded to a vendor unchanged. The raw value is its path, which follows the base
/// URL of an OpenAI-compatible vendor.
package enum ForwardedEndpoint: String, Sendable {
    case embeddings = "/embeddings"
    case moderations = "/moderations"
    case rerank = "/rerank"
    case imageGenerations = "/images/generations"
    case imageEdits = "/images/edits"
    case imageVariations = "/images/variations"
    case speech = "/audio/speech"
    case transcriptions = "/audio/transcriptions"
    case translations = "/audio/translations"

    package var path: String { rawValue }

    var isOfImages: Bool { [.imageGenerations, .imageEdits, .imageVariations].contains(self) }

    /// The kind of content in the endpoint's responses, if they are not event streams.
    var responseKind: ResponseKind {
        switch self {
        case .embeddings, .moderations, .rerank, .imageGenerations, .imageEdits, .imageVariations: .json
        case .speech: .audio
        case .transcriptions, .translations: .jsonOrText
        }
    }

    package enum ResponseKind: Sendable { case json, audio, jsonOrText }
}

/// A vendor to which the relay forwards requests unchanged. Used on one event loop only.
package protocol Forwarder: AnyObject, Sendable {
    /// Returns whether the vendor may have this endpoint.
    func forwards(_ endpoint: ForwardedEndpoint) -> Bool
    /// Forwards a request. Returns when a successful response has begun. After an error, another candidate can be
    /// tried.
    func forward(
        _ request: ForwardedRequest,
        for model: Model,
        by call: Attempt
    ) async throws(UpstreamError) -> any ForwardedResponse
}

extension Forwarder {
    package func forwards(_ endpoint: ForwardedEndpoint) -> Bool { true }
}

/// A request that is forwarded to a vendor unchanged.
package struct ForwardedRequest: Sendable {
    package enum Content: Sendable {
        /// The body is a JSON object without duplicate names.
        case json(Body)
        case form(any FormSource)
    }

    package let endpoint: ForwardedEndpoint
    package let content: Content
    /// The model name that the caller used.
    package let model: String
    /// The number of vectors that a request for embeddings asks for; nil if it is not known.
    package var vectors: Int?
    private let wantsJSONEvents: Bool

    /// - Parameter wantsEvents: whether a client that sent JSON might expect an event stream as the response.
    package init(_ endpoint: ForwardedEndpoint, _ content: Content, model: String, wantsEvents: Bool) {
        self.endpoint = endpoint
        self.content = content
        self.model = model
        wantsJSONEvents = wantsEvents
    }

    /// Whether the client might expect an event stream as the response. For a form, the value is final after the whole
    /// form is read.
    var wantsEvents: Bool { if case .form(let form) = content { form.wantsEvents } else { wantsJSONEvents } }

    /// Returns the text of a field as JSON; nil if the field is absent, no text or long. For a form, the value is final
    /// after the whole form is read.
    func short(_ name: StaticString) -> JSONFragment? {
        switch content {
        case .json(let body):
            guard let value = RawJSON(body.bytes)[name], value.content?.count ?? .max <= Self.shortBytes else {
                return nil
            }
            return "\(raw: value.bytes)"
        case .form(let form):
            guard let text = form.value(name.description), text.utf8.count <= Self.shortBytes else { return nil }
            return "\(text)"
        }
    }

    private static let shortBytes = 64

    /// Whether the request can be sent once more, for example to another candidate.
    package var isReplayable: Bool {
        if case .form(let form) = content { form.isReplayable } else { true }
    }

    /// The request as far as its caller chose its content; nil for a form with long texts.
    var refused: RefusedRequest? {
        switch content {
        case .json(let body): RefusedRequest(body, beside: [model])
        case .form(let form): form.texts.map { RefusedRequest(nil, beside: $0 + [model]) }
        }
    }

    /// Whether nothing of the request is left to send, because its whole form has been read; always true for JSON.
    package var isSent: Bool {
        if case .form(let form) = content { form.hasEnded } else { true }
    }

    /// The time spent waiting for the client to send its form, in nanoseconds; 0 for JSON.
    package var waitedNanoseconds: UInt64 {
        if case .form(let form) = content { form.waitedNanoseconds } else { 0 }
    }

    /// Returns whether the field of this name is for the relay only, not for vendors.
    package static func isOfRelay(_ name: String) -> Bool {
        switch name {
        case "web_search", "num_of_site", "max_word", "new_input", "file_ids", "file_ids[]": true
        default: false
        }
    }
}

/// A check of what a form names beside its own model.
package protocol FormFieldCheck: Sendable {
    /// Returns whether a field of this name, such as `svg[model]`, names a model that must be checked. Throws if the field
    /// is forbidden.
    func namesModel(formField name: String) throws(APIError) -> Bool
    /// Returns the vendor's id of the model that a field names. Throws if the caller may not use the model.
    func permitted(model name: String, inFormField field: String) throws(APIError) -> String
}

/// A caller's multipart form with the model name replaced.
package protocol FormSource: OnLoop {
    /// The `Content-Type` of the form, including its boundary.
    var contentType: String { get }
    /// Whether the whole form can still be read from its beginning.
    var isReplayable: Bool { get }
    /// Whether the whole form has been read since the last `begin`.
    var hasEnded: Bool { get }
    /// Whether the rest of the form can still show that the form is too large. A declared length can exclude it.
    var canBeTooLarge: Bool { get }
    /// Whether the client wants a text response instead of JSON. The value is final after the whole form is read.
    var wantsText: Bool { get }
    /// The names and texts that were read since the last `begin`, without the contents of files; nil if they are long.
    var texts: [String]? { get }
    /// Whether the client might want an event stream. The value is final after the whole form is read.
    var wantsEvents: Bool { get }
    /// Returns the text of a field on which the response depends, such as `size`; nil if it is absent. The text is
    /// final after the whole form is read.
    func value(_ name: String) -> String?
    /// The total time that `next` has waited for bytes from the client so far, in nanoseconds.
    var waitedNanoseconds: UInt64 { get }
    /// Starts to read the form from its beginning.
    /// - Parameters:
    ///   - model: the vendor's name of the model, which replaces the name in the form.
    ///   - check: the check of the form's other fields.
    func begin(model: String, permittedBy check: any FormFieldCheck)
    /// Appends the next bytes of the form to `piece`. Returns false at the end.
    ///
    /// Throws if the form is invalid or the client stops sending.
    func next(into piece: inout ByteBuffer) async throws(APIError) -> Bool
}

extension FormSource {
    /// Reads the rest of a form that could be too large. Throws if it is too large: then whatever the vendor did in the
    /// meantime is no failure of the vendor.
    package func readRest() async throws(APIError) {
        guard canBeTooLarge else { return }
        var piece = ByteBuffer()
        while try await next(into: &piece) { piece.removeAll() }
    }
}

/// A vendor's response that is forwarded to the client.
package protocol ForwardedResponse: MediaStream {
    /// The HTTP status of the response, which always means success.
    var status: Int { get }
    var isEventStream: Bool { get }
    /// The complete body if it has already arrived; nil if the body must be read with `more`.
    var whole: Body? { get }
    /// The usage that the vendor has reported so far.
    var usage: Usage? { get }
    /// The number of images in the response; nil if it is not known.
    var images: Int? { get }
}

extension ForwardedResponse {
    package var images: Int? { nil }
}
