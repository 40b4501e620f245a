import Limits
import Shared
import Upstream

extension MediaEndpoint {
    static let embeddings = MediaEndpoint(
        forwarded: .embeddings,
        group: .chat,
        allowsSubstitutes: false,
        read: ForwardedFields.readEmbedding
    )

    static let moderations = MediaEndpoint(
        forwarded: .moderations,
        group: .chat,
        defaultModel: "omni-moderation-latest",
        read: ForwardedFields.readInput
    )

    static let rerank = MediaEndpoint(
        forwarded: .rerank,
        group: .chat,
        allowsSubstitutes: false,
        read: ForwardedFields.readSearch
    )

    static let imageGenerations = MediaEndpoint(
        forwarded: .imageGenerations,
        group: .images,
        defaultModel: ImageCall.defaultModel,
        features: .image,
        read: ForwardedFields.readImages,
        operation: { ImageOperation($0, $1, $2, read: generation) }
    )

    static let imageEdits = MediaEndpoint(
        forwarded: .imageEdits,
        group: .images,
        defaultModel: ImageCall.defaultModel,
        features: [.imageEdit, .imageInpaint],
        acceptsForms: true,
        read: ForwardedFields.readImages,
        operation: { ImageOperation($0, $1, $2, read: edit) }
    )

    static let imageVariations = MediaEndpoint(
        forwarded: .imageVariations,
        group: .images,
        defaultModel: ImageCall.defaultVariationModel,
        features: [.image, .imageEdit, .imageInpaint, .imageVariation],
        acceptsForms: true,
        read: ForwardedFields.readImages,
        operation: { ImageOperation($0, $1, $2, replaced: varying, read: variation) }
    )

    static let speech = MediaEndpoint(
        forwarded: .speech,
        group: .audio,
        features: .textToSpeech,
        read: ForwardedFields.readSpeech,
        operation: { (_, _, content) in SpeechOperation(content) }
    )

    static let transcriptions = MediaEndpoint(
        forwarded: .transcriptions,
        group: .audio,
        features: .speechToText,
        acceptsForms: true,
        operation: { RecordingOperation(.transcription, $0, $1, $2) }
    )

    static let translations = MediaEndpoint(
        forwarded: .translations,
        group: .audio,
        features: .audioTranslation,
        acceptsForms: true,
        operation: { RecordingOperation(.translation, $0, $1, $2) }
    )
}
