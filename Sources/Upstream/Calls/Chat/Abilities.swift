/// The abilities of a vendor for chats with one model, such as tools or images.
public struct Abilities: OptionSet, Sendable {
    // The type is public because only public code is inlined in other modules.
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// The ability to return several choices in one call.
    @inlinable public static var choices: Abilities { Abilities(rawValue: 1) }
    @inlinable public static var stops: Abilities { Abilities(rawValue: 2) }
    @inlinable public static var tokenBound: Abilities { Abilities(rawValue: 4) }
    /// The ability to accept function tools in the field `tools`.
    @inlinable public static var tools: Abilities { Abilities(rawValue: 8) }
    @inlinable public static var customTools: Abilities { Abilities(rawValue: 16) }
    @inlinable public static var toolChoice: Abilities { Abilities(rawValue: 32) }
    /// The ability to return a JSON object of any form as the output (`json_object`).
    @inlinable public static var objects: Abilities { Abilities(rawValue: 64) }
    /// The ability to return output that follows a JSON Schema (`json_schema`).
    @inlinable public static var schemas: Abilities { Abilities(rawValue: 128) }
    @inlinable public static var logProbabilities: Abilities { Abilities(rawValue: 256) }
    @inlinable public static var audioOutput: Abilities { Abilities(rawValue: 512) }
    /// The ability to accept the data of images and files inside the upstream request.
    @inlinable public static var inlineMedia: Abilities { Abilities(rawValue: 1_024) }
    @inlinable public static var audioInput: Abilities { Abilities(rawValue: 2_048) }
    @inlinable public static var sampling: Abilities { Abilities(rawValue: 4_096) }
    @inlinable public static var reasoning: Abilities { Abilities(rawValue: 8_192) }
    /// The ability to accept tools in the field `functions`, OpenAI's legacy form.
    @inlinable public static var functions: Abilities { Abilities(rawValue: 16_384) }
    /// The ability to accept several prompts in one call. Each prompt has its own choices.
    @inlinable public static var prompts: Abilities { Abilities(rawValue: 32_768) }
    /// The ability to accept images and files by URL. Without this ability, the relay downloads them first.
    @inlinable public static var mediaAddresses: Abilities { Abilities(rawValue: 65_536) }
    /// The ability to serve requests that demand a tool call or an output format, without validation by the relay.
    @inlinable public static var demands: Abilities { Abilities(rawValue: 131_072) }
    /// The ability to accept options for web search.
    @inlinable public static var searchOptions: Abilities { Abilities(rawValue: 262_144) }
    /// Whether the vendor accepts options for web search only in a request without tools, and the request has tools.
    @inlinable public static var searchAlone: Abilities { Abilities(rawValue: 16_777_216) }
    /// The ability to accept a message that names an earlier audio response by its id.
    @inlinable public static var audioReferences: Abilities { Abilities(rawValue: 524_288) }
    /// The ability to compact a conversation into an encrypted summary. The relay can emulate it.
    @inlinable public static var compaction: Abilities { Abilities(rawValue: 1_048_576) }
    /// The ability to read an encrypted summary that the vendor itself has made.
    @inlinable public static var ownCompactions: Abilities { Abilities(rawValue: 2_097_152) }

    /// Whether the vendor may return arguments that do not match the schema of a strict tool. The relay then validates
    /// the arguments.
    @inlinable public static var uncheckedArguments: Abilities { Abilities(rawValue: 4_194_304) }
    /// The ability to accept input items and tools that only OpenAI's Responses API knows.
    @inlinable public static var ownItems: Abilities { Abilities(rawValue: 8_388_608) }

    /// The abilities that the relay can emulate as text: by instructions in the prompt and by parsing the output.
    static let asText: Abilities = [.tools, .functions, .toolChoice, .objects, .schemas]

    /// Takes away the tools if a call with these needs lacks any of `asText`: if one of them is emulated, all of them are
    /// written into the prompt.
    mutating func emulateTogether(for needs: Abilities) {
        if !needs.subtracting(self).isDisjoint(with: .asText) { subtract([.tools, .functions, .toolChoice]) }
    }
}
