package import Engine
package import Shared

/// An endpoint whose requests may go on to a vendor as they came.
package enum ForwardedEndpoint: Int, CaseIterable, Sendable {
    case embeddings, moderations
    case imageGenerations, imageEdits, imageVariations
    case speech, transcriptions, translations

    /// Behind the base URL of a vendor that speaks OpenAI's wire.
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

    /// The form of its answers, where they are no event stream.
    package var answers: Answers {
        switch self {
        case .embeddings, .moderations, .imageGenerations, .imageEdits, .imageVariations: .json
        case .speech: .sound
        case .transcriptions, .translations: .jsonOrText
        }
    }

    package enum Answers: Sendable { case json, sound, jsonOrText }
}

/// A vendor that takes requests as they came, and whose answers go on as they come. Used on one loop.
package protocol Forwarder: AnyObject, Sendable {
    /// Returns once the answer has begun and is no failure, so that another candidate may still be asked.
    func forward(
        _ request: ForwardedRequest,
        for model: Model,
        by call: VendorCall
    ) async throws(UpstreamError) -> any ForwardedAnswer
}

package struct ForwardedRequest: Sendable {
    package enum Content: Sendable {
        /// An object whose names are there once.
        case json(Body)
        case form(any FormSource)
    }

    package let endpoint: ForwardedEndpoint
    package let content: Content
    /// The model as the caller named it.
    package let model: String
    /// False: it asks for no event stream.
    package let wantsEvents: Bool

    package init(_ endpoint: ForwardedEndpoint, _ content: Content, model: String, wantsEvents: Bool) {
        self.endpoint = endpoint
        self.content = content
        self.model = model
        self.wantsEvents = wantsEvents
    }

    /// False: a part of a long form is gone, so nobody else can be asked.
    package var isReplayable: Bool {
        if case .form(let form) = content { form.isReplayable } else { true }
    }

    /// False: a part of a form has not gone to the vendor, which can do nothing yet.
    package var isSent: Bool {
        if case .form(let form) = content { form.hasEnded } else { true }
    }

    /// The time in which the caller was waited for, rather than a vendor.
    package var waitedNanoseconds: UInt64 {
        if case .form(let form) = content { form.waitedNanoseconds } else { 0 }
    }

    /// A field that only the relay knows, so that no vendor is sent it.
    package static func isOfRelay(_ name: String) -> Bool {
        switch name {
        case "web_search", "num_of_site", "max_word", "new_input", "file_ids", "file_ids[]": true
        default: false
        }
    }
}

/// A caller's form, with another model. Used on its request's loop.
package protocol FormSource: AnyObject, Sendable {
    /// With the boundary.
    var contentType: String { get }
    /// All of it can still be read from its beginning.
    var isReplayable: Bool { get }
    /// All of it was read since it began.
    var hasEnded: Bool { get }
    /// A text is the answer that it wants, rather than JSON; known once all of it was read.
    var wantsText: Bool { get }
    /// The time in which `next` has waited for the caller up to now, all calls of it together.
    var waitedNanoseconds: UInt64 { get }
    /// From its beginning on, for a vendor that calls the model so.
    func begin(model: String, passing fields: PassedFields)
    /// Adds the next bytes to `piece`; false: that was all. Throws if the caller's form is wrong, or does not come.
    func next(into piece: inout ByteBuffer) async throws(APIError) -> Bool
}

package protocol ForwardedAnswer: MediaStream {
    /// Of a success.
    var status: Int { get }
    var isEventStream: Bool { get }
    /// All of it, where that has come; nil: it comes by `more`.
    var whole: Body? { get }
    /// As told up to now.
    var usage: Usage? { get }
}
