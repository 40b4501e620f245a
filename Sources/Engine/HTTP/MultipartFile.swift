/// A `multipart/form-data` body for the upload of one file: `head`, the file's bytes, then `tail`.
package struct MultipartFile: ~Copyable {
    package let head: ByteBuffer
    package let tail: ByteBuffer
    private let boundary: String
    /// The value of the request's `Content-Type` field, with the boundary.
    package let contentType: String

    /// Creates the body, in which the form's text fields come before the file.
    package init(name: String, filename: String, contentType: String, fields: [(name: String, value: String)] = []) {
        let boundary = Self.boundary()
        var head = ByteBuffer()
        for field in fields { Self.append(field, boundary, to: &head) }
        Self.begin(&head, boundary, name: name)
        Self.append(filename: filename, contentType, to: &head)
        head.append("\r\n")
        self.head = head
        self.boundary = boundary
        tail = ByteBuffer("\r\n--\(boundary)--\r\n")
        self.contentType = "multipart/form-data; boundary=\(boundary)"
    }

    /// Returns the length of the whole body, for a file of `fileBytes` bytes.
    package func totalBytes(fileBytes: Int) -> Int { head.count + fileBytes + tail.count }

    /// Returns the end of a body that has text fields after the file. Send it in place of the property `tail`.
    package func tail(after fields: [(name: String, value: String)]) -> ByteBuffer {
        var out = ByteBuffer("\r\n")
        for field in fields { Self.append(field, boundary, to: &out) }
        out.append("--\(boundary)--\r\n")
        return out
    }

    private static func append(_ field: (name: String, value: String), _ boundary: String, to out: inout ByteBuffer) {
        begin(&out, boundary, name: field.name)
        out.append("\r\n\r\n", field.value, "\r\n")
    }

    /// Appends the file name and the content type to a part's header. Call it after `begin`, and then
    /// append the empty line.
    package static func append(filename: String, _ contentType: String, to head: inout ByteBuffer) {
        head.append("; filename=\"", escaped(filename), "\"\r\nContent-Type: ")
        head.append(contentType.utf8.allSatisfy { $0 >= 32 && $0 < 127 } ? contentType : "application/octet-stream")
        head.append("\r\n")
    }

    package static func boundary() -> String {
        var random = SystemRandomNumberGenerator()
        let digits = [random.next(), random.next()].map { (part: UInt64) -> String in
            let text = String(part, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return "----relay" + digits.joined()
    }

    /// Appends the boundary and a part's header up to the form field's name.
    package static func begin(_ buffer: inout ByteBuffer, _ boundary: String, name: String) {
        buffer.append("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(escaped(name))\"")
    }

    /// Returns the text with quotes, control characters and backslashes escaped.
    private static func escaped(_ text: String) -> String {
        var escaped: [UInt8] = []
        for byte in text.utf8 {
            if byte < 32 || byte == 127 || byte == 34 || byte == 92 {
                let hex = String(byte, radix: 16, uppercase: true)
                escaped += Array("%\(byte < 16 ? "0" : "")\(hex)".utf8)
            } else {
                escaped.append(byte)
            }
        }
        return String(decoding: escaped, as: UTF8.self)
    }
}
