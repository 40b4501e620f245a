package import Engine
package import Shared

/// An endpoint whose requests can be forwarded to a vendor unchanged.
package enum ForwardedEndpoint: Int, CaseIterable, Sendable {
    case embeddings, moderations
    case imageGenerations, imageEdits, imageVariations
    case speech, transcriptions, translations

    /// The path behind the base URL of an OpenAI-compatible vendor.
    package var path: String {
        switch self {
        case .embeddings: "/embeddings"
        case .moderations: "/moderations"
        case .imageGenerations: "/images/generations"
        case .imageEdits: "/images/edits"
        case .imageVariations: "/images/variations"
        case .speech: "/audio/speech"
        case .transcriptions: "/audio/transcriptions"
        case .translations: "/audio/translations"
        }
    }

    /// The content of the endpoint's responses, if they are no event stream.
    package var responseKind: ResponseKind {
        switch self {
        case .embeddings, .moderations, .imageGenerations, .imageEdits, .imageVariations: .json
        case .speech: .audio
        case .transcriptions, .translations: .jsonOrText
        }
    }

    package enum ResponseKind: Sendable { case json, audio, jsonOrText }
}

/// A vendor that accepts forwarded requests and whose responses are forwarded, too. Used on one loop.
package protocol Forwarder: AnyObject, Sendable {
    /// Forwards a request. Returns when a successful response has begun, so that after a failure another candidate can
    /// be called.
    func forward(
        _ request: ForwardedRequest,
        for model: Model,
        by call: VendorCall
    ) async throws(UpstreamError) -> any ForwardedResponse
}

/// A request that is forwarded to a vendor unchanged.
package struct ForwardedRequest: Sendable {
    package enum Content: Sendable {
        /// A JSON object without duplicate names.
        case json(Body)
        case form(any FormSource)
    }

    package let endpoint: ForwardedEndpoint
    package let content: Content
    /// The model name that the caller used.
    package let model: String
    /// Whether the request asks for an event stream.
    package let wantsEvents: Bool

    package init(_ endpoint: ForwardedEndpoint, _ content: Content, model: String, wantsEvents: Bool) {
        self.endpoint = endpoint
        self.content = content
        self.model = model
        self.wantsEvents = wantsEvents
    }

    /// Whether the request can be sent to another candidate. False if a part of a long form has been consumed.
    package var isReplayable: Bool {
        if case .form(let form) = content { form.isReplayable } else { true }
    }

    /// Whether the whole request has been sent. Before that, the vendor cannot have begun its work.
    package var isSent: Bool {
        if case .form(let form) = content { form.hasEnded } else { true }
    }

    /// The time spent waiting for the caller rather than for a vendor.
    package var waitedNanoseconds: UInt64 {
        if case .form(let form) = content { form.waitedNanoseconds } else { 0 }
    }

    /// Returns whether a field is used by the relay only and must not be sent to vendors.
    package static func isOfRelay(_ name: String) -> Bool {
        switch name {
        case "web_search", "num_of_site", "max_word", "new_input", "file_ids", "file_ids[]": true
        default: false
        }
    }
}

/// A caller's form, in which the model is replaced. Used on its request's loop.
package protocol FormSource: AnyObject, Sendable {
    /// The `Content-Type` with the boundary.
    var contentType: String { get }
    /// Whether the whole form can still be read from its beginning.
    var isReplayable: Bool { get }
    /// Whether the whole form has been read since the last `begin`.
    var hasEnded: Bool { get }
    /// Whether the client wants a text response rather than JSON. It is known once the whole form has been read.
    var wantsText: Bool { get }
    /// The total time that `next` has waited for the caller so far.
    var waitedNanoseconds: UInt64 { get }
    /// Starts to read the form from its beginning, with the vendor's name of the model.
    func begin(model: String, passing fields: ForwardedFieldCheck)
    /// Appends the next bytes to `piece`. Returns false at the end. Throws if the caller's form is invalid or does not
    /// arrive.
    func next(into piece: inout ByteBuffer) async throws(APIError) -> Bool
}

/// A vendor's response that is forwarded to the client.
package protocol ForwardedResponse: MediaStream {
    /// The HTTP status, always one of success.
    var status: Int { get }
    var isEventStream: Bool { get }
    /// The complete body if it has arrived at once; nil if it comes by `more`.
    var whole: Body? { get }
    /// The usage that the vendor has reported so far.
    var usage: Usage? { get }
}
