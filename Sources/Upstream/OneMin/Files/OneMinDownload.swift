import Engine
import Shared

extension OneMin {
    /// The largest generated image that is downloaded, in bytes.
    private static let imageLimitBytes = 33_554_432

    /// Opens a generated file from the first of its URLs that works. Tries the next URL only after status 403 or 404.
    func open(
        _ file: GeneratedImage,
        _ options: EndpointOptions? = nil
    ) async throws(UpstreamError) -> any UpstreamStream {
        var refused = 0
        var host: String?
        for source in file.sources {
            guard let endpoint = Endpoint(source, options ?? downloadOptions), endpoint.isPlain(["https", "http"])
            else {
                continue
            }
            let transport = endpoint.hasOrigin(of: assetHost) ? transport : outside
            let call = UpstreamCall(endpoint: endpoint, headers: downloadHeaders, body: nil)
            let stream: any UpstreamStream
            do throws(TransportError) {
                stream = try await transport.open(call)
            } catch {
                throw UpstreamError(error)
            }
            if stream.head.status == 200 { return stream }
            refused = stream.head.status
            host = endpoint.authority
            stream.stop(isComplete: false)
            guard refused == 403 || refused == 404 else { break }
        }
        var error = UpstreamError(
            .failed,
            cause: "a result could not be read\(host.map { " from \($0)" } ?? ""): \(refused)"
        )
        error.namesHost = true
        throw error
    }

    /// Downloads a generated image. Throws if the file is not an image.
    func loadImage(_ file: GeneratedImage) async throws(UpstreamError) -> Body {
        let bytes = try await open(file).whole(limitBytes: Self.imageLimitBytes)
        guard MediaType(content: bytes.bytes)?.family == .image else {
            throw UpstreamError(.failed, cause: "the vendor's result is not an image")
        }
        return bytes
    }

    /// Makes a call and returns the generated files that the response names.
    func results(of body: Body, _ use: OneMinUse, _ attempt: Attempt) async throws(UpstreamError) -> OneMinResults {
        try await complete(body, use, attempt: attempt) { (call) async throws(UpstreamError) in
            let record = try await record(of: call, use, attempt)
            return try OneMinResults(record.bytes, assetURL: assetURL, parser)
        }
    }

    /// Makes a call and returns the response's body. Throws if the status is not 200 or 201.
    func record(of call: UpstreamCall, _ use: OneMinUse, _ attempt: Attempt) async throws(UpstreamError) -> Body {
        try checkSupport(of: use, attempt.credential)
        let response = try await attempt.send(call, on: transport)
        guard response.head.status == 200 || response.head.status == 201 else {
            throw refusal(response.head, response.body, use, attempt.credential)
        }
        return response.body
    }

    /// Makes a call and returns the response as a stream. Throws if the status is not 200 or 201.
    func opened(
        _ call: UpstreamCall,
        _ use: OneMinUse,
        attempt: Attempt
    ) async throws(UpstreamError) -> any UpstreamStream {
        try checkSupport(of: use, attempt.credential)
        let stream = try await attempt.open(call, on: transport)
        guard stream.head.status == 200 || stream.head.status == 201 else {
            let body = try await stream.refusal(limitBytes: WireStream.eventLimitBytes)
            throw refusal(stream.head, body, use, attempt.credential)
        }
        return stream
    }

    private func refusal(
        _ head: UpstreamHead,
        _ body: Body,
        _ use: OneMinUse,
        _ credential: Credential
    ) -> UpstreamError {
        let error = UpstreamError(head, body.bytes, parser: parser, of: use.feature.fields)
        learn(error, use, credential)
        return error
    }

    /// Throws if the vendor recently refused this model for this account.
    func checkSupport(of use: OneMinUse, _ credential: Credential) throws(UpstreamError) {
        guard unsupported.refuses(use, of: name, credential, at: loop.now) else { return }
        var error = UpstreamError(.unknownModel, cause: "the vendor recently rejected this model as not supported")
        error.isOfModel = true
        throw error
    }

    /// Remembers for a minute that the vendor refused the model. Ignores errors with another cause.
    func learn(_ error: UpstreamError, _ use: OneMinUse, _ credential: Credential) {
        guard error.kind == .unknownModel, error.isOfModel else { return }
        unsupported.learn(use, of: name, credential, at: loop.now)
    }
}
