/// The bodies for OpenAI's chat completions: see `VendorBodyTests`.
let openAIBodies = #"""
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","audio":{"id":"audio_1"}},{"role":"user","content":"Go on"}],"modalities":["text","audio"],"audio":{"voice":"alloy","format":"mp3"}}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","audio":{"id":"audio_1"},"content":null},{"role":"user","content":"Go on"}],"modalities":["text","audio"],"audio":{"voice":"alloy","format":"mp3"}}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","audio":{"id":"audio_1"},"content":""},{"role":"user","content":"Go on"}],"modalities":["text","audio"],"audio":{"voice":"alloy","format":"mp3"}}
      =
    openai chat/completions big/model:1 {"web_search":false,"num_of_site":2,"max_word":100}
      {}
    openai responses big/model:1 {"input":[{"role":"developer","content":"Short."},{"role":"user","content":"Hi"}],"temperature":0.25,"top_p":0.5,"max_output_tokens":50,"reasoning":{"effort":"low"},"store":false,"text":{"format":{"type":"json_schema","name":"thing","schema":{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false},"strict":true}}}
      {"max_tokens":50,"messages":[{"content":"Short.","role":"system"},{"content":"Hi","role":"user"}],"reasoning_effort":"low","response_format":{"json_schema":{"name":"thing","schema":{"additionalProperties":false,"properties":{"a":{"type":"integer"}},"required":["a"],"type":"object"},"strict":true},"type":"json_schema"},"temperature":0.25,"top_p":0.5}
    openai messages big/model:1 {"metadata":{"user_id":"{\"device_id\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"account_uuid\": \"123e4567-e89b-12d3-a456-426614174000\"}"}}
      {"user":"625460b9abb3b6b81b897ff47c89ced80a5bb7c98f15e26d57451818c33f21c1"}
    openai chat/completions big/model:1 {"user":"{\"device_id\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"account_uuid\": \"123e4567-e89b-12d3-a456-426614174000\"}"}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}],"odd":1,"refusal":null,"audio":null,"annotations":[],"function_call":null},{"role":"tool","tool_call_id":"a","content":"fine"},{"role":"assistant","content":"null []","odd":{"x":null},"tool_calls":[],"refusal":null,"audio":null,"annotations":[],"function_call":null},{"role":"user","content":"Hi"}]}
      {"messages":[{"content":"Hi","role":"user"},{"content":null,"odd":1,"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"a","type":"function"}]},{"content":"fine","role":"tool","tool_call_id":"a"},{"content":"null []","odd":{"x":null},"role":"assistant"},{"content":"Hi","role":"user"}]}
    openai chat/completions big/model:1 {"messages":[{"role":"tool","tool_call_id":"lost","name":"g","content":[{"type":"text","text":"lost"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"a","content":"fine"}]}
      {"messages":[{"content":[{"text":"lost","type":"text"}],"role":"user"},{"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"f"},"id":"a","type":"function"}]},{"content":"fine","role":"tool","tool_call_id":"a"}]}
    openai messages big/model:1 {"stop_sequences":["END"],"tools":[{"name":"look","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":[{"type":"text","text":"This?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]},{"role":"user","content":"Well?"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"seen"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]},{"type":"text","text":"Go on"}]},{"role":"assistant","content":"It is"}]}
      {"messages":[{"content":[{"text":"This?","type":"text"},{"image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},"type":"image_url"}],"role":"user"},{"content":"Well?","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"look"},"id":"toolu_1","type":"function"}]},{"content":"seen","role":"tool","tool_call_id":"toolu_1"},{"content":[{"text":"[Attachments of the result of toolu_1:]","type":"text"},{"image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="},"type":"image_url"}],"role":"user"},{"content":"Go on","role":"user"},{"content":"It is","role":"assistant"}],"stop":["END"],"tools":[{"function":{"name":"look","parameters":{"properties":{},"type":"object"}},"type":"function"}]}
    openai messages big/model:1 {"tools":[{"name":"weather","input_schema":{"type":"object","properties":{"city":{"type":"string"}}}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_a","name":"weather","input":{}},{"type":"tool_use","id":"toolu_b","name":"weather","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_b","content":"fine"}]}]}
      {"messages":[{"content":"Hi","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"toolu_a","type":"function"},{"function":{"arguments":"{}","name":"weather"},"id":"toolu_b","type":"function"}]},{"content":"No result.","role":"tool","tool_call_id":"toolu_a"},{"content":"fine","role":"tool","tool_call_id":"toolu_b"}],"tools":[{"function":{"name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}]}
    openai responses big/model:1 {"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}},"strict":false}],"input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"call_a","name":"weather","arguments":"{}"},{"type":"function_call","call_id":"call_b","name":"weather","arguments":"{}"},{"type":"function_call_output","call_id":"call_b","output":"fine"},{"role":"user","content":"Go on"}]}
      {"messages":[{"content":"Hi","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"call_a","type":"function"},{"function":{"arguments":"{}","name":"weather"},"id":"call_b","type":"function"}]},{"content":"No result.","role":"tool","tool_call_id":"call_a"},{"content":"fine","role":"tool","tool_call_id":"call_b"},{"content":"Go on","role":"user"}],"tools":[{"function":{"name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"},"strict":false},"type":"function"}]}
    openai responses big/model:1 {"store":false,"input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"call_a","name":"weather","arguments":"{}"},{"role":"user","content":"And?"},{"type":"function_call_output","call_id":"call_a","output":"fine"},{"type":"function_call_output","call_id":"call_a","output":"again"}]}
      {"messages":[{"content":"Hi","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"call_a","type":"function"}]},{"content":"fine","role":"tool","tool_call_id":"call_a"},{"content":"And?","role":"user"},{"content":"again","role":"user"}]}
    openai responses big/model:1 {"store":false,"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://pictures.example/a.png"}]}]}
      {"messages":[{"content":[{"image_url":{"url":"https://pictures.example/a.png"},"type":"image_url"}],"role":"user"}]}
    openai responses big/model:1 {"store":false,"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://pictures.example/a.png","detail":"low"}]}]}
      {"messages":[{"content":[{"image_url":{"detail":"low","url":"https://pictures.example/a.png"},"type":"image_url"}],"role":"user"}]}
    openai responses big/model:1 {"store":false,"input":[{"role":"user","content":[{"type":"input_image","image_url":"https://pictures.example/a.png","detail":"original"}]}]}
      {"messages":[{"content":[{"image_url":{"detail":"high","url":"https://pictures.example/a.png"},"type":"image_url"}],"role":"user"}]}
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://pictures.example/a.png","detail":"high"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},{"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=","format":"wav"}}]}]}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"https://pictures.example/a.png","detail":"high"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0="}},{"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=","format":"wav"}}]}],"new_input":"y"}
      {"messages":[{"content":[{"text":"x","type":"text"},{"image_url":{"detail":"high","url":"https://pictures.example/a.png"},"type":"image_url"},{"file":{"file_data":"data:application/pdf;base64,JVBERi0=","filename":"a.pdf"},"type":"file"},{"input_audio":{"data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=","format":"wav"},"type":"input_audio"}],"role":"user"},{"content":"y","role":"user"}]}
    openai chat/completions big/model:1 {"tools":[{"type":"function","function":{"name":"other"}},{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"weather"}}]}}}
      =
    openai chat/completions big/model:1 {"new_input":"And more","tools":[{"type":"function","function":{"name":"other"}},{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"weather"}}]}}}
      {"messages":[{"content":"Hello","role":"user"},{"content":"And more","role":"user"}],"tools":[{"function":{"description":"d","name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}]}
    openai chat/completions big/model:1 {"new_input":"And more","tools":[{"type":"function","function":{"name":"other"}},{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"weather"}}]}}}
      {"messages":[{"content":"Hello","role":"user"},{"content":"And more","role":"user"}],"tool_choice":"required","tools":[{"function":{"description":"d","name":"weather","parameters":{"properties":{"city":{"type":"string"}},"type":"object"}},"type":"function"}]}
    openai chat/completions big/model:1 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools"}}
      400 missing_required_parameter tool_choice.allowed_tools
    openai chat/completions big/model:1 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto"}}}
      400 missing_required_parameter tool_choice.allowed_tools.tools
    openai chat/completions big/model:1 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"none","tools":[]}}}
      400 invalid_value tool_choice.allowed_tools.mode
    openai chat/completions big/model:1 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"unknown"}}]}}}
      400 invalid_value tool_choice.allowed_tools.tools[0].function
    openai chat/completions big/model:1 {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":["weather"]}}}
      400 missing_required_parameter tool_choice.allowed_tools.tools[0].function
    openai chat/completions big/model:1 {"functions":[{"name":"f","parameters":{"type":"object"}}],"function_call":{"name":"f"},"new_input":"y"}
      {"function_call":{"name":"f"},"functions":[{"name":"f","parameters":{"type":"object"}}],"messages":[{"content":"Hello","role":"user"},{"content":"y","role":"user"}]}
    openai chat/completions big/model:1 {"tools":[{"type":"x:file_search","parameters":{"vector_store_ids":["vs_1"]}}]}
      400 unsupported_parameter tools[0].parameters.vector_store_ids[0]
    openai chat/completions big/model:1 {"tools":[{"type":"x","input":{"file_id":"file-1"}}]}
      400 unsupported_parameter tools[0].input.file_id
    openai chat/completions big/model:1 {"tools":[{"type":"x","tools":[{"type":"y","schema":{"file_id":"file-1"}}]}]}
      400 unsupported_parameter tools[0].tools[0].schema.file_id
    openai chat/completions big/model:1 {"tools":[{"type":"document_library","library_ids":["l"]}]}
      400 unsupported_parameter tools[0].library_ids[0]
    openai chat/completions big/model:1 {"tools":[{"type":"retrieval_2","retrieval":{"knowledge_id":"k"}}]}
      400 unsupported_parameter tools[0].retrieval.knowledge_id
    openai chat/completions big/model:1 {"tools":[{"type":"mcp","server_label":"a","server_url":"litellm_proxy/mcp/a"}]}
      400 unsupported_parameter tools[0].server_url
    openai chat/completions big/model:1 {"tools":[{"ty\u0070e":"mcp","server_label":"a","server_url":"litellm_proxy/mcp/a"}]}
      400 unsupported_parameter tools[0].server_url
    openai chat/completions big/model:1 {"tools":[{"type":"function","Type":"file_search","function":{"name":"f"},"parameters":{"vector_store_ids":["vs_1"]}}]}
      400 unsupported_parameter tools[0].parameters.vector_store_ids[0]
    openai chat/completions big/model:1 {"tools":[{"type":"mcp","server_label":"a","server_url":"https://mcp.example/a"}]}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":"Hi","file_id":"a"}],"tools":[{"type":"browser"},{"type":"function","function":{"name":"f","parameters":{"type":"object","default":{"file_id":"a","server_url":"a"}}}}]}
      =
    openai chat/completions big/model:1 {"extra_body":{"service_tier":"priority"}}
      400 unsupported_parameter extra_body.service_tier
    openai chat/completions big/model:1 {"extra_body":{"google":{"Tools":[{"type":"mcp"}]}}}
      400 unsupported_parameter extra_body.google.tools
    openai chat/completions big/model:1 {"extra_body":{"n":8}}
      400 unsupported_parameter extra_body.n
    openai chat/completions big/model:1 {"max_tokens":16,"extra_body":{"max_completion_tokens":17}}
      400 unsupported_parameter extra_body.max_completion_tokens
    openai chat/completions big/model:1 {"n":2,"max_tokens":16,"extra_body":{"n":2,"max_tokens":16,"tools":null,"reasoning":{"effort":"low"},"temperature":1}}
      =
    openai chat/completions big/model:1 {"extra_body":{"max_tokens":16}}
      =
    openai chat/completions big/model:1 {"n_cmpl":2}
      400 unsupported_parameter n_cmpl
    openai chat/completions big/model:1 {"max_tokens":16,"n_predict":17}
      400 unsupported_parameter n_predict
    openai chat/completions big/model:1 {"max_completion_tokens":16,"max_new_tokens":-1}
      400 unsupported_parameter max_new_tokens
    openai chat/completions big/model:1 {"max_tokens":16,"Num_Predict":"17"}
      400 unsupported_parameter num_predict
    openai chat/completions big/model:1 {"max_tokens":16,"n_predict":16,"options":{"num_predict":9}}
      =
    openai chat/completions big/model:1 {"n_predict":-1}
      =
    openai chat/completions big/model:1 {"router_settings_override":{"fallbacks":[{"m":["dear"]}]}}
      400 unsupported_parameter router_settings_override
    openai chat/completions big/model:1 {"x":{"fallbacks":[{"m":["dear"]}]}}
      404 model_not_found x.fallbacks[0].m[0]
    openai chat/completions big/model:1 {"x":{"model_group_alias":{"m":"dear"}}}
      404 model_not_found x.model_group_alias.m
    openai chat/completions big/model:1 {"x":{"fallbacks":[{"m":["m"]}]}}
      {"x":{"fallbacks":[{"m":["big/model:1"]}]}}
    openai chat/completions big/model:1 {"provider":{"allow_fallbacks":true,"order":["a"]}}
      =
    openai chat/completions big/model:1 {"data_sources":[{"type":"azure_search"}]}
      400 unsupported_parameter data_sources
    openai chat/completions big/model:1 {"extra_body":{"dataSources":[{"type":"azure_search"}]}}
      400 unsupported_parameter extra_body.data_sources
    openai chat/completions big/model:1 {"vector_store_ids":["vs_1"]}
      400 unsupported_parameter vector_store_ids
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"video_url","video_url":{"url":"file:\/\/\/etc/passwd"}}]}]}
      400 unsupported_parameter messages[0].content[0].video_url.url
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"audio_url","audio_url":{"url":"data:audio/wav;base64,UklGRg=="}},{"type":"video_url","video_url":{"url":"HTTPS:\/\/v.example/a.mp4"}}]}]}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":"Hi","Content":"Ho"}]}
      {"messages":[{"content":"Hi","role":"user"}]}
    openai images/edits gpt-image-1 {"prompt":"a","images":[{"image_url":"file:///etc/passwd"}]}
      400 unsupported_parameter images[0].image_url
    openai chat/completions big/model:1 {"file_ids":["file-1"]}
      400 invalid_value file_ids[0]
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"text","text":"Hi","file_id":"a"},{"type":"new_thing","x":[{"y":1}]},{"type":"video_url","video_url":{"url":"https://v.example/a.mp4"}}]},{"role":"assistant","content":[{"type":"new_thing"}]}]}
      =
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"new_thing","input":{"file_id":"a"}}]}]}
      400 unsupported_parameter messages[0].content[1].input.file_id
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"new_thing"}]}],"new_input":"y"}
      400 invalid_value messages[0].content[0].type
    openai chat/completions big/model:1 {"messages":[{"role":"user","content":[{"type":"refusal","refusal":"No"}]}]}
      400 invalid_value messages[0].content[0].type
    openai responses open-model {"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"new_thing","x":1}]}]}
      400 unsupported_value input[0].content[1].type
    openai messages open-model {"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"new_thing","x":1}]}]}
      400 invalid_request_error messages[0].content[1].type
    openai messages open-model {"messages":[{"role":"system","content":" \n"},{"role":"system","content":"A"},{"role":"system","content":[{"type":"text","text":"B"}]},{"role":"user","content":"Hi"},{"role":"system","content":[{"type":"text","text":"C"},{"type":"text","text":"D"}]},{"role":"system","content":"E"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"},{"role":"system","content":""},{"role":"assistant","content":"Yes"},{"role":"user","content":"Go"},{"role":"system","content":"F"}]}
      {"messages":[{"content":"A","role":"system"},{"content":"B","role":"system"},{"content":"Hi","role":"user"},{"content":[{"text":"C","type":"text"},{"text":"D","type":"text"}],"role":"system"},{"content":"E","role":"system"},{"content":"Yes","role":"assistant"},{"content":"More","role":"user"},{"content":"Yes","role":"assistant"},{"content":"Go","role":"user"},{"content":"F","role":"system"}]}
    openai messages open-model {"messages":[{"role":"system","content":"A"},{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes"},{"role":"system","content":"B"},{"role":"user","content":"More"}]}
      =
    openai messages open-model {"tools":[{"name":"weather","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}]},{"role":"system","content":"A"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}]}]}
      {"messages":[{"content":"Hi","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"toolu_1","type":"function"}]},{"content":"sunny","role":"tool","tool_call_id":"toolu_1"},{"content":"A","role":"system"}],"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}]}
    openai chat/completions open-model {"messages":[{"role":"system","content":"Top"},{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      =
    openai responses open-model {"instructions":"Top","input":[{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"messages":[{"content":"Top","role":"system"},{"content":"Hi","role":"user"},{"content":"A","role":"system"},{"content":"Yes","role":"assistant"},{"content":"More","role":"user"}]}
    openai messages open-model {"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;"},{"type":"text","text":"Top","cache_control":{"type":"ephemeral"}}]}
      {"messages":[{"content":"Top","role":"system"},{"content":"Hello","role":"user"}]}
    openai messages open-model {"system":"x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;\nTop"}
      {"messages":[{"content":"Top","role":"system"},{"content":"Hello","role":"user"}]}
    openai messages open-model {"tools":[{"name":"weather","input_schema":{"type":"object"}},{"name":"other","input_schema":{"type":"object"},"defer_loading":true}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"tool_reference","tool_name":"weather"},{"type":"tool_reference","tool_name":"other"}]}]}]}
      {"ignored":"defer_loading","messages":[{"content":"Hi","role":"user"},{"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"weather"},"id":"toolu_1","type":"function"}]},{"content":[{"text":"The tool weather is available.\n","type":"text"},{"text":"The tool other is available.\n","type":"text"}],"role":"tool","tool_call_id":"toolu_1"}],"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"},{"function":{"name":"other","parameters":{"properties":{},"type":"object"}},"type":"function"}]}
    openai messages open-model {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}]}
      {"ignored":"max_uses","web_search_options":{}}
    openai messages open-model {"tools":[{"name":"weather","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search","max_uses":8}],"tool_choice":{"type":"tool","name":"web_search"}}
      {"ignored":"max_uses","tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai messages open-model {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8},{"name":"weather","input_schema":{"type":"object"}}]}
      {"ignored":"max_uses","tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai chat/completions open-model {"tools":[{"type":"web_search_preview"},{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      {"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai chat/completions open-model {"tools":[{"type":"google_search"},{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      {"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai chat/completions open-model {"tools":[{"type":"web_search"}],"tool_choice":"required"}
      {"web_search_options":{}}
    openai chat/completions open-model {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}},{"type":"web_search"}],"tool_choice":{"type":"web_search"}}
      {"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai responses open-model {"tools":[{"type":"function","name":"weather","parameters":{"type":"object","properties":{}}},{"type":"web_search"}],"tool_choice":"auto"}
      {"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai responses open-model {"tools":[{"type":"web_search"}],"tool_choice":"required"}
      {"web_search_options":{}}
    openai responses open-model {"tools":[{"type":"web_search"},{"type":"function","name":"weather","parameters":{"type":"object","properties":{}}}],"tool_choice":{"type":"web_search"}}
      {"tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}],"web_search_options":{}}
    openai messages open-model {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8,"allowed_domains":["a.example","b.example"],"blocked_domains":["c.example"],"user_location":{"type":"approximate","country":"NO","city":"Oslo"}}]}
      {"ignored":"allowed_domains, blocked_domains, max_uses","web_search_options":{"user_location":{"approximate":{"city":"Oslo","country":"NO"},"type":"approximate"}}}
    openai responses open-model {"tools":[{"type":"web_search","filters":{"allowed_domains":["a.example","b.example"]},"search_context_size":"low","user_location":{"type":"approximate","country":"NO","city":"Oslo"}}]}
      {"ignored":"filters","web_search_options":{"search_context_size":"low","user_location":{"approximate":{"city":"Oslo","country":"NO"},"type":"approximate"}}}
    openai chat/completions open-model {"web_search_options":{"search_context_size":"low","user_location":{"type":"approximate","approximate":{"country":"NO","city":"Oslo"}}}}
      =
    openai chat/completions open-model {"web_search_options":{"allowed_domains":["a.example","b.example"],"max_uses":8}}
      =
    openai chat/completions open-model {"web_search":true}
      {"web_search_options":{}}
    openai responses open-model {"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA-sealed"},{"role":"assistant","content":"So."},{"role":"user","content":"Hi"}]}
      {"messages":[{"content":"Hi","role":"user"},{"content":"So.","role":"assistant"},{"content":"Hi","role":"user"}]}
    openai responses open-model {"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gAAAA-sealed"},{"role":"assistant","content":"So."},{"role":"user","content":"Hi"}]}
      {"messages":[{"content":"Hi","role":"user"},{"content":"So.","role":"assistant"},{"content":"Hi","role":"user"}]}
    openai messages open-model {"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"diagnostics":{},"safeguards":[],"speed":"fast","container":"c","output_config":{"effort":"high","task_budget":{"type":"tokens","total":9}},"unknown_field":1}
      {"ignored":"output_config.task_budget, context_management, safeguards, diagnostics, speed, container","reasoning_effort":"high"}
    openai messages open-model {"tools":[{"type":"code_execution_20250825","name":"code_execution"},{"type":"agent_toolset_20260401"},{"name":"weather","input_schema":{"type":"object"},"defer_loading":true}]}
      {"ignored":"code_execution, agent_toolset, defer_loading","tools":[{"function":{"name":"weather","parameters":{"properties":{},"type":"object"}},"type":"function"}]}
    openai messages open-model {"tools":[{"type":"code_execution_20250825","name":"code_execution"}]}
      400 invalid_request_error tools[0].type
    openai messages open-model {"tools":[{"type":"code_execution_20250825","name":"code_execution"},{"name":"weather","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"code_execution"}}
      400 invalid_request_error tool_choice.name
    openai messages open-model {"tools":[{"type":"computer_20250124","name":"computer"}]}
      400 invalid_request_error tools[0].type
    openai messages open-model {"tools":[{"type":"computer_20250124","name":"computer"},{"name":"weather","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"computer"}}
      400 invalid_request_error tool_choice.name
    openai messages open-model {"messages":[{"role":"user","content":"Hi"},{"role":"system","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}
      400 invalid_request_error messages[1].content[0].type
    openai messages open-model {"messages":[{"role":"user","content":"Hi"},{"role":"system","content":[{"type":"text","text":"A"},{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}]}]}
      400 invalid_request_error messages[1].content[1].type
    openai messages open-model {"messages":[{"role":"user","content":"Hi"},{"role":"system","content":5}]}
      400 invalid_request_error messages[1].content
    openai messages open-model {"messages":[{"role":"system","content":""}]}
      400 invalid_request_error messages
    openai chat/completions big/model:1 {"thinking":{"type":"enabled","budget_tokens":2000},"reasoning":{"effort":"low"},"top_k":4,"min_p":0.1}
      =
    openai chat/completions big/model:1 {"thinking":{"type":"enabled"},"reasoning_effort":"low","top_k":4,"new_input":"x"}
      {"messages":"*","reasoning_effort":"low","thinking":{"type":"enabled"},"top_k":4}
    openai chat/completions big/model:1 {"thinking":{"type":"enabled"},"new_input":"x"}
      {"messages":"*","thinking":{"type":"enabled"}}
    """#
