/// The parsed header lines of one part of a multipart body.
struct MultipartFields {
    private var name: String?
    private var filename: String?
    private var contentType: String?
    private var hasDisposition = false

    /// Parses one header line, given without its line end.
    mutating func consume(_ line: UnsafeRawBufferPointer) throws(RequestError) {
        guard let colon = line.first(UInt8(ascii: ":")), colon > 0,
            line.allSatisfy({ $0 >= 32 && $0 != 127 || $0 == 9 }),
            line[part: 0..<colon].allSatisfy({ $0 > 32 && $0 < 127 })
        else { throw Self.malformed }
        let value = line[part: (colon + 1)..<line.count].trimmed
        let field = line[part: 0..<colon]
        if field.equalsLowered("content-disposition") {
            guard !hasDisposition else { throw Self.malformed }
            hasDisposition = true
            try consumeDisposition(value)
        } else if field.equalsLowered("content-type") {
            guard contentType == nil else { throw Self.malformed }
            contentType = value.text
        } else if field.equalsLowered("content-transfer-encoding") {
            guard value.equalsLowered("binary") || value.equalsLowered("8bit") || value.equalsLowered("7bit") else {
                throw MultipartReader.malformed("A part has a transfer encoding. Send its bytes without one.")
            }
        }
    }

    func part() throws(RequestError) -> MultipartPart {
        guard let name, !name.isEmpty else { throw MultipartReader.malformed("A part has no name.") }
        return MultipartPart(name: name, filename: filename, contentType: contentType)
    }

    private mutating func consumeDisposition(_ value: UnsafeRawBufferPointer) throws(RequestError) {
        var parameters = HeaderParameters(value)
        guard parameters.value.equalsLowered("form-data") else { throw Self.malformed }
        var plain: String?
        var extended: String?
        while let parameter = try parameters.next() {
            if parameter.name.equalsLowered("name") {
                guard name == nil else { throw Self.malformed }
                name = parameter.text
            } else if parameter.name.equalsLowered("filename") {
                guard plain == nil else { throw Self.malformed }
                plain = parameter.text
            } else if parameter.name.equalsLowered("filename*") {
                guard extended == nil else { throw Self.malformed }
                extended = try Self.decodeExtended(parameter.text)
            }
        }
        filename = (extended ?? plain).map(Self.withoutPath)
    }

    /// Decodes the value of a `filename*` parameter (RFC 5987), such as `UTF-8''na%C3%AFve.txt`.
    private static func decodeExtended(_ text: String) throws(RequestError) -> String {
        let parts = text.utf8.split(separator: UInt8(ascii: "'"), maxSplits: 2, omittingEmptySubsequences: false)
        let isUTF8 = parts[0].elementsEqual("utf-8".utf8) { $0 | 32 == $1 | 32 }
        guard parts.count == 3, isUTF8 else { throw malformed }
        var bytes: [UInt8] = []
        var rest = parts[2]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else { throw malformed }
            bytes.append(high << 4 | low)
        }
        guard bytes.allSatisfy({ $0 >= 32 && $0 != 127 }) else { throw malformed }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Returns the last component of a file name that may be a whole path.
    private static func withoutPath(_ name: String) -> String {
        let last = name.utf8.split(omittingEmptySubsequences: false) { $0 == 47 || $0 == 92 }.last
        guard let last, !last.elementsEqual([46]), !last.elementsEqual([46, 46]) else { return "" }
        return String(decoding: last.map { $0 == 9 ? 32 : $0 }, as: UTF8.self)
    }

    /// Returns the boundary from a `Content-Type` value. Throws if the type is not `multipart/form-data` or the
    /// boundary is invalid.
    static func boundary(_ contentType: UnsafeRawBufferPointer?) throws(RequestError) -> String {
        let refusal = MultipartReader.malformed("Content-Type must be multipart/form-data with a valid boundary.")
        guard let contentType else { throw refusal }
        var parameters = HeaderParameters(contentType)
        guard parameters.value.equalsLowered("multipart/form-data") else { throw refusal }
        var boundary: String?
        do throws(RequestError) {
            while let parameter = try parameters.next() {
                guard parameter.name.equalsLowered("boundary") else { continue }
                guard boundary == nil else { throw refusal }
                boundary = parameter.text
            }
        } catch {
            throw refusal
        }
        guard let boundary, (1...70).contains(boundary.utf8.count), boundary.utf8.contains(where: { $0 != 32 }),
            boundary.utf8.allSatisfy(isBoundaryByte)
        else { throw refusal }
        return boundary
    }

    private static func isBoundaryByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122, 32, 39...41, 43...47, 58, 61, 63, 95: true
        default: false
        }
    }

    static var malformed: RequestError { MultipartReader.malformed("The header lines of a part are malformed.") }
}

/// A parser for a header value with parameters: `value; name=token; name="quoted"`.
struct HeaderParameters {
    let value: UnsafeRawBufferPointer
    private var rest: UnsafeRawBufferPointer

    struct Parameter {
        let name: UnsafeRawBufferPointer
        let text: String
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        let end = bytes.first(UInt8(ascii: ";")) ?? bytes.count
        value = bytes[part: 0..<end].trimmed
        rest = bytes[part: end..<bytes.count]
    }

    mutating func next() throws(RequestError) -> Parameter? {
        rest = rest.trimmed
        while rest.first == UInt8(ascii: ";") { rest = rest[part: 1..<rest.count].trimmed }
        guard !rest.isEmpty else { return nil }
        guard let equals = rest.first(UInt8(ascii: "=")) else { throw MultipartFields.malformed }
        let name = rest[part: 0..<equals].trimmed
        guard !name.isEmpty, name.allSatisfy(Self.isNameByte) else { throw MultipartFields.malformed }
        rest = rest[part: (equals + 1)..<rest.count].trimmed
        let text = rest.first == 34 ? try consumeQuoted() : consumeToken()
        guard rest.isEmpty || rest[0] == UInt8(ascii: ";") else { throw MultipartFields.malformed }
        return Parameter(name: name, text: text)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool { byte > 32 && byte < 127 && byte != 34 && byte != 59 }

    private mutating func consumeToken() -> String {
        let end = rest.first(UInt8(ascii: ";")) ?? rest.count
        let token = rest[part: 0..<end].trimmed
        rest = rest[part: end..<rest.count]
        return token.text
    }

    private mutating func consumeQuoted() throws(RequestError) -> String {
        // Only escaped quotes and backslashes are replaced. Browsers send Windows paths with single backslashes.
        var bytes: [UInt8] = []
        var offset = 1
        while offset < rest.count {
            let byte = rest[offset]
            if byte == 34 {
                rest = rest[part: (offset + 1)..<rest.count].trimmed
                return String(decoding: bytes, as: UTF8.self)
            }
            let following = offset + 1 < rest.count ? rest[offset + 1] : 0
            if byte == 92, following == 34 || following == 92 {
                bytes.append(following)
                offset += 2
            } else if byte == 37, rest[part: offset..<rest.count].hasPrefix("%22") {
                bytes.append(34)
                offset += 3
            } else {
                bytes.append(byte)
                offset += 1
            }
        }
        throw MultipartFields.malformed
    }
}
