import Support
import Testing

@testable import Engine

@Suite struct MultipartReaderTests {
    @Test("a form as clients send it, wherever it is cut")
    func reads() {
        let text =
            "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n"
            + "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n"
            + "Content-Type: text/plain; charset=utf-8\r\n\r\nline\r\n--\r\n--bb\r\n--b-\r\n-- b\r\n\r\n--b--\r\n"
        let purpose = MultipartPart(name: "purpose", filename: nil, contentType: nil)
        let file = MultipartPart(name: "file", filename: "a.txt", contentType: "text/plain; charset=utf-8")
        for pieces in cuttings(of: Array(text.utf8)) {
            let form = read(pieces)
            #expect(form.parts == [purpose, file])
            #expect(form.texts == ["assistants", "line\r\n--\r\n--bb\r\n--b-\r\n-- b\r\n"], "\(pieces)")
            #expect(form.isWhole && form.failure == nil)
        }
    }

    @Test(
        "frames",
        arguments: [
            ("--b--", []), ("--b--\r\n", []), ("\r\n--b--", []), ("pre\r\nface\r\n--b--\r\nepilogue", []),
            ("--b \t\r\n\(field)\r\n\r\nx\r\n--b--  \r\n", ["x"]), ("--b\r\n\(field)\r\n\r\n\r\n--b--", [""]),
            ("--b\r\n\(field)\r\n\r\n--b--", [""]),
            ("--b\r\n\(field)\r\n\r\n--b\r\n\(field)\r\n\r\n\r\n--b--", ["", ""]),
            ("--b\r\n\(field)\r\n\r\nx\n--b--\r\r\n--b--", ["x\n--b--\r"]), ("x--b--\r\n--b--", []),
            ("--b\r\n\(field)\r\nX-Other: y\r\n\r\n\r\n\r\n--b--", ["\r\n"]),
            (
                "--b\r\n\(field)\r\n\r\n\r\n--b\(String(repeating: " ", count: 65))\r\n--b--",
                [
                    "\r\n--b\(String(repeating: " ", count: 65))"
                ]
            ),
        ] as [(String, [String])]
    )
    func frames(_ text: String, _ data: [String]) {
        for pieces in cuttings(of: Array(text.utf8)) {
            let form = read(pieces)
            #expect(form.texts == data, "\(pieces)")
            #expect(form.isWhole && form.failure == nil && form.ended == data.count)
        }
    }

