import Engine

/// What kind of audio some bytes are.
package enum AudioType: Sendable {
    case mp3, opus, aac, flac, wav, mp4, pcm

    /// Bytes that suffice to tell.
    package static let beginning = 12

    /// By what it begins with, which samples without a head cannot be told by.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 4 else { return nil }
        if bytes.hasPrefix("ID3") {
            self = .mp3
        } else if bytes.hasPrefix("OggS") {
            self = .opus
        } else if bytes.hasPrefix("fLaC") {
            self = .flac
        } else if bytes.count >= 12, bytes.hasPrefix("RIFF"), bytes[part: 8..<12].equals("WAVE") {
            self = .wav
        } else if bytes.count >= 8, bytes[part: 4..<8].equals("ftyp") {
            self = .mp4
        } else if bytes[0] == 0xff, bytes[1] & 0xe0 == 0xe0 {
            // A frame's beginning: ADTS has no layer, MPEG audio has.
            self = bytes[1] & 0xf6 == 0xf0 ? .aac : .mp3
        } else {
            return nil
        }
    }

    package var mediaType: StaticString {
        switch self {
        case .mp3: "audio/mpeg"
        case .opus: "audio/opus"
        case .aac: "audio/aac"
        case .flac: "audio/flac"
        case .wav: "audio/wav"
        case .mp4: "audio/mp4"
        case .pcm: "audio/pcm"
        }
    }
}
