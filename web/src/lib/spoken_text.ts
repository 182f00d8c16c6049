/**
 * Which words of a spoken text lie before a moment of its audio.
 *
 * The server announces the text of a segment directly before its audio, so every transcript delta marks a place: so
 * many characters are spoken when so many ms of audio precede. Within a segment words are spread by their length,
 * the way the server itself estimates what was heard. A hosted model writes far ahead of its audio; there no marks
 * are kept and the whole text is spread over the whole audio.
 */

export interface SpeechMark {
  readonly startMs: number;
  readonly startChar: number;
}

export interface SpokenText {
  readonly text: string;
  readonly audioMs: number; // audio received so far
  readonly marks: readonly SpeechMark[]; // ascending; empty: spread evenly
}

const MAX_CHARS_PER_MS = 0.03; // nobody speaks faster; guards against text that arrives ahead of its audio

/** Returns how many characters were heard, at a word boundary: a word counts when its middle was played. */
export function heardChars(spoken: SpokenText, playedMs: number): number {
  if (playedMs <= 0) return 0;
  if (playedMs >= spoken.audioMs && spoken.audioMs > 0 && spoken.marks.length > 0) return spoken.text.length;
  const reached = Math.min(charAt(spoken, playedMs), playedMs * MAX_CHARS_PER_MS);
  return wholeWords(spoken.text, reached);
}

function charAt(spoken: SpokenText, playedMs: number): number {
  const marks = spoken.marks.length > 0 ? spoken.marks : [{ startMs: 0, startChar: 0 }];
  let index = marks.length - 1;
  while (index > 0 && (marks[index]?.startMs ?? 0) > playedMs) index -= 1;
  const from = marks[index] ?? { startMs: 0, startChar: 0 };
  const to = marks[index + 1] ?? { startMs: spoken.audioMs, startChar: spoken.text.length };
  const lengthMs = to.startMs - from.startMs;
  const share = lengthMs <= 0 ? 1 : Math.min(1, (playedMs - from.startMs) / lengthMs);
  return from.startChar + share * (to.startChar - from.startChar);
}

/** Returns the end of the last word whose middle lies at or before `reached`; 0 when there is none. */
function wholeWords(text: string, reached: number): number {
  let end = 0;
  for (const match of text.matchAll(/\S+/g)) {
    if (match.index + match[0].length / 2 > reached) break;
    end = match.index + match[0].length;
  }
  return end;
}