    @Test(
        "a body that is cut is never whole",
        arguments: [
            "", "--b", "--b-", "--b\r\n", "--b\r\n\(field)\r\n\r\nx", "--b\r\n\(field)\r\n\r\nx\r\n--b\r\n", "--c--",
        ]
    )
    func cut(_ text: String) {
        for pieces in cuttings(of: Array(text.utf8)) { #expect(!read(pieces).isWhole, "\(pieces)") }
        #expect(read([Array(text.utf8)]).endFailure?.status == 400)
    }

    @Test(
        "malformed header lines are refused",
        arguments: [
            "", "Content-Type: a/b", "Content-Disposition: form-data", "Content-Disposition: form-data; name=\"\"",
            "Content-Disposition: attachment; name=\"a\"", "Content-Disposition: form-data; name=\"a",
            "Content-Disposition: form-data; name=\"a\"; name=\"b\"", "Content-Disposition: form-data; name=\"a\" b",
            "\(field)\r\n\(field)", "\(field)\r\n folded", "\(field)\r\nno colon", "\(field)\r\nA: \u{0}",
            "\(field)\r\n: a", "\(field)\r\nA : b", "\(field)\nA: b", "\(field)\r\nContent-Transfer-Encoding: base64",
            "\(field); filename*=UTF-8''%0a", "\(field); filename*=UTF-8''%4", "\(field); filename*=UTF-8",
            "\(field); filename*=latin-2''a", "\(field); filename=a; filename=b", "\(field); =b", "\(field); a",
        ]
    )
    func refuses(_ header: String) {
        let text = "--b\r\n\(header)\r\n\r\nx\r\n--b--\r\n"
        for pieces in cuttings(of: Array(text.utf8)) {
            let form = read(pieces)
            #expect(form.failure?.status == 400 && form.parts.isEmpty && !form.isWhole, "\(pieces)")
        }
    }

    @Test(
        "file names as clients send them",
        arguments: [
            ("filename=\"a.txt\"", "a.txt"), ("filename=a.txt", "a.txt"), ("filename=\"\"", ""),
            ("FileName=\"a b;c=d.txt\"", "a b;c=d.txt"), ("filename=\"a\\\"b\\\\c.txt\"", "c.txt"),
            ("filename=\"a\\\"b.txt\"", "a\"b.txt"), ("filename=\"a%22b%0D%20.txt\"", "a\"b%0D%20.txt"),
            ("filename=\"C:\\music\\new.mp3\"", "new.mp3"), ("filename=\"/etc/passwd\"", "passwd"),
            ("filename=\"../..\"", ""), ("filename=\"a/\"", ""), ("filename=\"..\\..\\x\"", "x"),
            ("filename=\"na\u{ef}ve \u{20ac}.txt\"", "na\u{ef}ve \u{20ac}.txt"),
            ("filename=\"x.txt\"; filename*=UTF-8''%e2%82%ac%20rates.txt", "\u{20ac} rates.txt"),
            ("filename*=utf-8'en'%2e%2e%2fsecret; filename=\"x\"", "secret"), ("filename = \"a\" ;", "a"),
        ]
    )
    func names(_ parameters: String, _ expected: String) {
        let form = read([Array("--b\r\n\(field); \(parameters)\r\n\r\n\r\n--b--".utf8)])
        #expect(form.parts == [MultipartPart(name: "n", filename: expected, contentType: nil)])
    }

    @Test("parts, header lines, and what stands outside are bounded")
    func bounds() {
        let part = "--b\r\n\(field)\r\n\r\nx\r\n"
        let most = MultipartReader.partLimit
        #expect(read([Array((String(repeating: part, count: most) + "--b--").utf8)]).ended == most)
        let many = read([Array((String(repeating: part, count: 1_000) + "--b--").utf8)])
        #expect(many.failure?.reason.contains("256 parts") == true && many.ended == most)
        let limit = MultipartReader.headerLimitBytes
        let long = "A: " + String(repeating: "x", count: limit - field.utf8.count - 9)
        #expect(read([Array("--b\r\n\(field)\r\n\(long)\r\n\r\nx\r\n--b--".utf8)]).isWhole)
        for text in ["--b\r\n\(field)\r\n\(long)x\r\n\r\nx\r\n--b--", "--b\r\nA: \(long)\(long)"] {
            #expect(read([Array(text.utf8)]).failure?.reason.contains("too long") == true)
            #expect(read(Array(text.utf8).map { [$0] }).failure?.reason.contains("too long") == true)
        }
        let outside = String(repeating: "x", count: MultipartReader.ignoredLimitBytes)
        for (text, isGood) in [
            ("\(outside)\r\n--b--", true), ("x\(outside)\r\n--b--", false), ("--b--\(outside)", true),
            ("--b--x\(outside)", false),
        ] {
            #expect((read([Array(text.utf8)]).failure == nil) == isGood)
            #expect((read(Array(text.utf8).map { [$0] }).failure == nil) == isGood)
        }
    }

    @Test("what waits is a boundary's beginning at most")
    func keepsLittle() throws {
        var reader = try boundaryReader("multipart/form-data; boundary=\(String(repeating: "b", count: 70))")
        var random = Seeded(3)
        var piece = ByteBuffer("--\(String(repeating: "b", count: 70))\r\n\(field)\r\n\r\n")
        for _ in 0..<2_000 {
            reader.append(&piece)
            while try reader.next() != nil {}
            #expect(reader.waitingBytes < 72 + 4 + MultipartReader.paddingLimitBytes)
            for _ in 0..<random.below(200) { piece.append(random.pick(Array("\r\n--bbbb ".utf8))) }
            if random.below(4) == 0 { piece.append("\r\n--\(String(repeating: "b", count: random.below(70)))") }
        }
    }

    @Test("random forms come out as they went in, however they are cut")
    func roundTrip() {
        var random = Seeded(1)
        for _ in 0..<300 {
            var text: [UInt8] = []
            var expected: [[UInt8]] = []
            for _ in 0..<random.below(5) {
                var data = (0..<random.below(400)).map { _ in random.pick(Array("b\r\n- x".utf8)) }
                while data.holds("\r\n--b") || data.starts(with: Array("--b".utf8)) { data.removeLast() }
                text += Array("--b\r\n\(field); filename=f\r\n\r\n".utf8) + data + [13, 10]
                expected.append(data)
            }
            text += Array("--b--\r\n".utf8)
            let form = read(pieces(of: text, most: 1 + random.below(100), &random))
            #expect(form.data == expected && form.isWhole && form.failure == nil)
        }
    }

    @Test(
        "the boundary is the Content-Type's",
        arguments: [
            ("multipart/form-data; boundary=b", "b"), ("Multipart/Form-Data;BOUNDARY=\"b\"", "b"),
            ("multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundaryAbC", "----WebKitFormBoundaryAbC"),
            ("multipart/form-data; boundary=\"a b'()+_,-./:=?c\"", "a b'()+_,-./:=?c"),
            // A gateway may have removed spaces at the end.
            ("multipart/form-data; boundary=\"a  \"", "a"), ("multipart/form-data; boundary=\"a  \"", "a  "),
            ("multipart/form-data; boundary=\(String(repeating: "b", count: 70))", String(repeating: "b", count: 70)),
        ]
    )
    func boundaries(_ contentType: String, _ boundary: String) throws {
        var reader = try boundaryReader(contentType)
        var bytes = ByteBuffer("--\(boundary)--")
        reader.append(&bytes)
        #expect(try reader.next() != nil)
        try reader.checkEnd()
    }

    @Test("spaces at the end of a declared boundary may be missing", arguments: ["--b", "--b  "])
    func spaces(_ line: String) {
        let text = "\(line)\r\n\(field)\r\n\r\nx\r\n--b -\r\n\(line)\r\n\(field)\r\n\r\ny\r\n\(line)--\r\n"
        for pieces in cuttings(of: Array(text.utf8)) {
            let form = read(pieces, boundary: "\"b  \"")
            #expect(form.texts == ["x\r\n--b -", "y"] && form.isWhole && form.failure == nil, "\(pieces)")
        }
    }

    @Test(
        "a Content-Type without a valid boundary is refused",
        arguments: [
            "", "application/json", "multipart/form-data", "multipart/form-data; boundary=",
            "multipart/mixed; boundary=b",
            "multipart/form-data; boundary=\"\"", "multipart/form-data; boundary=\" \"",
            "multipart/form-data; boundary=a;boundary=b",
            "multipart/form-data; boundary=\"a", "multipart/form-data; boundary=a@b",
            "multipart/form-data; boundary=\u{e4}",
            "multipart/form-data; boundary=\(String(repeating: "b", count: 71))", "multipart/form-data; boundary",
        ]
    )
    func noBoundary(_ contentType: String) {
        #expect(throws: RequestError.self) { _ = try boundaryReader(contentType) }
        #expect(throws: RequestError.self) { _ = try MultipartReader(contentType: nil) }
    }

    @Test("a written form is read back, and as long as it was said to be")
    func writes() throws {
        for (name, filename) in [
            ("file", "a.mp3"), ("f\"i\r\nX: y", "\"\r\n\r\n--x\\"), ("\u{20ac}", "na\u{ef}ve.txt"), ("a", ""),
        ] {
            let form = MultipartFile(
                name: name,
                filename: filename,
                contentType: "audio/mpeg",
                fields: [("purpose", "x\r\ny"), ("empty", "")]
            )
            var reader = try boundaryReader(form.contentType)
            var body = ByteBuffer()
            body.append(form.head.bytes)
            body.append("data")
            body.append(form.tail.bytes)
            #expect(form.totalBytes(fileBytes: 4) == body.count)
            var read = Form()
            read.consume(&body, &reader)
            #expect(read.texts == ["x\r\ny", "", "data"] && read.ended == 3)
            #expect(read.parts.map { $0.filename != nil } == [false, false, true])
            #expect(read.parts.last?.contentType == "audio/mpeg")
            if name == "file" { #expect(read.parts.last?.filename == filename) }
            try reader.checkEnd()
        }
        let odd = MultipartFile(name: "a", filename: "b", contentType: "a/b\r\nX: y")
        #expect(odd.head.text.contains("Content-Type: application/octet-stream\r\n"))
        let other = MultipartFile(name: "a", filename: "b", contentType: "a/b")
        #expect(odd.contentType != other.contentType)
    }
}

private let field = "Content-Disposition: form-data; name=\"n\""

private struct Form {
    var parts: [MultipartPart] = []
    var data: [[UInt8]] = []
    var ended = 0
    var isWhole = false
    var failure: RequestError?
    var endFailure: RequestError?
    var texts: [String] { data.map { String(decoding: $0, as: UTF8.self) } }

    mutating func consume(_ piece: inout ByteBuffer, _ reader: inout MultipartReader) {
        reader.append(&piece)
        do throws(RequestError) {
            while let event = try reader.next() {
                switch event {
                case .part(let part):
                    parts.append(part)
                    data.append([])
                case .data(let bytes): data[data.count - 1] += Array(bytes)
                case .partEnd: ended += 1
                case .end: isWhole = true
                }
            }
        } catch {
            failure = error
        }
    }
}

private func boundaryReader(_ contentType: String) throws(RequestError) -> MultipartReader {
    let bytes = ByteBuffer(contentType)
    return try MultipartReader(contentType: bytes.bytes)
}

private func read(_ pieces: [[UInt8]], boundary: String = "b") -> Form {
    var form = Form()
    guard var reader = try? boundaryReader("multipart/form-data; boundary=\(boundary)") else { return form }
    for piece in pieces where form.failure == nil {
        var bytes = ByteBuffer()
        piece.withUnsafeBytes { bytes.append($0) }
        form.consume(&bytes, &reader)
    }
    do throws(RequestError) { try reader.checkEnd() } catch { form.endFailure = error }
    if form.endFailure != nil { #expect(!form.isWhole) }
    return form
}

extension [UInt8] {
    fileprivate func holds(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        return indices.contains { self[$0...].starts(with: wanted) }
    }
}
