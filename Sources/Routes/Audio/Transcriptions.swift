import Engine
import Limits
import Shared
import Upstream

extension FileLabel {
    /// Creates the file name and media type from a recording's first bytes. Throws if the format is not supported.
    init(recording bytes: UnsafeRawBufferPointer) throws(APIError) {
        guard !bytes.isEmpty else { throw .value("file", "is empty") }
        guard let type = MediaType(content: bytes)?.asRecording else {
            throw .value("file", "must be one of flac, m4a, mp3, mp4, mpeg, mpga, oga, ogg, wav and webm")
        }
        self.init("audio", type)
    }
}

extension TranscriptionCall.Purpose {
    var feature: Model.Features {
        switch self {
        case .transcription: .speechToText
        case .translation: .audioTranslation
        }
    }
}

extension MediaType {
    /// The media type under which vendors accept recordings of this type; nil if vendors accept none.
    fileprivate var asRecording: MediaType? {
        switch self {
        case .mp3, .wav, .flac, .ogg, .m4a, .mp4, .webm: self
        // Opus normally comes in an Ogg container.
        case .opus: .ogg
        default: nil
        }
    }
}
