import Engine
import Shared

extension ForwardedEndpoint {
    /// Checks that a complete JSON response has the content that this endpoint returns, such as embeddings. Returns the
    /// number of embeddings or images; 0 for other content.
    /// - Parameters:
    ///   - vectors: the number of embeddings that the response must have; nil if it is not known.
    ///   - errorTable: recognises errors that the vendor reports in its own way.
    /// - Throws: the error that the response contains, or an error if the response lacks this content.
    func check(
        _ response: Body,
        of vectors: Int?,
        _ parser: JSONParser,
        _ errorTable: @escaping VendorErrorTable
    ) throws(UpstreamError) -> Int {
        let root = try parser.response(response.bytes)
        let isFailure =
            root.containsError || root["success"]?.flag == false || root["type"]?.text?.equals("error") ?? false
        if !isFailure, isAnswered(by: root) {
            let count = root["data"].elementCount
            guard let vectors, count != vectors else { return count }
            // A client would take vectors for those of other texts.
            throw .invalidResponse("the vendor returned \(count) of \(vectors) embeddings")
        }
        throw ErrorResponseReader(parser, errorTable, namesFields: true)
            .error(ofUnanswered: root, UpstreamError.otherForm)
    }

    private func isAnswered(by root: JSONValue) -> Bool {
        switch self {
        case .embeddings: root["data"].hasElements
        case .imageGenerations, .imageEdits, .imageVariations:
            root["data"].hasElements && root["data"]?.elements?.allSatisfy(\.isImage) ?? false
        case .moderations, .rerank: root["results"].hasElements
        // The text may be empty, as the audio may contain no speech.
        case .transcriptions, .translations: root["text"]?.text != nil
        case .speech: false
        }
    }
}

extension JSONValue? {
    fileprivate var hasElements: Bool { self?.elements?.contains { _ in true } ?? false }
    fileprivate var elementCount: Int { self?.elements?.reduce(0) { count, _ in count + 1 } ?? 0 }
}

extension JSONValue {
    fileprivate var isImage: Bool {
        ["b64_json", "url"].contains { (name: StaticString) in self[name]?.text?.isEmpty == false }
    }
}

extension UpstreamError {
    fileprivate static let otherForm = "the vendor's response does not have the requested format"
    static var ofOtherForm: UpstreamError { .invalidResponse(otherForm) }
    /// The error for a response that ended within its JSON. The vendor may bill the response as one that broke off.
    static var ofOpenJSON: UpstreamError {
        var error = UpstreamError.invalidResponse("the JSON of the vendor's response has no end")
        (error.isCut, error.isInvalid) = (true, true)
        return error
    }
}
