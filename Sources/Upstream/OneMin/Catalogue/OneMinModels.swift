import Shared

/// The table of the models of 1min.ai, which Scripts/models creates from models.json.
///
/// Each line contains id, owner, features, vision, context window and maximum output tokens.
enum OneMinModels {
    /// The only model that translates recordings without further fields.
    static let translator = "whisper-1"

    static let table = """
        qwen3.7-plus alibaba chat - - -
        qwen3.7-max alibaba chat - - -
        qwen3.7-flash alibaba chat - - -
        qwen3.6-plus alibaba chat - - -
        qwen3.6-max-preview alibaba chat - - -
        qwen3.6-flash alibaba chat - - -
        qwen3-vl-plus alibaba chat vision 262144 32768
        qwen3-vl-flash alibaba chat vision 262144 32768
        qwen3-vl-8b-thinking alibaba chat vision - -
        qwen3-max alibaba chat - 262144 65536
        qwen3-8b alibaba chat - - -
        qwen-vl-plus alibaba chat vision 131072 8192
        qwen-vl-max alibaba chat vision 131072 8192
        qwen-plus alibaba chat - 128000 8192
        qwen-max alibaba chat - 32768 8192
        qwen-flash alibaba chat - 1000000 32768
        us.anthropic.claude-sonnet-5 aws-bedrock chat vision - -
        us.anthropic.claude-sonnet-4-6 aws-bedrock chat vision - -
        us.anthropic.claude-sonnet-4-5-20250929-v1:0 aws-bedrock chat vision - -
        us.anthropic.claude-opus-5-5 aws-bedrock chat vision - -
        us.anthropic.claude-opus-5 aws-bedrock chat vision - -
        us.anthropic.claude-opus-4-8 aws-bedrock chat vision - -
        us.anthropic.claude-opus-4-7 aws-bedrock chat vision - -
        us.anthropic.claude-opus-4-6-v1 aws-bedrock chat vision - -
        us.anthropic.claude-opus-4-5-20251101-v1:0 aws-bedrock chat vision - -
        us.anthropic.claude-haiku-4-5-20251001-v1:0 aws-bedrock chat vision - -
        us.anthropic.claude-fable-5-1 aws-bedrock chat vision - -
        us.anthropic.claude-fable-5 aws-bedrock chat vision - -
        command-r-08-2024 cohere chat - 4000 4000
        deepseek-v4-pro deepseek chat - - -
        deepseek-flash deepseek chat - - -
        gemini-3.8-flash googleai chat vision - -
        gemini-3.7-flash googleai chat vision - -
        gemini-3.6-flash googleai chat vision - -
        gemini-3.5-flash googleai chat vision - -
        gemini-3.1-pro-preview googleai chat,audio_translation,code vision 1048576 65536
        gemini-3.1-flash-lite-preview googleai chat vision - -
        gemini-3-flash-preview googleai chat,audio_translation,code vision 1048576 65536
        gemini-2.5-pro googleai chat,audio_translation vision 1000000 65535
        gemini-2.5-flash googleai chat,audio_translation vision 1000000 65535
        magistral-small-latest mistralai chat - 128000 40000
        magistral-medium-latest mistralai chat - 128000 40000
        ministral-14b-latest mistralai chat - 256000 4096
        open-mistral-nemo mistralai chat - 128000 4096
        mistral-small-latest mistralai chat - 32000 4096
        mistral-small-2603 mistralai chat - - -
        mistral-medium-latest mistralai chat - 128000 128000
        mistral-medium-3-5 mistralai chat - - -
        mistral-large-latest mistralai chat - 128000 4096
        mistral-large-2512 mistralai chat - - -
        gpt-5.3-codex openai chat vision - -
        o3-mini openai chat - 200000 32768
        gpt-6.1-sol openai chat vision - -
        gpt-6-sol openai chat vision - -
        gpt-6-luna openai chat vision - -
        gpt-6-astra openai chat vision - -
        gpt-5.6-terra openai chat vision - -
        gpt-5.6-sol openai chat vision - -
        gpt-5.6-luna openai chat vision - -
        gpt-5.5-pro openai chat vision - -
        gpt-5.5 openai chat vision - -
        gpt-5.4-pro openai chat vision - -
        gpt-5.4-nano openai chat vision - -
        gpt-5.4-mini openai chat vision - -
        gpt-5.4 openai chat vision - -
        gpt-5.2-pro openai chat vision 400000 128000
        gpt-5.2 openai chat vision 400000 128000
        gpt-5.1 openai chat vision 400000 128000
        gpt-5-nano openai chat vision 400000 128000
        gpt-5-mini openai chat vision 400000 16384
        gpt-5 openai chat,code vision 400000 16384
        gpt-4o-mini openai chat vision 128000 16384
        gpt-4o openai chat,code vision 128000 16384
        gpt-4.1-nano openai chat vision 1047576 32768
        gpt-4.1-mini openai chat vision 1047576 32768
        gpt-4.1 openai chat vision 1047576 32768
        gpt-4-turbo openai chat vision 128000 4096
        gpt-3.5-turbo openai chat - 16385 4096
        o3-pro openai chat vision 200000 100000
        o3 openai chat,code vision 200000 100000
        moonshotai/kimi-k3 openrouter chat - - -
        moonshotai/kimi-k2.7-code openrouter chat - - -
        moonshotai/kimi-k2.6 openrouter chat - - -
        meta/muse-spark-1.3 openrouter chat - - -
        meta/muse-spark-1.2 openrouter chat - - -
        meta/muse-spark-1.1 openrouter chat - - -
        sonar-reasoning-pro perplexity chat - 128000 -
        sonar-pro perplexity chat - 200000 -
        sonar-deep-research perplexity chat - 128000 -
        sonar perplexity chat - 128000 -
        grok-4.7 xai chat - - -
        grok-4.6 xai chat - - -
        grok-4.5 xai chat - - -
        grok-4.3 xai chat - - -
        glm-5.3 z.ai chat - - -
        glm-5.2 z.ai chat - - -
        glm-5.1 z.ai chat - - -
        glm-5 z.ai chat - - -
        meta/meta-llama-3-70b-instruct replicate chat - 8000 4000
        meta/llama-4-scout-instruct replicate chat - 10000000 4000
        meta/llama-4-maverick-instruct replicate chat - 1000000 4000
        openai/gpt-oss-20b replicate chat - 131072 65536
        openai/gpt-oss-120b replicate chat - 131072 65536
        gpt-image-2 openai image,image_edit,image_inpaint - - -
        gemini-3.1-flash-image-preview googleai image - - -
        grok-imagine-image xai image - - -
        ideogram-3 ideogram image - - -
        black-forest-labs/flux-2-pro replicate image - - -
        black-forest-labs/flux-2-max replicate image - - -
        black-forest-labs/flux-2-dev replicate image - - -
        black-forest-labs/flux-2-flex replicate image - - -
        black-forest-labs/flux-2-klein-4b replicate image - - -
        black-forest-labs/flux-2-klein-9b replicate image - - -
        qwen3-livetranslate-flash alibaba audio_translation - - -
        whisper-1 openai speech_to_text,audio_translation - - -
        qwen3-asr-flash alibaba speech_to_text - - -
        elevenlabs-speech-to-text elevenlabs speech_to_text - - -
        telephony_short google speech_to_text - - -
        telephony google speech_to_text - - -
        phone_call google speech_to_text - - -
        medical_dictation google speech_to_text - - -
        medical_conversation google speech_to_text - - -
        latest_short google speech_to_text - - -
        latest_long google speech_to_text - - -
        gpt-4o-transcribe-diarize openai speech_to_text - - -
        gpt-4o-transcribe openai speech_to_text - - -
        qwen3-tts-flash alibaba text_to_speech - - -
        elevenlabs-tts elevenlabs text_to_speech - - -
        google-tts google text_to_speech - - -
        tts-1-hd openai text_to_speech - - -
        tts-1 openai text_to_speech - - -
        qwen3-coder-plus alibaba code - 1000000 65536
        qwen3-coder-flash alibaba code - 1000000 65536
        grok-code-fast-1 xai code - 256000 -
        stable-image stabilityai image,image_inpaint - - -
        recraft recraft image,image_variation - - -
        gpt-image-1-mini openai image,image_edit,image_inpaint - - -
        gpt-image-1 openai image,image_edit,image_inpaint - - -
        dzine dzine image,image_variation - - -
        qwen-image-plus alibaba image - - -
        qwen-image-max alibaba image - - -
        black-forest-labs/flux-schnell-lora replicate image - - -
        black-forest-labs/flux-schnell replicate image - - -
        black-forest-labs/flux-krea-dev replicate image - - -
        black-forest-labs/flux-dev-lora replicate image - - -
        black-forest-labs/flux-dev replicate image - - -
        black-forest-labs/flux-1.1-pro-ultra replicate image - - -
        black-forest-labs/flux-1.1-pro replicate image - - -
        gemini-3-pro-image-preview googleai image,image_edit - 65536 -
        gemini-2.5-flash-image googleai image,image_edit - 1048576 -
        e71a1c2f-4f80-4800-934f-2c68979d8cc8 leonardoai image - - -
        b24e16ff-06e3-43eb-8d33-4416c2d75876 leonardoai image - - -
        aa77f04e-3eec-4034-9c07-d0f619684628 leonardoai image - - -
        6b645e3a-d64f-4341-a6d8-7a3690fbf042 leonardoai image - - -
        5c232a9e-9061-4777-980a-ddc8e65647c6 leonardoai image - - -
        2067ae52-33fd-4a82-bb92-c2c55e7d2786 leonardoai image - - -
        1e60896f-3c26-4296-8ecc-53e2afecc132 leonardoai image - - -
        magic-art_7_0 ttapi image,image_variation - - -
        magic-art_6_1 ttapi image,image_variation - - -
        magic-art ttapi image,image_variation - - -
        midjourney_7_0 ttapi image,image_variation - - -
        midjourney_6_1 ttapi image,image_variation - - -
        midjourney ttapi image,image_variation - - -
        dall-e-3 openai image - - -
        dall-e-2 openai image,image_variation - - -
        stable-diffusion-xl-1024-v1-0 stabilityai image,image_edit - - -
        stable-image-ultra stabilityai image - - -
        grok-2-image-1212 xai image - - -
        black-forest-labs/flux-fill-pro replicate image_inpaint - - -
        black-forest-labs/flux-fill-dev replicate image_inpaint - - -
        qwen-image-edit-plus alibaba image_edit - - -
        black-forest-labs/flux-kontext-pro replicate image_edit - - -
        black-forest-labs/flux-kontext-max replicate image_edit - - -
        black-forest-labs/flux-kontext-dev-lora replicate image_edit - - -
        black-forest-labs/flux-kontext-dev replicate image_edit - - -
        black-forest-labs/flux-depth-pro replicate image_edit - - -
        black-forest-labs/flux-depth-dev replicate image_edit - - -
        black-forest-labs/flux-canny-pro replicate image_edit - - -
        black-forest-labs/flux-canny-dev replicate image_edit - - -
        black-forest-labs/flux-redux-schnell replicate image_variation - - -
        black-forest-labs/flux-redux-dev replicate image_variation - - -
        """
}

