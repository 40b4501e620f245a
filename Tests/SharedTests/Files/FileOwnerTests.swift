import Engine
import Limits
import Testing

@testable import Shared

@Suite struct FileOwnerTests {
    static func owner(_ token: String, secret: String? = nil) throws -> FileOwner {
        let caller = Caller(passingOn: token, Digest(of: token), models: [])
        return try #require(FileOwner(caller, secret: secret))
    }

    static func file(_ name: String = "notes.txt") -> StoredFile {
        StoredFile(
            provider: "onemin",
            account: 0x0123_4567_89ab_cdef,
            vendorID: "0b5f0a4e-7a52-4f0b-8f0a-111111111111",
            path: "documents/2026_01_02_03_04_05_678_file.txt",
            name: name,
            bytes: 123_456_789_012,
            purpose: .userData,
            createdAt: 1_790_000_000,
            createdMicroseconds: 999_999,
            expiresAt: 1_790_003_600
        )
    }

    private func known(_ token: String) throws -> Caller {
        let settings = outcome(environment: [("KEY_TEAM_TOKEN", token), ("PROVIDER_X_KIND", "echo")]).settings
        return Caller(known: try #require(settings?.keys.first))
    }

    @Test("a file is read as it was written; cut anywhere it is none, and changed anywhere another one or none")
    func damaged() throws {
        let coded = try #require(Self.file().encoded())
        #expect(StoredFile(coded) == Self.file())
        for offset in coded.indices {
            #expect(StoredFile(Array(coded[..<offset])) == nil)
            for byte: UInt8 in [0, 1, 0x7f, 0xff] {
                var changed = coded
                changed[offset] = byte
                _ = StoredFile(changed)
            }
        }
    }

    @Test("an id carries the whole file, and never twice the same text")
    func carries() throws {
        let owner = try Self.owner("key-one")
        let id = try #require(owner.id(of: Self.file()))
        #expect(owner.open(id.text)?.file == Self.file())
        #expect(owner.open(id.text)?.id == id)
        #expect(id.text.hasPrefix("file-") && id.text.utf8.count < 1_000)
        #expect(
            id.text.dropFirst(5).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        )
        #expect(owner.id(of: Self.file()) != id)
        var lasting = Self.file()
        lasting.expiresAt = nil
        #expect(owner.id(of: lasting).flatMap { owner.open($0) } == lasting)
    }

    @Test("the id of a file at another relay carries that relay's id", arguments: [64, 65, 460])
    func ofRelay(length: Int) throws {
        let owner = try Self.owner("key-one")
        var file = Self.file(String(repeating: "n", count: 200))
        file.vendorID = "file-" + String(repeating: "i", count: length - 5)
        file.path = "files/\(file.vendorID)"
        let id = try #require(owner.id(of: file))
        if length > 64 { file.name = file.name.cut(toBytes: 64) }
        #expect(owner.open(id.text)?.file == file && id.text.utf8.count < 1_000)
        file.path = "files/other"
        #expect((owner.id(of: file) == nil) == (length > 64))
    }

    @Test("another instance opens it, another caller does not, with one secret for all or with the callers' own")
    func owners() throws {
        for secret in [nil, "a secret for ids"] {
            let id = try #require(Self.owner("key-one", secret: secret).id(of: Self.file())).text
            #expect(try Self.owner("key-one", secret: secret).open(id) != nil)
            #expect(try Self.owner("key-two", secret: secret).open(id) == nil)
            #expect(try Self.owner("key-one", secret: "another").open(id) == nil)
            #expect(try FileOwner(known("key-one"), secret: secret)?.open(id) == nil, "kinds of callers share nothing")
        }
    }

    @Test("a known caller's ids open with its token and no other; an anonymous one has none")
    func knownCaller() throws {
        let id = try #require(FileOwner(known("sk-relay-1"), secret: nil)?.id(of: Self.file())).text
        #expect(try FileOwner(known("sk-relay-1"), secret: nil)?.open(id)?.file == Self.file())
        #expect(try FileOwner(known("sk-relay-2"), secret: nil)?.open(id) == nil)
        #expect(FileOwner(Caller(anonymousWith: []), secret: "x") == nil)
    }

    @Test(
        "of several tokens the first seals, each opens what any of the others sealed, and one that is gone opens none"
    )
    func severalTokens() throws {
        let id = { (tokens: String) throws -> String in
            try #require(FileOwner(known(tokens), secret: nil)?.id(of: Self.file())).text
        }
        let (old, during, new) = (try id("token-one"), try id("token-two,token-one"), try id("token-two"))
        for (tokens, opens) in [
            ("token-one", [true, false, false]), ("token-one,token-two", [true, true, true]),
            ("token-two,token-one", [true, true, true]), ("token-two", [false, true, true]),
            ("token-three,token-two", [false, true, true]),
        ] {
            let owner = try #require(FileOwner(known(tokens), secret: nil))
            #expect([old, during, new].map { owner.open($0) != nil } == opens, "\(tokens)")
        }
    }

