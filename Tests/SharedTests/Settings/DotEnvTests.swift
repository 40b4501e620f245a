import Shared
import Testing

@Suite struct DotEnvTests {
    @Test(
        "values",
        arguments: [
            ("A=b", "b"), ("A=", ""), ("  A = b \t", "b"), ("export A=b", "b"), ("export\tA=b", "b"), ("A=b c", "b c"),
            ("A=b # note", "b"), ("A=b#c", "b#c"), ("A=#b", "#b"), ("A= # note", ""), ("A=b\t#note", "b"),
            ("A='b c'", "b c"), ("A='b # c' # note", "b # c"), ("A='\\n$B\"'", "\\n$B\""), ("A=\"b c\"", "b c"),
            (#"A="b\n\"c\"\\n""#, "b\n\"c\"\\n"), ("A=\"b\nc\"", "b\nc"), ("A=\"b\r\nc\"\r\n", "b\nc"),
            ("A=$HOME${X}`y`", "$HOME${X}`y`"), ("A=b\"c\"'d'", "b\"c\"'d'"), ("\u{FEFF}A=b", "b"), ("A=b\r\n", "b"),
            ("A=b\r", "b"), ("A=ä", "ä"), ("A=b=c", "b=c"), ("A=\"\"", ""), ("A=\"# b\"", "# b"),
            ("A=\"b\" \t# c", "b"),
            ("# x\n\n \n#A=c\nA=b", "b"),
        ]
    )
    func value(text: String, value: String) {
        let source = SettingsSource.document(named: "f", Array(text.utf8))
        #expect(source.problems.isEmpty)
        #expect(source.entries.map(\.name) == ["A"])
        #expect(source.entries.map(\.value) == [value])
    }

    @Test(
        "mistakes, each with its line; the next line is read all the same",
        arguments: [
            ("A", "f:1  this line is not NAME=value"), ("=b", "f:1  this line is not NAME=value"),
            ("1A=b", "f:1  this line is not NAME=value"), ("secret123", "f:1  this line is not NAME=value"),
            ("A B=c", "f:1  this line is not NAME=value"), ("A-B=c", "f:1  this line is not NAME=value"),
            ("A='b", "f:1  A: the closing ' is missing"), ("A='b' c", "f:1  A: there is text after the closing quote"),
            ("A=\"b\"c", "f:1  A: there is text after the closing quote"),
            ("A=\"b\"#c", "f:1  A: there is text after the closing quote"),
            (#"A="b\tc""#, #"f:1  A: \ in double quotes is allowed only before n, " or \; write \\ for a backslash"#),
            ("A=b\0c", "f:1  A: the value is not UTF-8 text; save the file as UTF-8"),
        ]
    )
    func mistake(text: String, problem: String) {
        let source = SettingsSource.document(named: "f", Array((text + "\nZ=1").utf8))
        #expect(source.problems.map(\.description) == [problem])
        #expect(source.entries == [SettingsSource.Entry("Z", "1", line: 2)])
    }

    @Test("lines are counted through values of several lines")
    func lines() {
        let source = SettingsSource.document(named: "f", Array("A=\"1\n2\n3\"\nB=x\n\nA=y\nC=\"open\nD=".utf8))
        #expect(source.entries == [.init("A", "1\n2\n3", line: 1), .init("B", "x", line: 4)])
        #expect(
            source.problems.map(\.description) == [
                "f:6  A: already set in line 1", "f:7  C: the closing \" is missing",
            ]
        )
    }

    @Test("bytes that are no UTF-8 are a mistake")
    func notText() {
        let source = SettingsSource.document(named: "f", [0x41, 0x3D, 0xFF, 0x0A, 0x42, 0x3D, 0x31])
        #expect(source.problems.map(\.description) == ["f:1  A: the value is not UTF-8 text; save the file as UTF-8"])
        #expect(source.entries.map(\.name) == ["B"])
    }

    @Test("any bytes are read without a crash, and in bounded lines")
    func anyBytes() {
        let pieces: [[UInt8]] = ["A", "=", "\"", "'", "\\", "\n", "\r", "#", " ", "export", "\u{FEFF}"].map {
            Array($0.utf8)
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0..<24, using: &generator)).flatMap { _ in pieces.randomElement() ?? [0xFF]
            }
            let source = SettingsSource.document(named: "f", bytes)
            #expect(source.entries.count <= bytes.count { $0 == 10 } + 1)
        }
    }
}
