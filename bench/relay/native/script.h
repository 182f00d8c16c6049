// The events of the load, in the order of the hosted API (GA). %1$s is the connection's id, %2$u counts its responses.
// A cycle is one response of CYCLE_DELTAS pieces of 40 ms, during which the user speaks a turn that causes no response.
#ifndef SCRIPT_H
#define SCRIPT_H

enum { PERIOD_MS = 40, CYCLE_DELTAS = 125, SPEECH_STARTS_AT = 60, SPEECH_STOPS_AT = 110, TRANSCRIPT_EVERY = 25 };
enum { AUDIO_CHARACTERS = 2560 };  // 40 ms of PCM16 at 24 kHz in base64

#define SESSION \
    "{\"type\":\"realtime\",\"object\":\"realtime.session\",\"id\":\"sess_%1$s\",\"model\":\"gpt-realtime\"," \
    "\"output_modalities\":[\"audio\"],\"instructions\":\"Be brief.\",\"tools\":[],\"tool_choice\":\"auto\"," \
    "\"max_output_tokens\":\"inf\",\"tracing\":null,\"truncation\":\"auto\",\"prompt\":null," \
    "\"expires_at\":1893456000,\"include\":null," \
    "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"transcription\":null," \
    "\"noise_reduction\":null,\"turn_detection\":{\"type\":\"server_vad\",\"threshold\":0.5," \
    "\"prefix_padding_ms\":300,\"silence_duration_ms\":500,\"idle_timeout_ms\":null," \
    "\"create_response\":false,\"interrupt_response\":false}}," \
    "\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"voice\":\"marin\",\"speed\":1.0}}}"

#define RESPONSE(status, output, usage) \
    "{\"object\":\"realtime.response\",\"id\":\"resp_%1$s_%2$u\",\"status\":\"" status "\",\"status_details\":null," \
    "\"output\":[" output "],\"conversation_id\":\"conv_%1$s\",\"output_modalities\":[\"audio\"]," \
    "\"max_output_tokens\":\"inf\",\"audio\":{\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000}," \
    "\"voice\":\"marin\"}},\"usage\":" usage ",\"metadata\":null}"

#define ANSWER(status, content) \
    "{\"id\":\"item_%1$s_%2$u\",\"object\":\"realtime.item\",\"type\":\"message\",\"status\":\"" status "\"," \
    "\"role\":\"assistant\",\"content\":[" content "]}"

#define TURN \
    "{\"id\":\"turn_%1$s_%2$u\",\"object\":\"realtime.item\",\"type\":\"message\",\"status\":\"completed\"," \
    "\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"transcript\":null}]}"

#define SPOKEN "{\"type\":\"output_audio\",\"transcript\":\"Word word word word word.\"}"

#define USAGE \
    "{\"total_tokens\":190,\"input_tokens\":90,\"output_tokens\":100,\"input_token_details\":{\"text_tokens\":40," \
    "\"audio_tokens\":50,\"image_tokens\":0,\"cached_tokens\":0,\"cached_tokens_details\":{\"text_tokens\":0," \
    "\"audio_tokens\":0,\"image_tokens\":0}},\"output_token_details\":{\"text_tokens\":20,\"audio_tokens\":80}}"

#define EVENT(type, number) "{\"type\":\"" type "\",\"event_id\":\"event_%1$s_%2$u_" number "\","
#define PLACE "\"response_id\":\"resp_%1$s_%2$u\",\"item_id\":\"item_%1$s_%2$u\",\"output_index\":0,\"content_index\":0"
#define IN_RESPONSE "\"response_id\":\"resp_%1$s_%2$u\",\"output_index\":0"

static const char *const CREATED[] = {EVENT("session.created", "0") "\"session\":" SESSION "}", 0};
static const char *const UPDATED[] = {EVENT("session.updated", "1") "\"session\":" SESSION "}", 0};

static const char *const BEGIN[] = {
    EVENT("response.created", "2") "\"response\":" RESPONSE("in_progress", "", "null") "}",
    EVENT("response.output_item.added", "3") IN_RESPONSE ",\"item\":" ANSWER("in_progress", "") "}",
    EVENT("conversation.item.added", "4") "\"previous_item_id\":null,\"item\":" ANSWER("in_progress", "") "}",
    EVENT("response.content_part.added", "5") PLACE ",\"part\":{\"type\":\"audio\",\"transcript\":\"\"}}",
    0,
};

static const char *const TRANSCRIPT[] = {
    EVENT("response.output_audio_transcript.delta", "6") PLACE ",\"delta\":\"Word \"}", 0,
};

static const char *const SPEECH_STARTED[] = {
    EVENT("input_audio_buffer.speech_started", "7") "\"audio_start_ms\":1000,\"item_id\":\"turn_%1$s_%2$u\"}", 0,
};

static const char *const SPEECH_STOPPED[] = {
    EVENT("input_audio_buffer.speech_stopped", "8") "\"audio_end_ms\":3000,\"item_id\":\"turn_%1$s_%2$u\"}",
    EVENT("input_audio_buffer.committed", "9") "\"previous_item_id\":null,\"item_id\":\"turn_%1$s_%2$u\"}",
    EVENT("conversation.item.added", "10") "\"previous_item_id\":null,\"item\":" TURN "}",
    EVENT("conversation.item.done", "11") "\"previous_item_id\":null,\"item\":" TURN "}",
    0,
};

static const char *const END[] = {
    EVENT("response.output_audio.done", "12") PLACE "}",
    EVENT("response.output_audio_transcript.done", "13") PLACE ",\"transcript\":\"Word word word word word.\"}",
    EVENT("response.content_part.done", "14") PLACE ",\"part\":{\"type\":\"audio\",\"transcript\":\"Word.\"}}",
    EVENT("response.output_item.done", "15") IN_RESPONSE ",\"item\":" ANSWER("completed", SPOKEN) "}",
    EVENT("conversation.item.done", "16") "\"previous_item_id\":null,\"item\":" ANSWER("completed", SPOKEN) "}",
    EVENT("response.done", "17") "\"response\":" RESPONSE("completed", ANSWER("completed", SPOKEN), USAGE) "}",
    0,
};

static const char APPEND[] =
    "{\"type\":\"input_audio_buffer.append\",\"event_id\":\"event_T%016llx\",\"audio\":\"%s\"}";
static const char DELTA[] =
    "{\"type\":\"response.output_audio.delta\",\"event_id\":\"event_T%016llx\",\"response_id\":\"resp_%s_%u\","
    "\"item_id\":\"item_%s_%u\",\"output_index\":0,\"content_index\":0,\"delta\":\"%s\"}";
static const char UPDATE[] =
    "{\"type\":\"session.update\",\"event_id\":\"event_update\",\"session\":{\"type\":\"realtime\",\"instructions\":"
    "\"Be brief.\",\"audio\":{\"input\":{\"turn_detection\":{\"type\":\"server_vad\",\"create_response\":false,"
    "\"interrupt_response\":false}}}}}";
static const char CREATE[] = "{\"type\":\"response.create\"}";

#endif