    @Test("with a secret ids outlive every token of their owner's NAME")
    func secretOfAll() throws {
        let secret = "a secret for all ids"
        let id = try #require(FileOwner(known("token-one"), secret: secret)?.id(of: Self.file())).text
        #expect(try FileOwner(known("token-two"), secret: secret)?.open(id)?.file == Self.file())
        #expect(try FileOwner(known("token-one"), secret: nil)?.open(id) == nil)
        let other = outcome(environment: [("KEY_OTHER_TOKEN", "token-one"), ("PROVIDER_X_KIND", "echo")]).settings
        let stranger = Caller(known: try #require(other?.keys.first))
        #expect(FileOwner(stranger, secret: secret)?.open(id) == nil)
    }

    @Test(
        "an id that its owner made up opens only if it names a file on the asset host",
        arguments: [
            ("images/2026_01_02_a b.png", "0b5f-1", true), ("/images/a.png", "", true), ("a..b/...png", "x", true),
            ("images/caf\u{e9}%20.png", "x", true), ("../a.png", "x", false), ("a/../../b", "x", false),
            ("a/..", "x", false), ("a\\..\\b", "x", false), ("a\\b", "x", false), ("%2e%2e/a", "x", false),
            ("a/%2E./b", "x", false), ("a%2f..%2fb", "x", false), ("a/%252e%252e/b", "x", false),
            ("%25252525252e%2e/b", "x", false), ("https://host/a.png", "x", false), ("//host/a.png", "x", false),
            ("%2f/host/a.png", "x", false), ("data:image/png;base64,AA", "x", false), ("file:/etc/passwd", "x", false),
            ("http%3a//host/a", "x", false), ("a\r\nX: y", "x", false), ("a%0d%0aX", "x", false), ("", "x", false),
            ("a.png", "https://host/a", false), ("@host:80/x", "x", true), ("12:30.png", "x", true),
            ("a.png", "../a", false), ("a.png", "a b", false),
        ]
    )
    func madeUp(path: String, vendorID: String, isGood: Bool) throws {
        var file = Self.file()
        (file.path, file.vendorID) = (path, vendorID)
        let caller = Caller(passingOn: "key-one", Digest(of: "key-one"), models: [])
        let owner = try #require(FileOwner(caller, secret: nil))
        #expect((owner.id(of: file) != nil) == isGood)
        // The id is made as a holder of the key could make it, without the relay.
        let name = try #require(caller.identity).digest.withBytes { [UInt8]($0) }
        let key = SealingKey(
            derivedFrom: KeyToken.fileSecret(of: "key-one"),
            for: Array("file ids of ".utf8) + name
        )
        let forged = FileID([1] + key.seal(try #require(file.encoded()), context: [1] + name))
        #expect(owner.open(forged) == (isGood ? file : nil))
    }

    @Test("changed anywhere, cut or lengthened it is as unknown as no id at all")
    func changed() throws {
        let owner = try Self.owner("key-one")
        let id = try #require(owner.id(of: Self.file())).text
        for index in id.indices {
            var text = id
            text.replaceSubrange(index...index, with: id[index] == "A" ? "B" : "A")
            #expect(owner.open(text) == nil)
            #expect(owner.open(String(id[..<index])) == nil)
        }
        let long = "file-" + String(repeating: "A", count: 2_000)
        for text in [id + "A", id + "AAAA", " " + id, id + "=", "", "file-", "file-abc", "file", "x" + id, long] {
            #expect(owner.open(text) == nil, "\(text)")
        }
    }

    @Test("the longest names give ids under 1 KB, cut between characters, with their extension")
    func names() throws {
        let owner = try Self.owner("key-one")
        var file = Self.file(String(repeating: "\u{1F9D1}\u{200D}\u{1F680}", count: 500) + ".jpeg")
        file.provider = String(repeating: "p", count: 64)
        file.vendorID = String(repeating: "v", count: 64)
        file.path = String(repeating: "d", count: 300)
        let id = try #require(owner.id(of: file))
        #expect(id.text.utf8.count < 1_000)
        let name = try #require(owner.open(id)?.name)
        #expect(name.utf8.count <= StoredFile.nameLimitBytes && name.hasSuffix("\u{1F9D1}\u{200D}\u{1F680}.jpeg"))
        file.path += "d"
        #expect(owner.id(of: file) == nil)
        for name in ["", ".", "a", String(repeating: "x", count: 200), "\u{0}\"\\/\r\n"] {
            #expect(owner.id(of: Self.file(name)).flatMap { owner.open($0)?.name } == name)
        }
        let noExtension = String(repeating: "y", count: 300)
        #expect(
            owner.id(of: Self.file(noExtension)).flatMap { owner.open($0)?.name } == String(repeating: "y", count: 200)
        )
    }

    @Test("purposes by the names that clients use")
    func purposes() {
        for purpose in FilePurpose.allCases { #expect(FilePurpose(name: "\(purpose.name)") == purpose) }
        #expect(FilePurpose(name: "fine-tune") == .fineTune && FilePurpose(name: "fine_tune") == nil)
    }
}
