import Calls
import Engine
import Shared

extension ForwardedEndpoint {
    /// Checks a whole response to a forwarded request.
    ///
    /// - Parameter answer: a complete JSON response.
    /// - Throws: the error that the response contains, or an error if it is not a response of this endpoint.
    func check(_ answer: Body, _ parser: JSONParser, _ faults: VendorErrorTable) throws(UpstreamError) {
        let root = try parser.answer(answer.bytes)
        let isFailure =
            root.containsError || root["success"]?.flag == false || root["type"]?.text?.equals("error") ?? false
        if !isFailure, isAnswered(by: root) { return }
        let fault = Fault(root, status: 0)
        guard !fault.code.isEmpty || !fault.type.isEmpty || !fault.said.isEmpty else { throw .ofOtherForm }
        throw ErrorResponseReader.error(in: root, faults)
    }

    private func isAnswered(by root: JSONValue) -> Bool {
        switch self {
        case .embeddings, .imageGenerations, .imageEdits, .imageVariations: root["data"].hasElements
        case .moderations: root["results"].hasElements
        // The text may be empty, as the audio may contain no speech.
        case .transcriptions, .translations: root["text"]?.text != nil
        case .speech: false
        }
    }
}

extension JSONValue? {
    fileprivate var hasElements: Bool { self?.elements?.contains { _ in true } ?? false }
}

extension UpstreamError {
    static var ofOtherForm: UpstreamError {
        .brokenAnswer("the vendor's response does not have the requested format")
    }
}
