import Testing

@testable import Engine

@Suite struct VerifyingKeyTests {
    private static func bytes(_ text: String) -> [UInt8] { Base64.url.bytes(Array(text.utf8)) ?? [] }

    private static let payload = """
        eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ
        """
    private static let modulus = """
        2XijAqiaJhGYxWKUjQcNl_4VG8Jnx5aD2Jl7FZZIJf3zsJRD58Y4vc-52l1vyATLAMgHAD1WYSh2pWMYMQtQ0jnzAaHkBkdT2Uq87qjJUYF3CHf3YU1n\
        C6uN6QXngrQw7Xsqxgirh1JsjzoWh4Bft2QfyhucJMfcjDfpTBwYG03tR9bN5Nlg9eXixqQX5wHFJHuClzCH41IaKAgoB1-Pv72w9T1WB0vil7NoV7Qb\
        DACjcaBxmLwbMYV0odQy2lSVCw0G0mcsB7QobBtXirrbUKY-JyrB0Gr2MxBFI6Y8lSWp0wHSPxA0L44oQ_2VidwWC-A10-t_JXoInXdWr0PBhw
        """

    struct Example: Sendable {
        let algorithm: VerifyingKey.Algorithm
        let message: String
        let signature: String
    }

    /// The first signature was made by Python's `cryptography`, the others are those of RFC 7515 (A.3) and RFC 8037 (A.4).
    static let examples = [
        Example(
            algorithm: .rs256,
            message: "eyJhbGciOiJSUzI1NiJ9." + payload,
            signature: """
                VZ_9cmEnUJDwjntrLJN3rUBDGBXrK5DNCy3n3mVx8bZUatyUc9K0xp9JRcc9CTYvxKWnzqu0II1W5dEKkBWFTXa5OdT8UVM7xNwiBQD2-N372jn4\
                _Rv5gp7vJKX6zLAMx3TE18ZRDgmKsi1xQJZCQ3MJpQzTFSGwCesVTn0aCuRDNDUmDGANH45CkuOvWiKOP_aj5kvSR7hSPNEnA4HQ3kG2KYVvewds\
                ThJmAygXcc555a_o4YMzUGV_D8IMAvD6LXV__Y24blADcHBLIX6AGewJb-zq9-F71h2OmeDU-q7o8_ROrgX-jceZWVk3_5i5sTDZtIxPu_kXfjpc\
                oPTgng
                """
        ),
        Example(
            algorithm: .es256,
            message: "eyJhbGciOiJFUzI1NiJ9." + payload,
            signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        ),
        Example(
            algorithm: .edDSA,
            message: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
            signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        ),
    ]

    private static let ed25519 = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    private static let point =
        #""x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#

    private func key(_ members: String) -> VerifyingKey? {
        JSONDocument(Body(ByteBuffer("{\(members)}")))?.read { VerifyingKey(jwk: $0) }
    }

    private func key(_ algorithm: VerifyingKey.Algorithm) throws -> VerifyingKey {
        let members =
            switch algorithm {
            case .rs256: #""kty":"RSA","alg":"RS256","n":"\#(Self.modulus)","e":"AQAB""#
            case .es256: #""kty":"EC","crv":"P-256",\#(Self.point)"#
            case .edDSA: #""kty":"OKP","crv":"Ed25519","x":"\#(Self.ed25519)""#
            }
        return try #require(key(members))
    }

    @Test("a key accepts its signature, and none with one byte changed", arguments: examples)
    func signatures(_ example: Example) throws {
        let (message, signature) = (Array(example.message.utf8), Self.bytes(example.signature))
        let key = try key(example.algorithm)
        #expect(key.algorithm == example.algorithm && key.accepts(signature, of: message))
        for place in signature.indices {
            var other = signature
            other[place] ^= 1
            #expect(!key.accepts(other, of: message), "byte \(place)")
            #expect(!key.accepts(Array(signature[..<place]), of: message))
        }
        #expect(
            !key.accepts(Array(signature[..<32]) + [0] + signature[32...], of: message),
            "a byte between the numbers"
        )
        #expect(!key.accepts(signature + [0], of: message) && !key.accepts(signature, of: message + [0]))
        #expect(!key.accepts([UInt8](repeating: 0, count: signature.count), of: message))
        for other in Self.examples where other.algorithm != example.algorithm {
            #expect(try !self.key(other.algorithm).accepts(signature, of: message))
        }
        #expect(key.accepts(signature, of: message), "a failure leaves nothing behind")
    }

    @Test("keys of other sizes, curves and algorithms are none")
    func keys() {
        func rsa(_ modulus: some StringProtocol, _ exponent: String = "AQAB") -> VerifyingKey? {
            key(#""kty":"RSA","n":"\#(modulus)","e":"\#(exponent)""#)
        }
        #expect(rsa(Self.modulus) != nil && rsa("AAAA" + Self.modulus, "AAABAAE") != nil, "zeros in front")
        #expect(rsa(Self.modulus.prefix(172)) == nil && rsa("") == nil)
        let large = String(repeating: "_", count: 1_368)
        #expect(rsa(large) == nil && rsa(large + large + large) == nil && rsa("no base64!") == nil)
        #expect(key(#""kty":"EC","crv":"P-384",\#(Self.point)"#) == nil)
        #expect(key(#""kty":"EC","crv":"P-256","x":"\#(Self.ed25519)","y":"\#(Self.ed25519)""#) == nil, "off the curve")
        #expect(key(#""kty":"EC","crv":"P-256""#) == nil && key(#""kty":"OKP","crv":"Ed25519","x":"AQAB""#) == nil)
        #expect(key(#""kty":"OKP","crv":"Ed448","x":"\#(Self.ed25519)""#) == nil)
        #expect(key(#""kty":"RSA","alg":"PS256","n":"\#(Self.modulus)","e":"AQAB""#) == nil)
        #expect(key(#""kty":"oct","k":"AAAA""#) == nil && key("") == nil)
    }
}
