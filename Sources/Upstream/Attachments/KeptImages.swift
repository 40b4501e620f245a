package import Engine
package import Shared

/// The stored files that the JSON body of an image edit names by the relay's file ids. The vendor knows the files by
/// its own ids.
package struct KeptImages: Sendable {
    /// The file ids in the request body, in its order. `param` is the field with the id, such as `images[0].file_id`.
    private var ids: [(id: String, param: String)] = []
    /// The vendor's id of each file; nil if the request body already contains the vendor's id.
    private var vendorIDs: [String?] = []
    fileprivate private(set) var files: [StoredFile] = []

    private static let most = 64
    private static let idLimitBytes = 1_024

    /// Finds the file ids in a request body. Returns nil if the body contains no file ids.
    /// - Throws: an error for too many or too long ids, or for a member name with escapes.
    package init?(in body: Body) throws(APIError) {
        for member in RawJSON(body.bytes).members {
            if member.name.equals("mask") { try add(member.value, "mask") }
            guard member.name.equals("images") else { continue }
            for (index, image) in member.value.elements.enumerated() { try add(image, "images[\(index)]") }
        }
        if ids.isEmpty { return nil }
    }

    private mutating func add(_ image: RawJSON, _ path: String) throws(APIError) {
        for member in image.members {
            // Another JSON parser could find other ids if a member name contained escapes.
            guard !member.name.contains(UInt8(ascii: "\\")) else {
                throw .value(path, "a member name must not contain escapes")
            }
            guard member.name.equals("file_id"), let id = member.value.content else { continue }
            let param = "\(path).file_id"
            guard ids.count < Self.most else { throw .value(param, "at most \(Self.most) files are supported") }
            guard id.count <= Self.idLimitBytes else { throw .value(param, Self.unknown) }
            ids.append((id.text, param))
        }
    }

    private static let unknown = "no file with this id exists"

    /// Finds the caller's stored files with the ids of the request body. Throws if a file does not exist.
    package mutating func find(by access: MediaAccess) async throws(APIError) {
        for (id, param) in ids {
            if let file = try await access.file(id) {
                files.append(file)
                vendorIDs.append(file.vendorID)
            } else {
                // A caller with a passthrough key may name files that it uploaded to the vendor directly.
                guard access.caller.kind == .passThrough else { throw .value(param, Self.unknown) }
                vendorIDs.append(nil)
            }
        }
    }

    /// Returns the error for the client if none of the candidates can use all files that the request names.
    package func refusal(by candidates: Candidates) -> APIError {
        let haveOtherKeys = candidates.list.all.contains { one in files.allSatisfy { one.reading($0) != nil } }
        return haveOtherKeys ? .ofOtherKey(ids[0].param) : .ofAbsentFile(ids[0].param)
    }

    /// Returns the request body with the vendor's file ids in place of the relay's file ids.
    package func written(into body: Body) -> Body {
        var out = ByteBuffer()
        _ = out.reserve(body.bytes.count)
        var next = 0
        RawJSON(body.bytes).append(to: &out) { member, out in
            if member.name.equals("mask") {
                out.append(#""mask":"#)
                append(member.value, to: &out, &next)
            } else if member.name.equals("images"), member.value.isArray {
                out.append(#""images":"#)
                member.value.append(to: &out) { append($0, to: &$1, &next) }
            } else {
                return false
            }
            return true
        }
        return Body(out)
    }

    private func append(_ image: RawJSON, to out: inout ByteBuffer, _ next: inout Int) {
        guard image.isObject else { return out.append(image.bytes) }
        image.append(to: &out) { member, out in
            guard member.name.equals("file_id"), member.value.content != nil, next < vendorIDs.count else {
                return false
            }
            next += 1
            guard let name = vendorIDs[next - 1] else { return false }
            out.append(#""file_id":"#, json: name)
            return true
        }
    }
}

extension Candidates {
    /// Returns the candidates that can serve a request with these image files; nil if there is none.
    ///
    /// A candidate that forwards requests must have access to all the files.
    package func having(_ images: KeptImages) -> Candidates? {
        replaced { candidate in
            guard candidate.forwarder(.imageEdits) != nil else { return candidate }
            var reader: Candidate? = candidate
            for file in images.files { reader = reader?.reading(file) }
            return reader
        }
    }
}
