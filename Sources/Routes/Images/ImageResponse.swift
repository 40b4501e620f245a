import Engine
import Glibc
import Shared
import Upstream

extension ImageOperation {
    /// Returns the response with the images or their URLs.
    func response(
        with files: [GeneratedImage],
        of images: any PreparedImages,
        for call: ImageCall,
        by model: Model
    ) async throws(UpstreamError) -> MediaResponse {
        let created = time(nil)
        if call.wantsData ?? images.returnsDataByDefault || !images.offersURLs {
            let loaded = try await allChoices(files.count) { (index) async throws(UpstreamError) in
                try await images.load(files[index])
            }
            let length = loaded.reduce(64) { $0 + $1.bytes.count / 3 * 4 + 32 }
            var body = ByteBuffer(json: #"{"created":\#(created),"data":["#)
            try await holdMemory(length, &body, exchange: exchange)
            guard
                let list = await exchange.gateway.worker.result(
                    ofBytes: length,
                    on: exchange.gateway.loop,
                    { listed(loaded, length) }
                )
            else {
                throw .tooMuchWork
            }
            body.append(list.bytes)
            body.append("]}")
            return .json(body)
        }
        exchange.gateway.memory(of: caller).remember(files, madeBy: images.call)
        let hasVariations = model.features.contains(.imageVariation)
        let data = files.map { file -> JSONFragment in
            let commands: JSONFragment? = hasVariations ? #"{"variation":\#("/v1 \(file.address)")}"# : nil
            return #"{"url":\#(file.address)\#(member: "variation_commands", commands)}"#
        }
        return .json(ByteBuffer(json: #"{"created":\#(created),"data":\#(data)}"#))
    }
}

private func listed(_ images: [Body], _ length: Int) -> Body {
    var list = ByteBuffer()
    _ = list.reserve(length)
    for (index, image) in images.enumerated() {
        list.append(index == 0 ? #"{"b64_json":""# : #",{"b64_json":""#)
        list.append(base64: image.bytes)
        list.append(#""}"#)
    }
    return Body(list)
}

/// Allocates the response body and reserves the memory for building it.
private func holdMemory(_ bytes: Int, _ body: inout ByteBuffer, exchange: Exchange) async throws(UpstreamError) {
    do throws(RequestError) {
        if bytes > MemoryBudget.smallBytes { try await exchange.request.body.hold(2 * bytes) }
        guard body.canReserve(bytes) else { throw .overloaded }
    } catch {
        throw Task.isCancelled
            ? UpstreamError(.cancelled, cause: "cancelled") : UpstreamError(TransportError(.overloaded))
    }
}
