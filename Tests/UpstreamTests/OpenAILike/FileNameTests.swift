import Engine
import Shared
import Support
import Testing

@testable import Upstream

@Suite struct FileNameTests {
    @Test(
        "a file has a name that ends as its type does",
        arguments: [
            ("%PDF-1.4 x", nil, "file.pdf"), ("%PDF-1.4 x", "a.pdf", "a.pdf"), ("%PDF-1.4 x", "A.PDF", "A.PDF"),
            ("%PDF-1.4 x", "Report of Mr. X", "Report of Mr. X.pdf"), ("%PDF-1.4 x", "", ".pdf"),
            ("plain words", "notes", "notes.txt"), ("plain words", "main.py", "main.py"),
            ("plain words", nil, "file.txt"), ("\u{1}\u{2}\u{0}", "data", "data.pdf"),
        ] as [(String, String?, String)]
    )
    func names(content: String, name: String?, wanted: String) async {
        await onLoop { _ in
            let text = ByteBuffer(Base64.standard.text(Array(content.utf8)))
            let data = Base64Text(text.bytes)
            #expect(Attachment(.file, .data(data), name: name, param: "x").fileName(of: data) == wanted)
        }
    }
}
