import Calls
package import Engine
package import Shared

/// The files that the JSON of an edit names, for a vendor that takes its own names of them.
package struct KeptPictures: Sendable {
    /// In the order in which they are written.
    private var ids: [(id: String, param: String)] = []
    /// The vendor's, as many; nil: the caller's is one already.
    private var vendorIDs: [String?] = []
    fileprivate private(set) var files: [StoredFile] = []

    private static let most = 64
    private static let idLimitBytes = 1_024

    /// Nil: it names none. Throws if not all readers understand alike which it names.
    package init?(in body: Body) throws(APIError) {
        for member in RawJSON(body.bytes).members {
            if member.name.equals("mask") { try add(member.value, "mask") }
            guard member.name.equals("images") else { continue }
            for (index, picture) in member.value.elements.enumerated() { try add(picture, "images[\(index)]") }
        }
        if ids.isEmpty { return nil }
    }

    private mutating func add(_ picture: RawJSON, _ place: String) throws(APIError) {
        for member in picture.members {
            guard !member.name.contains(UInt8(ascii: "\\")) else {
                throw .value(place, "a name in it is written with escapes")
            }
            guard member.name.equals("file_id"), let id = member.value.content else { continue }
            let param = "\(place).file_id"
            guard ids.count < Self.most else { throw .value(param, "at most \(Self.most) files are taken") }
            guard id.count <= Self.idLimitBytes else { throw .value(param, Self.unknown) }
            ids.append((id.text, param))
        }
    }

    private static let unknown = "there is no such file"

    /// Looks for the caller's files of these ids.
    package mutating func find(by access: MediaAccess) async throws(APIError) {
        for (id, param) in ids {
            if let file = try await access.file(id) {
                files.append(file)
                vendorIDs.append(file.vendorID)
            } else {
                // With a key of their own callers may name what they uploaded without the relay.
                guard access.caller.kind == .passThrough else { throw .value(param, Self.unknown) }
                vendorIDs.append(nil)
            }
        }
    }

    /// Nobody who could serve the call has the files.
    package var refusal: APIError {
        .value(ids[0].param, "the model's provider does not have this file", code: "unsupported_value")
    }

    /// The body with the vendor's names.
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

    private func append(_ picture: RawJSON, to out: inout ByteBuffer, _ next: inout Int) {
        guard picture.isObject else { return out.append(picture.bytes) }
        picture.append(to: &out) { member, out in
            guard member.name.equals("file_id"), member.value.content != nil, next < vendorIDs.count else {
                return false
            }
            next += 1
            guard let name = vendorIDs[next - 1] else { return false }
            out.append(#""file_id":"#)
            out.append(json: name)
            return true
        }
    }
}

extension Candidates {
    /// Of those that take requests as they came the ones that have the files, with the key that they were uploaded with;
    /// nil: there is nobody.
    package func having(_ pictures: KeptPictures) -> Candidates? {
        replaced { candidate in
            guard candidate.forwarder != nil else { return candidate }
            var reader: Candidate? = candidate
            for file in pictures.files { reader = reader?.reading(file) }
            return reader
        }
    }
}
