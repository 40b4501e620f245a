import Engine
package import Shared

/// A downloader for the images and documents of a call, for vendors that accept them only inside the request.
package struct MediaFetch: Sendable {
    private let access: MediaAccess

    private static let atOnce = 5
    /// The largest total size of a call's downloads, in bytes of base64.
    private static let limitBytes = 64 * 1_048_576

    /// Creates a downloader. Throws if the relay does not download media but the call contains their URLs.
    package init(_ call: borrowing ChatCall, _ access: MediaAccess) throws(APIError) {
        self.access = access
        guard access.fetcher == nil, let part = call.attachments.first(where: \.isAddress) else { return }
        throw part.refusalAsNotFetched
    }

    /// Downloads the images and documents. Returns the attachments with the downloaded content instead of URLs.
    package func fetched(_ parts: [Attachment]) async throws(UpstreamError) -> [Attachment] {
        let remoteIndices = parts.indices.filter { parts[$0].isAddress }
        do throws(APIError) {
            let most = Attachment.mostLoadedImages
            guard remoteIndices.count(where: { parts[$0].kind == .image }) <= most else {
                throw .value(
                    "messages",
                    "the relay downloads at most \(most) images per request; send the data of the others",
                    code: "too_many_parts"
                )
            }
            let contents = try await allChoices(remoteIndices.count, atOnce: Self.atOnce) {
                (index) async throws(APIError) in try await content(of: parts[remoteIndices[index]])
            }
            var fetched = parts
            var bytes = 0
            for (index, content) in zip(remoteIndices, contents) {
                bytes += content.base64.bytes.count
                fetched[index].source = .data(content)
            }
            guard bytes <= Self.limitBytes else {
                throw .value("messages", "the total size of the images and documents is too large")
            }
            return fetched
        } catch {
            throw UpstreamError(refusing: error)
        }
    }

    private func content(of part: Attachment) async throws(APIError) -> Base64Text {
        guard case .address(let address) = part.source else { preconditionFailure("a part that is not fetched") }
        let bytes =
            part.kind == .image
            ? try await Image.fetch(address, by: access.fetcher, param: part.param).bytes
            : try await access.content(at: address, of: part)
        let text = await access.worker.result(ofBytes: bytes.bytes.count, on: access.loop) {
            var text = ByteBuffer()
            text.append(base64: bytes.bytes)
            return Base64Text(text.bytes)
        }
        guard let text else { throw .tooMuchWork }
        return text
    }
}

extension Attachment {
    package var isAddress: Bool { if case .address = source { true } else { false } }
}
