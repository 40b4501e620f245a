import Calls
import Engine
import Shared

extension OneMin {
    /// Of one image.
    private static let imageLimitBytes = 33_554_432

    /// Opens a result where it may be had, without a key; a refusal leads to the next place.
    func open(_ file: ResultFile, _ options: EndpointOptions? = nil) async throws(UpstreamError) -> any UpstreamStream {
        var refused = 0
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
            stream.stop(isComplete: false)
            guard refused == 403 || refused == 404 else { break }
        }
        throw UpstreamError(.failed, cause: "a result could not be read: \(refused)")
    }

    /// The bytes of an image, which must be one.
    func loadImage(_ file: ResultFile) async throws(UpstreamError) -> Body {
        let bytes = try await whole(try await open(file), limitBytes: Self.imageLimitBytes)
        guard MediaType(content: bytes.bytes)?.family == .picture else {
            throw UpstreamError(.failed, cause: "the vendor's result is not an image")
        }
        return bytes
    }

    /// The files that a call's record names.
    func results(
        of call: UpstreamCall,
        _ use: OneMinUse,
        _ vendorCall: VendorCall
    ) async throws(UpstreamError) -> OneMinResults {
        let record = try await record(of: call, use, vendorCall)
        return try OneMinResults(record.bytes, assetURL: assetURL, parser)
    }

    /// Returns the body of the response to a call that was not refused.
    func record(
        of call: UpstreamCall,
        _ use: OneMinUse,
        _ vendorCall: VendorCall
    ) async throws(UpstreamError) -> Body {
        try checkSupport(of: use, vendorCall)
        let reply: UpstreamReply
        do throws(TransportError) {
            reply = try await transport.send(call)
        } catch {
            throw UpstreamError(error)
        }
        guard reply.head.status == 200 || reply.head.status == 201 else {
            let error = UpstreamError(reply.head, reply.body.bytes, parser, of: use.feature.fields)
            learn(error, use, vendorCall)
            throw error
        }
        return reply.body
    }

    /// A call's answer as it comes; a refusal is thrown.
    func opened(
        _ call: UpstreamCall,
        _ use: OneMinUse,
        _ vendorCall: VendorCall
    ) async throws(UpstreamError) -> any UpstreamStream {
        try checkSupport(of: use, vendorCall)
        let stream: any UpstreamStream
        do throws(TransportError) {
            stream = try await transport.open(call)
        } catch {
            throw UpstreamError(error)
        }
        guard stream.head.status == 200 || stream.head.status == 201 else {
            let error = await refusal(stream, use.feature.fields)
            learn(error, use, vendorCall)
            throw error
        }
        return stream
    }

    /// Throws without a call if the vendor has just refused the model with such a key.
    private func checkSupport(of use: OneMinUse, _ vendorCall: VendorCall) throws(UpstreamError) {
        guard unsupported.refuses(use, of: name, vendorCall.credential, at: loop.now) else { return }
        var error = UpstreamError(.unknownModel, cause: "the vendor has just refused this model as not supported")
        error.isOfModel = true
        throw error
    }

    /// Remembers a refusal of the model.
    func learn(_ error: UpstreamError, _ use: OneMinUse, _ vendorCall: VendorCall) {
        guard error.kind == .unknownModel, error.isOfModel else { return }
        unsupported.learn(use, of: name, vendorCall.credential, at: loop.now)
    }

    /// All that comes, up to the limit; ends the stream.
    func whole(_ stream: any UpstreamStream, limitBytes: Int) async throws(UpstreamError) -> Body {
        var isComplete = false
        defer { stream.stop(isComplete: isComplete) }
        do throws(TransportError) {
            let body = try await stream.collect(limitBytes: limitBytes)
            isComplete = true
            return body
        } catch {
            throw UpstreamError(error)
        }
    }

    /// The text of a refusal that came as a stream, as far as it can be read; ends the stream.
    func refusal(_ stream: any UpstreamStream, _ fields: OneMinFields) async -> UpstreamError {
        var body = ByteBuffer()
        var isComplete = false
        defer { stream.stop(isComplete: isComplete) }
        do throws(TransportError) {
            var piece = ByteBuffer()
            while body.count < OneMinStream.eventLimitBytes {
                guard try await stream.more(patienceNanoseconds: .max / 2) == .bytes else { break }
                stream.take(into: &piece)
                body.append(piece.bytes)
                piece.removeAll()
            }
            isComplete = true
        } catch {
            if error.kind == .cancelled { return UpstreamError(error) }
        }
        return UpstreamError(stream.head, body.bytes, parser, of: fields)
    }
}
