import Engine
package import Shared

extension OpenAILike: Forwarder {
    package func forward(
        _ request: ForwardedRequest,
        for model: Model,
        by attempt: Attempt
    ) async throws(UpstreamError) -> any ForwardedResponse {
        guard let endpoint = endpoint(request.endpoint) else {
            throw UpstreamError(.failed, cause: "the provider has no such URL")
        }
        return try await attempt.retrying { () async throws(UpstreamError) in
            do throws(UpstreamError) {
                return try await forwardOnce(request, to: endpoint, model, attempt: attempt)
            } catch {
                var error = error
                if !request.isReplayable { error.recovery.remove(.retrySame) }
                throw error
            }
        }
    }

    private func forwardOnce(
        _ request: ForwardedRequest,
        to endpoint: Endpoint,
        _ model: Model,
        attempt: Attempt
    ) async throws(UpstreamError) -> any ForwardedResponse {
        let stream: any UpstreamStream
        switch request.content {
        case .json(let body):
            let call = try call(body, to: endpoint, model, attempt: attempt)
            if request.endpoint == .embeddings {
                do throws(UpstreamError) {
                    stream = try await openEmbeddings(call, model, by: attempt)
                } catch {
                    throw located(error, of: request.endpoint)
                }
            } else {
                stream = try await attempt.open(call, on: wire.transport)
            }
        case .form(let form): stream = try await sent(form, to: endpoint, model, attempt: attempt)
        }
        guard stream.head.status / 100 == 2 else {
            throw located(try await refusal(stream, to: request.refused), of: request.endpoint)
        }
        let response = ForwardedVendorResponse(stream, request, tools: wire.tools, errorTable)
        attempt.models = response
        do throws(UpstreamError) {
            try await response.begin()
            return response
        } catch {
            response.stop()
            var error = wire.headers.hiding(error.reread(beside: request.refused))
            error.isCut = error.mayBeBilled
            throw error.after(response.usage)
        }
    }

    private func call(
        _ body: Body,
        to endpoint: Endpoint,
        _ model: Model,
        attempt: Attempt
    ) throws(UpstreamError) -> UpstreamCall {
        do throws(APIError) {
            let check = RequestCheck(for: attempt, allowing: site.allowedFields)
            let request = NativeRequest(body)
            try request.refuseLocalImages(by: check)
            let written = try request.permitted(by: check).written(model: model.id)
            return UpstreamCall(endpoint: endpoint, headers: wire.headers.headers(for: attempt.key), body: written)
        } catch {
            throw UpstreamError(refusing: error)
        }
    }

    /// Sends a multipart form as fast as the vendor's server receives it, and returns the response.
    private func sent(
        _ form: any FormSource,
        to endpoint: Endpoint,
        _ model: Model,
        attempt: Attempt
    ) async throws(UpstreamError) -> any UpstreamStream {
        form.begin(model: model.id, permittedBy: RequestCheck(for: attempt, allowing: site.allowedFields))
        let headers = wire.headers.headers(for: attempt.key, replacing: ["Content-Type: \(form.contentType)"])
        let upload = try await attempt.upload(to: endpoint, headers, totalBytes: nil, on: wire.transport)
        do throws(UpstreamError) {
            try await write(form, to: upload)
            // A key that the vendor refuses says nothing about the form, which is then sent with the next key.
            if ![401, 402, 403, 429].contains(upload.head.status) { try await readRest(of: form) }
            return upload
        } catch {
            upload.stop(isComplete: false)
            if error.kind == .failed || error.kind == .timedOut { try await readRest(of: form) }
            throw error
        }
    }

    private func readRest(of form: any FormSource) async throws(UpstreamError) {
        do throws(APIError) {
            try await form.readRest()
        } catch {
            throw UpstreamError(refusing: error)
        }
    }

    private func write(_ form: any FormSource, to upload: any UpstreamUpload) async throws(UpstreamError) {
        var piece = ByteBuffer()
        var isWanted = true
        while isWanted {
            do throws(APIError) {
                guard try await form.next(into: &piece) else { break }
            } catch {
                throw UpstreamError(refusing: error)
            }
            isWanted = try await upload.send(piece.bytes)
            piece.removeAll()
        }
        do throws(TransportError) {
            try await upload.endBody()
        } catch {
            throw UpstreamError(error)
        }
        guard isWanted || upload.head.status / 100 != 2 else {
            throw UpstreamError(.failed, cause: "the vendor accepted an incomplete form")
        }
    }

    static let refusalLimitBytes = 1_048_576

    /// Returns the error with the field of this endpoint in place of `messages`, which only chats have.
    private func located(_ error: UpstreamError, of endpoint: ForwardedEndpoint) -> UpstreamError {
        var error = error
        if error.param == "messages" { error.param = endpoint == .embeddings ? "input" : nil }
        return error
    }

    /// Reads the body of an error response and returns the error. Stops the stream.
    func refusal(_ stream: any UpstreamStream, to request: RefusedRequest?) async throws(UpstreamError) -> UpstreamError
    {
        refusal(stream.head, try await stream.refusal(limitBytes: Self.refusalLimitBytes), to: request)
    }

    func refusal(_ head: UpstreamHead, _ body: Body, to request: RefusedRequest?) -> UpstreamError {
        let reader = ErrorResponseReader(wire.tools.parser, errorTable, namesFields: true)
        return wire.headers.hiding(reader.error(head, body.bytes, to: request))
    }
}