extension Model.Features {
    /// These features of a model of 1min.ai, without those that the relay cannot use.
    func usable(by id: String) -> Model.Features {
        // For a translation, other models require the language of the recording, which a request does not name.
        id == OneMinModels.translator ? self : subtracting(.audioTranslation)
    }
}

extension Model {
    /// Creates a model from a line of `OneMinModels.table`; nil if the line is invalid.
    ///
    /// A line has the form `gpt-4o openai chat,code vision 128000 16384`; `-` stands for a missing value.
    init?(line: Substring.UTF8View) {
        let words = line.split(separator: UInt8(ascii: " ")).map { Substring($0) }
        guard words.count == 6 else { return nil }
        var features: Features = []
        for name in words[2].utf8.split(separator: UInt8(ascii: ",")) {
            guard let feature = Model.feature(named: Substring(name)) else { return nil }
            features.insert(feature)
        }
        let id = String(words[0])
        self.init(
            id: id,
            owner: String(words[1]),
            features: features.usable(by: id),
            hasVision: words[3] == "vision",
            contextWindow: Int(words[4]),
            maxOutputTokens: Int(words[5])
        )
    }

    private static func feature(named name: Substring) -> Features? {
        switch name {
        case "chat": .chat
        case "image": .image
        case "image_edit": .imageEdit
        case "image_inpaint": .imageInpaint
        case "image_variation": .imageVariation
        case "text_to_speech": .textToSpeech
        case "speech_to_text": .speechToText
        case "audio_translation": .audioTranslation
        case "code": .code
        default: nil
        }
    }
}
