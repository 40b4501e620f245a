/// The bodies for Google's API: see `VendorBodyTests`.
let geminiBodies = #"""
    gemini chat/completions gemini-2.5-flash {"messages":[{"role":"user","content":[{"type":"text","text":"Hi"},{"type":"new_thing"}]}]}
      400 invalid_value messages[0].content[1].type
    gemini chat/completions gemini-3.1-pro {"temperature":1.5,"top_p":0.5,"max_tokens":50,"stop":["a","b"],"seed":2147483653,"presence_penalty":0.5,"frequency_penalty":0,"user":"me","metadata":{"a":"b"},"service_tier":"default","store":false,"logit_bias":{"1":2},"verbosity":"low"}
      {"generationConfig":{"maxOutputTokens":50,"presencePenalty":0.5,"seed":5,"stopSequences":["a","b"],"temperature":1.5,"topP":0.5}}
    gemini messages gemini-3.1-pro {"stop_sequences":["three","four","five","six","seven","eight"],"max_tokens":9}
      {"generationConfig":{"maxOutputTokens":9}}
    gemini chat/completions gemini-3.1-pro {"reasoning_effort":"none"}
      {"generationConfig":{"thinkingConfig":{"thinkingLevel":"low"}}}
    gemini chat/completions gemini-3.1-pro {"reasoning_effort":"low"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"low"}}}
    gemini chat/completions gemini-3.1-pro {"reasoning_effort":"medium"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"medium"}}}
    gemini chat/completions gemini-3.1-pro {"reasoning_effort":"xhigh"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"high"}}}
    gemini chat/completions gemini-3-flash {"reasoning_effort":"minimal"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"minimal"}}}
    gemini chat/completions gemini-3.7-flash {"reasoning_effort":"minimal"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"low"}}}
    gemini chat/completions gemini-2.5-pro {"reasoning_effort":"none"}
      {"generationConfig":{"thinkingConfig":{"thinkingBudget":128}}}
    gemini chat/completions gemini-2.5-pro {"reasoning_effort":"high"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":32768}}}
    gemini chat/completions gemini-2.5-flash {"reasoning_effort":"none"}
      {"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}
    gemini chat/completions gemini-2.5-flash {"reasoning_effort":"low"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":1024}}}
    gemini chat/completions gemini-2.5-flash-lite {"reasoning_effort":"medium"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":8192}}}
    gemini chat/completions gemini-2.5-flash {"reasoning_effort":"max"}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":24576}}}
    gemini chat/completions gemini-2.0-flash {"reasoning_effort":"high"}
      {}
    gemini chat/completions gemma-3-27b-it {"reasoning_effort":"high"}
      {}
    gemini chat/completions gemini-3.1-pro {"messages":[{"role":"assistant","content":"First"},{"role":"system","content":"A"},{"role":"user","content":"one"},{"role":"developer","content":"B"},{"role":"user","content":[{"type":"text","text":"two"}]},{"role":"assistant","content":""},{"role":"user","content":""},{"role":"assistant","content":"Last"}]}
      {"contents":[{"parts":[{"text":"."}],"role":"user"},{"parts":[{"text":"First"}],"role":"model"},{"parts":[{"text":"<system-reminder>\nA\n</system-reminder>"},{"text":"one"},{"text":"<system-reminder>\nB\n</system-reminder>"},{"text":"two"}],"role":"user"},{"parts":[{"text":"."}],"role":"model"},{"parts":[{"text":"."}],"role":"user"},{"parts":[{"text":"Last"}],"role":"model"}]}
    gemini chat/completions gemma-3-27b-it {"messages":[{"role":"system","content":"Be brief"},{"role":"user","content":"Hi"}]}
      {"contents":[{"parts":[{"text":"Be brief"},{"text":"Hi"}],"role":"user"}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{\"x\":1}"}},{"id":"b","type":"function","function":{"name":"1 odd n\u00e4me","arguments":"no json"}},{"id":"c","type":"function","function":{"name":"weather","arguments":""}},{"id":"d","type":"function","function":{"name":"weather","arguments":"[1]"}}]},{"role":"tool","tool_call_id":"d","content":"four"},{"role":"tool","tool_call_id":"a","content":"{\"deg\":7}"},{"role":"tool","tool_call_id":"a","content":"again"},{"role":"user","content":"So?"},{"role":"assistant","tool_calls":[{"id":"e","type":"function","function":{"name":"weather","arguments":"{}"}}]}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"functionCall":{"args":{"x":1},"name":"weather"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"args":{"_raw":"no json"},"name":"_1_odd_n__me"}},{"functionCall":{"args":{},"name":"weather"}},{"functionCall":{"args":{"_raw":"[1]"},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"deg":7}}},{"functionResponse":{"name":"_1_odd_n__me","response":{"error":"no result"}}},{"functionResponse":{"name":"weather","response":{"error":"no result"}}},{"functionResponse":{"name":"weather","response":{"output":"four"}}},{"text":"again"},{"text":"So?"}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"},"thoughtSignature":"skip_thought_signature_validator"}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"error":"no result"}}}],"role":"user"}],"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"auto"}
      {"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"none"}
      {"toolConfig":{"functionCallingConfig":{"mode":"NONE"}},"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required"}
      {"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-2.5-pro {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"required","response_format":{"type":"json_object"}}
      {"toolConfig":{"functionCallingConfig":{"mode":"ANY"}},"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":{"type":"function","function":{"name":"weather"}}}
      {"toolConfig":{"functionCallingConfig":{"allowedFunctionNames":["weather"],"mode":"ANY"}},"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{}}}]}
      {"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},"tools":[{"functionDeclarations":[{"name":"f"}]}]}
    gemini chat/completions gemini-3.1-pro {"response_format":{"type":"json_object"}}
      {"generationConfig":{"responseMimeType":"application/json"}}
    gemini chat/completions gemini-2.5-flash {"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      {"contents":"*","systemInstruction":"*"}
    gemini chat/completions gemma-3-27b-it {"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}
      {"contents":"*"}
    gemini chat/completions gemini-2.5-flash {"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"none"}
      {"generationConfig":{"responseMimeType":"application/json"}}
    gemini chat/completions gemini-3.1-pro {"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"none"}
      {"generationConfig":{"responseMimeType":"application/json"},"toolConfig":{"functionCallingConfig":{"mode":"NONE"}},"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-2.5-flash {"response_format":{"type":"json_object"},"tools":[{"type":"function","function":{"name":"weather","description":"d","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}],"tool_choice":"none","messages":[{"role":"user","content":"Weather?"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c1","content":"7"}]}
      {"contents":"*","toolConfig":{"functionCallingConfig":{"mode":"NONE"}},"tools":[{"functionDeclarations":[{"description":"d","name":"weather","parametersJsonSchema":{"properties":{"city":{"type":"string"}},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"messages":[{"role":"system","content":[{"type":"text","text":"Be brief"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]},{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Here"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]},{"role":"user","content":"And?"}]}
      {"contents":[{"parts":[{"inlineData":{"data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA==","mimeType":"image/png"}},{"text":"Hi"}],"role":"user"},{"parts":[{"text":"Here"}],"role":"model"},{"parts":[{"inlineData":{"data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA==","mimeType":"image/png"}},{"text":"And?"}],"role":"user"}],"systemInstruction":{"parts":[{"text":"Be brief"}]}}
    gemini messages gemini-3.1-pro {"tools":[{"name":"look","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"This?"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"look","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"dim"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]}]}]}
      {"contents":[{"parts":[{"text":"This?"}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"look"},"thoughtSignature":"skip_thought_signature_validator"}],"role":"model"},{"parts":[{"functionResponse":{"name":"look","response":{"error":"dim"}}},{"text":"[Attachments of the result of look, call 1:]"},{"inlineData":{"data":"iVBORw0KGgoAAAAAAAAAAAAAAAAAAAAAAAAAAA==","mimeType":"image/png"}}],"role":"user"}],"tools":[{"functionDeclarations":[{"name":"look","parametersJsonSchema":{"type":"object"}}]}]}
    gemini messages gemini-3.1-pro {"tools":[{"name":"weather","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Text 1."},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"n":1}},{"type":"text","text":"Text 2."},{"type":"tool_use","id":"toolu_2","name":"weather","input":{"n":2}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"fine"},{"type":"tool_result","tool_use_id":"toolu_2","content":"fine"}]}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"text":"Text 1."},{"functionCall":{"args":{"n":1},"name":"weather"},"thoughtSignature":"skip_thought_signature_validator"},{"text":"Text 2."},{"functionCall":{"args":{"n":2},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"fine"}}},{"functionResponse":{"name":"weather","response":{"output":"fine"}}}],"role":"user"}],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},{"type":"web_search"}],"tool_choice":{"type":"web_search"}}
      {"tools":[{"googleSearch":{}}]}
    gemini messages gemini-3.1-pro {"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"tool","name":"web_search"}}
      {"tools":[{"googleSearch":{}}]}
    gemini responses gemini-3.1-pro {"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}},{"type":"web_search"}],"tool_choice":{"type":"web_search"}}
      {"tools":[{"googleSearch":{}}]}
    gemini chat/completions gemini-3.1-pro {"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}},{"type":"web_search"}],"tool_choice":"auto"}
      {"ignored":"web_search","tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"properties":{},"type":"object"}}]}]}
    gemini messages gemini-3.1-pro {"tools":[{"name":"f","input_schema":{"type":"object","properties":{}}},{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"auto"}}
      {"ignored":"web_search","tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"properties":{},"type":"object"}}]}]}
    gemini responses gemini-3.1-pro {"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}}},{"type":"web_search"}],"tool_choice":"auto"}
      {"ignored":"web_search","tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"properties":{},"type":"object"}}]}]}
    gemini chat/completions gemini-3.1-pro {"file_ids":["file-1"]}
      400 unsupported_value file_ids[0]
    gemini chat/completions gemini-3.1-pro {"logprobs":true}
      400 unsupported_parameter logprobs
    gemini chat/completions gemini-3.1-pro {"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.zip","file_data":"data:application/zip;base64,UEsDBAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="}}]}]}
      400 unsupported_value messages[0].content[0].file.file_data
    gemini chat/completions gemini-3.1-pro {"messages":[{"role":"user","content":"Say a number"},{"role":"assistant","audio":{"id":"audio_1"}},{"role":"user","content":"Which?"}]}
      400 unsupported_parameter messages
    gemini chat/completions gemini-3.1-pro {"messages":[{"role":"user","content":"Say a number"},{"role":"assistant","audio":{"id":"audio_1","transcript":"Seven"}},{"role":"user","content":"Which?"}]}
      {"contents":[{"parts":[{"text":"Say a number"}],"role":"user"},{"parts":[{"text":"Seven"}],"role":"model"},{"parts":[{"text":"Which?"}],"role":"user"}]}
    gemini chat/completions gemini-3.1-pro {"messages":[{"role":"user","content":"Say a number"},{"role":"assistant","audio":{"id":"audio_1"},"content":"Seven"},{"role":"user","content":"Which?"}]}
      {"contents":[{"parts":[{"text":"Say a number"}],"role":"user"},{"parts":[{"text":"Seven"}],"role":"model"},{"parts":[{"text":"Which?"}],"role":"user"}]}
    gemini messages gemini-2.5-flash {"messages":[{"role":"system","content":" \n"},{"role":"system","content":"A"},{"role":"system","content":[{"type":"text","text":"B"}]},{"role":"user","content":"Hi"},{"role":"system","content":[{"type":"text","text":"C"},{"type":"text","text":"D"}]},{"role":"system","content":"E"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"},{"role":"system","content":""},{"role":"assistant","content":"Yes"},{"role":"user","content":"Go"},{"role":"system","content":"F"}]}
      {"contents":[{"parts":[{"text":"Hi"},{"text":"<system-reminder>\nC\n</system-reminder>"},{"text":"<system-reminder>\nD\n</system-reminder>"},{"text":"<system-reminder>\nE\n</system-reminder>"}],"role":"user"},{"parts":[{"text":"Yes"}],"role":"model"},{"parts":[{"text":"More"}],"role":"user"},{"parts":[{"text":"Yes"}],"role":"model"},{"parts":[{"text":"Go"},{"text":"<system-reminder>\nF\n</system-reminder>"}],"role":"user"}],"systemInstruction":{"parts":[{"text":"A"},{"text":"B"}]}}
    gemini messages gemini-2.5-flash {"messages":[{"role":"system","content":"A"},{"role":"user","content":"Hi"},{"role":"assistant","content":"Yes"},{"role":"system","content":"B"},{"role":"user","content":"More"}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"text":"Yes"}],"role":"model"},{"parts":[{"text":"<system-reminder>\nB\n</system-reminder>"},{"text":"More"}],"role":"user"}],"systemInstruction":{"parts":[{"text":"A"}]}}
    gemini messages gemini-2.5-flash {"tools":[{"name":"weather","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}]},{"role":"system","content":"A"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"sunny"}]}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"sunny"}}},{"text":"<system-reminder>\nA\n</system-reminder>"}],"role":"user"}],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"type":"object"}}]}]}
    gemini chat/completions gemini-2.5-flash {"messages":[{"role":"system","content":"Top"},{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"contents":[{"parts":[{"text":"Hi"},{"text":"<system-reminder>\nA\n</system-reminder>"}],"role":"user"},{"parts":[{"text":"Yes"}],"role":"model"},{"parts":[{"text":"More"}],"role":"user"}],"systemInstruction":{"parts":[{"text":"Top"}]}}
    gemini responses gemini-2.5-flash {"instructions":"Top","input":[{"role":"user","content":"Hi"},{"role":"developer","content":"A"},{"role":"assistant","content":"Yes"},{"role":"user","content":"More"}]}
      {"contents":[{"parts":[{"text":"Hi"},{"text":"<system-reminder>\nA\n</system-reminder>"}],"role":"user"},{"parts":[{"text":"Yes"}],"role":"model"},{"parts":[{"text":"More"}],"role":"user"}],"systemInstruction":{"parts":[{"text":"Top"}]}}
    gemini messages gemini-2.5-flash {"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;"},{"type":"text","text":"Top","cache_control":{"type":"ephemeral"}}]}
      {"systemInstruction":{"parts":[{"text":"Top"}]}}
    gemini messages gemini-2.5-flash {"system":"x-anthropic-billing-header: cc_version=2.1.332.a1b; cc_entrypoint=cli;\nTop"}
      {"systemInstruction":{"parts":[{"text":"Top"}]}}
    gemini messages gemini-2.5-flash {"tools":[{"name":"weather","input_schema":{"type":"object"}},{"name":"other","input_schema":{"type":"object"},"defer_loading":true}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"tool_reference","tool_name":"weather"},{"type":"tool_reference","tool_name":"other"}]}]}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"The tool weather is available.\nThe tool other is available.\n"}}}],"role":"user"}],"ignored":"defer_loading","tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"type":"object"}},{"name":"other","parametersJsonSchema":{"type":"object"}}]}]}
    gemini messages gemini-2.5-flash {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8}]}
      {"ignored":"max_uses","tools":[{"googleSearch":{}}]}
    gemini messages gemini-2.5-flash {"tools":[{"name":"weather","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"web_search","max_uses":8}],"tool_choice":{"type":"tool","name":"web_search"}}
      {"ignored":"max_uses","tools":[{"googleSearch":{}}]}
    gemini messages gemini-2.5-flash {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8},{"name":"weather","input_schema":{"type":"object"}}]}
      {"ignored":"max_uses, web_search","tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"type":"object"}}]}]}
    gemini messages gemini-2.5-flash {"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":8,"allowed_domains":["a.example","b.example"],"blocked_domains":["c.example"],"user_location":{"type":"approximate","country":"NO","city":"Oslo"}}]}
      {"ignored":"user_location, allowed_domains, blocked_domains, max_uses","tools":[{"googleSearch":{}}]}
    gemini chat/completions gemini-2.5-flash {"web_search_options":{"allowed_domains":["a.example","b.example"],"max_uses":8}}
      {"ignored":"allowed_domains, max_uses","tools":[{"googleSearch":{}}]}
    gemini chat/completions gemini-2.5-flash {"web_search":true}
      {"tools":[{"googleSearch":{}}]}
    gemini chat/completions gemini-2.5-flash {"web_search":true,"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      400 unsupported_parameter web_search
    gemini chat/completions gemini-2.5-flash {"web_search_options":{"allowed_domains":["a.example","b.example"],"max_uses":8},"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      400 unsupported_parameter web_search_options
    gemini chat/completions gemini-2.5-flash {"messages":[{"role":"user","content":"Hi"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}],"content":null},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm.","content":null},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}],"content":""},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm.","content":""},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}],"content":[]},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm.","content":[]},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"sunny"},{"role":"assistant","reasoning_content":"Hm."},{"role":"user","content":"More"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"sunny"}}}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"sunny"}}}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"sunny"}}}],"role":"user"},{"parts":[{"functionCall":{"args":{},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"sunny"}}}],"role":"user"},{"parts":[{"text":"."}],"role":"model"},{"parts":[{"text":"More"}],"role":"user"}],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"properties":{},"type":"object"}}]}]}
    gemini chat/completions gemini-2.5-flash {"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{}}}}],"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"weather","arguments":"\ufeff{\"city\":\"Rome\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"Sunny"}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"functionCall":{"args":{"city":"Rome"},"name":"weather"}}],"role":"model"},{"parts":[{"functionResponse":{"name":"weather","response":{"output":"Sunny"}}}],"role":"user"}],"tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"properties":{},"type":"object"}}]}]}
    gemini responses gemini-2.5-flash {"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA-sealed"},{"role":"assistant","content":"So."},{"role":"user","content":"Hi"}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"text":"So."}],"role":"model"},{"parts":[{"text":"Hi"}],"role":"user"}]}
    gemini responses gemini-2.5-flash {"input":[{"role":"user","content":"Hi"},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"gAAAA-sealed"},{"role":"assistant","content":"So."},{"role":"user","content":"Hi"}]}
      {"contents":[{"parts":[{"text":"Hi"}],"role":"user"},{"parts":[{"text":"So."}],"role":"model"},{"parts":[{"text":"Hi"}],"role":"user"}]}
    gemini messages gemini-2.5-flash {"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"diagnostics":{},"safeguards":[],"speed":"fast","container":"c","output_config":{"effort":"high","task_budget":{"type":"tokens","total":9}},"unknown_field":1}
      {"generationConfig":{"maxOutputTokens":100,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":24576}},"ignored":"output_config.task_budget, context_management, safeguards, diagnostics, speed, container"}
    gemini messages gemini-2.5-flash {"tools":[{"type":"code_execution_20250825","name":"code_execution"},{"type":"agent_toolset_20260401"},{"name":"weather","input_schema":{"type":"object"},"defer_loading":true}]}
      {"ignored":"code_execution, agent_toolset, defer_loading","tools":[{"functionDeclarations":[{"name":"weather","parametersJsonSchema":{"type":"object"}}]}]}
    gemini chat/completions gemini-2.5-flash {"thinking":{"type":"enabled","budget_tokens":2000},"top_k":7}
      {"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":2000},"topK":7}}
    gemini chat/completions gemini-2.5-flash {"enable_thinking":false,"repetition_penalty":1.1,"top_k":-1}
      {"generationConfig":{"thinkingConfig":{"thinkingBudget":0}},"ignored":"repetition_penalty, top_k"}
    """#
