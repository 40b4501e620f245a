/// The abilities of a vendor for chats of one model. Everything else that a call needs is emulated or refused. Public,
/// because only public code is inlined in other modules, and sets are made on each request.
public struct Abilities: OptionSet, Sendable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Several choices in one call.
    @inlinable public static var choices: Abilities { Abilities(rawValue: 1) }
    @inlinable public static var stops: Abilities { Abilities(rawValue: 2) }
    @inlinable public static var tokenBound: Abilities { Abilities(rawValue: 4) }
    /// Function tools.
    @inlinable public static var tools: Abilities { Abilities(rawValue: 8) }
    @inlinable public static var customTools: Abilities { Abilities(rawValue: 16) }
    @inlinable public static var toolChoice: Abilities { Abilities(rawValue: 32) }
    /// Output that is any JSON object.
    @inlinable public static var objects: Abilities { Abilities(rawValue: 64) }
    /// Output that is JSON of a schema.
    @inlinable public static var schemas: Abilities { Abilities(rawValue: 128) }
    @inlinable public static var logProbabilities: Abilities { Abilities(rawValue: 256) }
    @inlinable public static var audioOutput: Abilities { Abilities(rawValue: 512) }
    /// Images and files inside the call. Without this ability they are uploaded first.
    @inlinable public static var inlineMedia: Abilities { Abilities(rawValue: 1_024) }
    @inlinable public static var audioInput: Abilities { Abilities(rawValue: 2_048) }
    @inlinable public static var sampling: Abilities { Abilities(rawValue: 4_096) }
    @inlinable public static var reasoning: Abilities { Abilities(rawValue: 8_192) }
    /// Tools as `functions`, OpenAI's legacy form.
    @inlinable public static var functions: Abilities { Abilities(rawValue: 16_384) }
    /// Several prompts in one call, each with its own choices.
    @inlinable public static var prompts: Abilities { Abilities(rawValue: 32_768) }
    /// Images and files given by URL. Without this ability they are fetched first.
    @inlinable public static var mediaAddresses: Abilities { Abilities(rawValue: 65_536) }
    /// Tool calls and output formats that the vendor guarantees if the request demands them. Forwarding the output
    /// unchanged also counts. Without this ability the relay validates the output.
    @inlinable public static var demands: Abilities { Abilities(rawValue: 131_072) }
    /// Options of a web search.
    @inlinable public static var searchOptions: Abilities { Abilities(rawValue: 262_144) }
    /// References to earlier audio responses by their ids.
    @inlinable public static var audioReferences: Abilities { Abilities(rawValue: 524_288) }

    /// The abilities that can be emulated by a prompt and by parsing the output.
    package static let asText: Abilities = [.tools, .functions, .toolChoice, .objects, .schemas]
}
